//! smtp-sink: takes whatever comes and counts it.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::cgroup::Cgroup;
use super::process::{Group, Process, command};
use super::{await_greeting, free_address, require};

const PROGRAM: &str = "/usr/sbin/smtp-sink";

/// A running smtp-sink.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    counter: Arc<Counter>,
    _process: Process,
}

#[derive(Debug, Default)]
struct Counter {
    messages: AtomicU64,
    /// When the last message came; the lock is what waiters sleep on.
    last: Mutex<Option<Instant>>,
    came: Condvar,
}

impl Sink {
    /// Starts one, with more of its options if wanted (`-A 100`, `-r rcpt`, say).
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn start(options: &[&str], cgroup: Option<&Cgroup>) -> Self {
        require(PROGRAM);
        let address = free_address();
        let mut command = command(PROGRAM, cgroup);
        // As root it wants to be told who it shall be instead; it keeps nothing, so nobody will do.
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "nobody"]);
        }
        command.args(["-c", "-m", "2000"]).args(options).arg(address.to_string()).arg("4096");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start(&mut command, Group::Ours);
        let counter = Arc::new(Counter::default());
        let (pipe, heard) = (process.child().stdout.take(), Arc::clone(&counter));
        thread::spawn(move || heard.listen(pipe));
        await_greeting(address);
        Self { address, counter, _process: process }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Messages so far.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.counter.messages.load(Ordering::Acquire)
    }

    /// Waits until so many messages have come in all, and says when the last of them did.
    ///
    /// # Panics
    /// When they have not within `limit`.
    #[must_use]
    pub fn wait_for(&self, messages: u64, limit: Duration) -> Instant {
        let guard = self.counter.last.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |_: &mut Option<Instant>| self.messages() < messages;
        let waited = self.counter.came.wait_timeout_while(guard, limit, missing);
        let (last, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!outcome.timed_out(), "{} of {messages} messages came within {limit:?}", self.messages());
        last.unwrap_or_else(Instant::now)
    }
}

impl Counter {
    /// The running counter: `sess=3 quit=3 mesg=2`, each followed by a carriage return.
    fn listen(&self, pipe: Option<ChildStdout>) {
        let Some(mut pipe) = pipe else { return };
        let (mut buffer, mut line) = ([0; 4096], Vec::new());
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let now = Instant::now();
            for &byte in &buffer[..length] {
                if byte == b'\r' {
                    self.hear(&line, now);
                    line.clear();
                } else if line.len() < 100 {
                    line.push(byte);
                }
            }
        }
    }

    fn hear(&self, line: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(line);
        let count = text.split("mesg=").nth(1).and_then(|digits| digits.trim().parse().ok());
        if let Some(count) = count
            && count != self.messages.load(Ordering::Acquire)
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            self.messages.store(count, Ordering::Release);
            *last = Some(now);
            self.came.notify_all();
        }
    }
}
