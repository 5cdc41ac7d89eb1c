//! `switchyard up` as a child process, in a folder and on ports of its own: what a person sees who tries the
//! suite for the first time.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::expect;
use crate::peer::await_greeting;
use crate::peer::process::{Group, Process};
use crate::site::binary;

/// A whole site, as a person starts it.
#[derive(Debug)]
pub struct Up {
    base: u16,
    process: Process,
    folder: TempDir,
}

/// Offsets from the base: mx, router, mailbox, the metrics of the first two and of the filters beside them.
const OFFSETS: [u16; 7] = [0, 1, 2, 10, 11, 12, 13];

impl Up {
    /// Starts one, and waits until it greets.
    ///
    /// # Panics
    /// When it ends instead, with what it said.
    #[must_use]
    pub fn start() -> Self {
        Self::start_in(TempDir::with_prefix("switchyard-up-").expect("a folder for the site"))
    }

    /// Ends it by Ctrl-C and starts it in the same folder, with all that was edited there.
    ///
    /// # Panics
    /// When it does not end well, or not start again.
    #[must_use]
    pub fn again(self) -> Self {
        self.stop().start()
    }

    /// Ends it by Ctrl-C; its folder stays.
    ///
    /// # Panics
    /// When it does not end well.
    #[must_use]
    pub fn stop(self) -> Stopped {
        let Self { process, folder, .. } = self;
        assert!(interrupt(process).success());
        Stopped(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        let base = free_base();
        let log = File::create(folder.path().join("log")).expect("a log file");
        let mut command = Command::new(binary::program("switchyard"));
        command.arg("up").arg("--dir").arg(folder.path()).arg("--port-base").arg(base.to_string());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("one more descriptor")).stderr(log);
        let mut up = Self { base, process: Process::start(&mut command, Group::Ours), folder };
        expect::holds("the site to listen", || {
            assert!(up.process.runs(), "switchyard up ended:\n{}", up.log());
            std::net::TcpStream::connect(up.mx()).is_ok()
        });
        await_greeting(up.mx());
        up
    }

    /// Where the mx listens.
    #[must_use]
    pub fn mx(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base))
    }

    /// Where the router listens.
    #[must_use]
    pub fn router(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base + 1))
    }

    /// Where `mx` or `router` answers the operator's tool.
    #[must_use]
    pub fn control(&self, daemon: &str) -> PathBuf {
        self.folder.path().join("run").join(daemon).with_extension("sock")
    }

    /// The example site's folder.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.folder.path().join("site")
    }

    /// A map of the example site.
    #[must_use]
    pub fn map(&self, name: &str) -> PathBuf {
        self.folder.path().join("site/maps").join(name)
    }

    /// Changes a map as an editor does.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn edit(&self, name: &str, text: &str) {
        let mut file = File::create(self.map(name)).expect("a map to write");
        file.write_all(text.as_bytes()).expect("room for a map");
    }

    /// The folder of all Maildirs.
    #[must_use]
    pub fn mail_folder(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// The messages in somebody's Maildir.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn mail(&self, mailbox: &str) -> Vec<Vec<u8>> {
        let maildir = self.mail_folder().join(mailbox).join("new");
        let mut paths = files(&maildir);
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("a delivered message")).collect()
    }

    /// All that it has said and logged.
    #[must_use]
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Ctrl-C, and waits for the end.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn interrupt(self) -> ExitStatus {
        interrupt(self.process)
    }
}

/// What a site that ended has left.
#[derive(Debug)]
pub struct Stopped(TempDir);

impl Stopped {
    /// Starts it again, with all that was edited there.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(self) -> Up {
        Up::start_in(self.0)
    }
}

fn interrupt(mut process: Process) -> ExitStatus {
    let pid = i32::try_from(process.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    process.wait()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// A base whose ports are all free at the moment.
fn free_base() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let seed = std::process::id().wrapping_mul(31).wrapping_add(now / 1000);
    // Below the ports that the system gives to clients.
    let mut bases = (0..1000).map(|step| 12_000 + (seed.wrapping_add(step * 37) % 18_000) as u16);
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    bases.find(|base| OFFSETS.iter().all(|offset| free(base + offset))).expect("free ports for a site")
}
