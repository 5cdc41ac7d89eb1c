//! A disk that loses power: a file system in an image, shut down without writing its log.
//!
//! After [`Disk::cut`] and [`Disk::restore`], what is there is what was durable at the cut, and nothing else.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::expect;

/// A mounted image; unmounted and let go of when dropped, whatever happened.
#[derive(Debug)]
pub struct Disk {
    device: String,
    mount: PathBuf,
}

/// FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, XFS's alike: nothing more reaches the device. There is no
/// safe call for it in Rust, so Python does it.
const CUT: &str = "import os, fcntl, struct, sys; \
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

impl Disk {
    /// A new file system of this kind in an image under `folder`.
    ///
    /// # Errors
    /// With the reason, where the system does not let us: not root, no loop device, no such file system.
    pub fn new(folder: &Path, kind: &str, mebibytes: u32) -> Result<Self, String> {
        let (image, mount) = (folder.join(format!("{kind}.img")), folder.join(format!("{kind}-disk")));
        std::fs::create_dir(&mount).map_err(|error| error.to_string())?;
        run("truncate", [OsStr::new(&format!("-s{mebibytes}M")), image.as_os_str()])?;
        let quiet = if kind == "xfs" { "-qf" } else { "-qF" };
        run(&format!("mkfs.{kind}"), [OsStr::new(quiet), image.as_os_str()])?;
        let device = run("losetup", [OsStr::new("--find"), OsStr::new("--show"), image.as_os_str()])?;
        // From here on, dropping it cleans up.
        let disk = Self { device, mount };
        run("mount", [OsStr::new(&disk.device), disk.mount.as_os_str()])?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mount
    }

    /// The power goes: writes that are not on the disk never will be, and all further ones fail.
    ///
    /// # Panics
    /// When the file system does not know of it.
    pub fn cut(&self) {
        run("python3", [OsStr::new("-c"), OsStr::new(CUT), self.mount.as_os_str()]).expect("a cut");
    }

    /// The power comes back. Whoever had files open must be gone.
    ///
    /// # Panics
    /// When it cannot be mounted again.
    pub fn restore(&self) {
        expect::holds("the disk to be let go of", || run("umount", [self.mount.as_os_str()]).is_ok());
        run("mount", [OsStr::new(&self.device), self.mount.as_os_str()]).expect("a file system after a cut");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, since a daemon may still be about to be killed.
        let _ = run("umount", [OsStr::new("--lazy"), self.mount.as_os_str()]);
        let _ = run("losetup", ["--detach", &self.device]);
    }
}

/// Runs a program and gives its first line, or what it complains about.
fn run<I: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = I>) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let Output { status, stdout, stderr } = output;
    if !status.success() {
        return Err(format!("{program}: {status}: {}", String::from_utf8_lossy(&stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
}
