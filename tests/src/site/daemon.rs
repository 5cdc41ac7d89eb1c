//! One daemon as a child process, over any number of lives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::settings::Settings;
use super::{Site, binary, quoted};
use crate::expect;
use crate::peer::process::{Group, Process};
use crate::testimony;

/// A daemon that runs, or could.
#[derive(Debug)]
pub struct Daemon {
    program: PathBuf,
    /// What a scenario may change before the next start, or before [`Daemon::reload`].
    pub settings: Settings,
    /// Programs that start it, such as `prlimit --nofile=64`.
    pub wrapper: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    file: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    metrics: SocketAddr,
    /// The listening socket, where we hold it as systemd would.
    held: Option<TcpListener>,
    process: Option<Process>,
}

impl Daemon {
    pub(super) fn new(site: &Site, program: &str, name: &str, settings: Settings) -> Self {
        let address = |table| settings.text(table, "socket").and_then(|text| text.parse().ok());
        Self {
            program: binary::program(program),
            address: address("[listen.smtp]")
                .or_else(|| address("[listen.milter]"))
                .expect("settings name a socket to connect to"),
            metrics: address("metrics").expect("settings name a socket for metrics"),
            settings,
            wrapper: Vec::new(),
            environment: Vec::new(),
            file: site.path(format!("{name}.toml")),
            log: site.path(format!("{name}.log")),
            held: None,
            process: None,
        }
    }

    /// Where it speaks SMTP, or milter.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The settings file.
    #[must_use]
    pub fn file(&self) -> &PathBuf {
        &self.file
    }

    /// Holds its SMTP socket from now on, as a socket unit would: it stays open while the daemon changes.
    ///
    /// # Panics
    /// When the address cannot be bound.
    pub fn hold_socket(&mut self) {
        self.held = Some(TcpListener::bind(self.address).expect("the socket to hold"));
        self.settings.set("[listen.smtp]", "socket", &quoted("systemd:smtp"));
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// When it ends instead, with the end of its log.
    pub fn start(&mut self) {
        self.spawn();
        expect::holds(&format!("{} to be ready", self.program.display()), || {
            let runs = self.process.as_mut().is_some_and(Process::runs);
            assert!(runs, "{} ended:\n{}", self.program.display(), self.log_end());
            self.page("/readyz").is_ok_and(|page| page.starts_with("HTTP/1.1 200 "))
        });
    }

    /// Starts it, and waits for its end: for one that has a reason to refuse.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start_in_vain(&mut self) -> (ExitStatus, String) {
        self.spawn();
        let process = self.process.take();
        (process.expect("it was started").wait(), self.log())
    }

    fn spawn(&mut self) {
        self.write_settings();
        let mut command = Command::new("/bin/sh");
        // The program takes the shell's place, and so its process id: what sd_listen_fds(3) asks for. Our
        // standard input is the socket, since that is the one way to hand a descriptor on as the child's own.
        let script = match self.held {
            None => "exec \"$@\"",
            Some(_) => {
                "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_FDNAMES=smtp LISTEN_PID=$$; \
                 export LISTEN_FDS LISTEN_FDNAMES LISTEN_PID; exec \"$@\""
            }
        };
        command
            .args(["-c", script, "sh"])
            .args(&self.wrapper)
            .arg(&self.program)
            .arg("--config")
            .arg(&self.file);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(self.held.as_ref().map_or_else(Stdio::null, |held| {
            let socket: OwnedFd = held.try_clone().expect("one more descriptor").into();
            socket.into()
        }));
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        command.stdout(Stdio::null()).stderr(log.expect("a log file"));
        self.process = Some(Process::start(&mut command, Group::Ours));
    }

    /// Writes the settings as they are now.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_settings(&self) {
        let mut file = File::create(&self.file).expect("a settings file");
        file.write_all(self.settings.to_string().as_bytes()).expect("a settings file");
    }

    /// kill -9.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self) {
        let process = self.process.take();
        process.expect("it runs").kill();
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// When it does not run.
    pub fn terminate(&mut self) -> ExitStatus {
        let process = self.process.take();
        process.expect("it runs").terminate()
    }

    /// SIGHUP.
    ///
    /// # Panics
    /// When it does not run.
    pub fn reload(&self) {
        kill_process(self.pid(), Signal::HUP).expect("a running daemon");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::runs)
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> Pid {
        let id = self.process.as_ref().map(Process::id).and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).expect("it runs")
    }

    /// Resident memory now, in octets.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.running().resident()
    }

    /// What of [`Self::resident`] is its own: without the pages of its program and libraries, which depend on how it
    /// was built and on what the system reads ahead.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn resident_own(&self) -> u64 {
        self.running().status("RssAnon:")
    }

    /// CPU time that it has used, in all its threads.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.running().cpu()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    /// The sum of a metric over its labels; zero if it is not told.
    ///
    /// # Panics
    /// When the daemon does not answer.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.page("/metrics").expect("metrics of a running daemon");
        let samples = page.lines().filter_map(|line| line.strip_prefix(name));
        let values = samples.filter(|rest| rest.starts_with([' ', '{'])).filter_map(|rest| {
            let (_, value) = rest.rsplit_once(' ')?;
            value.parse::<f64>().ok()
        });
        values.sum()
    }

    /// One page of its metrics server.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn page(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.metrics, expect::PATIENCE)?;
        stream.set_read_timeout(Some(expect::PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.metrics)?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }

    /// All that it has logged, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map_or_else(|_| String::new(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// The last lines of it.
    #[must_use]
    pub fn log_end(&self) -> String {
        testimony::end(&self.log(), 20)
    }

    /// What it counts that is not nothing, of these families; with its words if it does not answer.
    fn counts(&self, families: &[String]) -> String {
        let page = self.page("/metrics").unwrap_or_else(|error| error.to_string());
        let is_meant = |line: &&str| {
            families.iter().any(|family| line.starts_with(family.as_str()))
                && !line.ends_with(" 0")
                && !line.contains("_bucket{")
        };
        page.lines().filter(is_meant).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let name = self.log.display().to_string();
        testimony::of(&name, || self.log());
        if self.runs() {
            let families =
                ["mx", "smtp", "queue", "deliver", "spool"].map(|room| format!("switchyard_{room}_"));
            testimony::of(&format!("{name}: its counts"), || self.counts(&families));
        }
    }
}
