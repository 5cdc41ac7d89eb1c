//! Hosts with networks of their own on this machine: namespaces of Linux, made as root, gone with their handles.
//!
//! A [`Network`] is a switch with two segments, as a site has them. A [`Host`] has its own addresses and ports, its
//! own name, and its own `/etc`, `/run` and `/var/lib`, which are folders of its [`Host::folder`]; everything else it
//! shares with the machine. Nothing is left on the machine by name: a namespace lives as long as a process in it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::expect;
use crate::peer::process::{Group, Process};

/// What hosts are plugged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// The internet.
    Outside,
    /// The site's own.
    Inside,
}

impl Segment {
    const ALL: [Self; 2] = [Self::Outside, Self::Inside];

    const fn bridge(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Inside => "inside",
        }
    }
}

/// A switch.
#[derive(Debug)]
pub struct Network {
    switch: Process,
    ports: AtomicU32,
}

impl Network {
    /// A new one, with nobody on it.
    ///
    /// # Panics
    /// When we are not root, or the system knows no namespaces.
    #[must_use]
    pub fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "only root makes networks");
        let network = Self { switch: hold(&["--net"], "true", Path::new("/")), ports: AtomicU32::new(0) };
        for segment in Segment::ALL {
            network.ip(&["link", "add", segment.bridge(), "type", "bridge"]);
            network.ip(&["link", "set", segment.bridge(), "up"]);
        }
        network
    }

    /// A new host on it, with an address of each segment that it is plugged into; all of a segment are neighbours.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn host(&self, name: &str, addresses: &[(Segment, IpAddr)]) -> Host {
        let host = Host::new(name);
        host.run("ip", ["link", "set", "lo", "up"]);
        for (segment, address) in addresses {
            let number = self.ports.fetch_add(1, Ordering::Relaxed);
            let (port, pid) = (format!("port{number}"), host.holder.id().to_string());
            let inner = segment.bridge();
            let card = card(*address);
            let peer = ["peer", "name", inner, "address", &card, "netns", &pid];
            self.ip(&[&["link", "add", &port, "type", "veth"], &peer[..]].concat());
            self.ip(&["link", "set", &port, "master", segment.bridge(), "up"]);
            host.run("ip", ["address", "add", &format!("{address}/24"), "dev", inner]);
            host.run("ip", ["link", "set", inner, "up"]);
        }
        host
    }

    fn ip(&self, arguments: &[&str]) {
        let mut command = enter(&self.switch, &["--net"]);
        well(command.arg("ip").args(arguments));
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// A host; its folder goes with it.
#[derive(Debug)]
pub struct Host {
    holder: Process,
    folder: TempDir,
}

impl Host {
    fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("switchyard-host-{name}-")).tempdir();
        let folder = folder.expect("a folder for a host");
        for (own, _) in OWN {
            fs::create_dir(folder.path().join(own)).expect("a folder of a host");
        }
        // Users and services are the machine's: what is installed on it runs here.
        for file in ["passwd", "group", "services", "protocols", "nsswitch.conf", "postfix"] {
            let file = Path::new("/etc").join(file);
            if file.exists() {
                well(Command::new("cp").arg("-a").arg(file).arg(folder.path().join("etc")));
            }
        }
        let mounts: String = OWN.iter().map(|(own, place)| format!("mount --bind {own} {place}\n")).collect();
        let script = format!("hostname {name}\n{mounts}");
        let spaces = ["--net", "--mount", "--uts", "--propagation", "private"];
        Self { holder: hold(&spaces, &script, folder.path()), folder }
    }

    /// Where its own `etc`, `run` and `var` lie on this machine.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A program to be started on it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = enter(&self.holder, &["--net", "--mount", "--uts"]);
        command.arg(program);
        command
    }

    /// Runs a program on it to its end, which must be a good one.
    ///
    /// # Panics
    /// When it fails.
    pub fn run<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
        well(self.command(program).args(arguments))
    }

    /// Waits until somebody listens on this port of it.
    pub fn await_listener(&self, port: u16) {
        let port = format!(":{port}");
        expect::holds(&format!("a listener on {port}"), || {
            let sockets = self.run("ss", ["--listening", "--tcp", "--numeric", "--no-header"]);
            let local =
                |line: &str| line.split_whitespace().nth(3).is_some_and(|local| local.ends_with(&port));
            sockets.lines().any(local)
        });
    }

    /// Names this server of names in its `resolv.conf`.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[expect(clippy::disallowed_methods, reason = "a peer's settings need not survive a power cut")]
    pub fn asks(&self, server: IpAddr) {
        fs::write(self.folder().join("etc/resolv.conf"), format!("nameserver {server}\n"))
            .expect("a resolv.conf");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What a failed scenario leaves, its logs above all, is what one wants to read.
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
        }
    }
}

/// The hardware address that goes with an address: a host that is back is known to its neighbours at once.
fn card(address: IpAddr) -> String {
    let [a, b, c, d] = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => (u128::from(address) as u32).to_be_bytes(),
    };
    // Locally administered, and nobody's group.
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

/// What a host has of its own, and where it stands on it.
const OWN: [(&str, &str); 3] = [("etc", "/etc"), ("run", "/run"), ("var", "/var/lib")];

/// A process that holds new namespaces, once its script has prepared them.
fn hold(spaces: &[&str], script: &str, folder: &Path) -> Process {
    let mut command = Command::new("unshare");
    command.args(spaces).args(["sh", "-ec", &format!("{script}\necho ready\nexec sleep infinity")]);
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut process = Process::start(&mut command, Group::Ours);
    let mut line = String::new();
    let output = process.child().stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("a pipe can be read");
    assert_eq!(line, "ready\n", "namespaces cannot be made: {spaces:?}");
    process
}

fn enter(holder: &Process, spaces: &[&str]) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &holder.id().to_string()]).args(spaces);
    command
}

/// What a program says that ends well.
fn well(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().expect("a program of the system starts");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    assert!(status.success(), "{command:?}: {}{}", text(&stdout), text(&stderr));
    text(&stdout)
}
