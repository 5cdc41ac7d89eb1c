//! What stands between a hub and those who ask it, sees each request, and spoils one when it is told to.
//!
//! Connections are encrypted and shown certificates for on both sides, so it has those of both: a small program of Python's.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::process::{Group, Process};
use super::require;
use crate::tool::write;

const PYTHON: &str = "/usr/bin/python3";
const BETWEEN: &str = include_str!("between.py");

/// A hub's double.
#[derive(Debug)]
pub struct Between {
    orders: PathBuf,
    asked: Arc<Mutex<Vec<Request>>>,
    _process: Process,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// When, in seconds of a clock that only rises.
    pub at: f64,
    /// Method and path.
    pub line: String,
}

/// What it does with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoil {
    /// The hub does what is asked, and its answer comes to nobody.
    Lose,
    /// The hub never hears of it.
    Drop,
    /// As [`Spoil::Lose`], and from then on nobody is there.
    Die,
}

impl Between {
    /// Listens at an address, and asks the hub at another one, by certificates of a folder: to those who come it is
    /// `server`, and to the hub `client`.
    ///
    /// # Panics
    /// When Python is not installed.
    #[must_use]
    pub fn start(at: SocketAddr, hub: SocketAddr, tls: &Path, server: &str, client: &str) -> Self {
        require(PYTHON);
        let orders = tls.join(format!("between-{}", at.port()));
        write(&orders, "");
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-c", BETWEEN]);
        for address in [at, hub] {
            command.arg(address.ip().to_string()).arg(address.port().to_string());
        }
        command.arg(tls).args([server, client]).arg(&orders);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, Group::Ours);
        let mut lines = BufReader::new(process.child().stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("ready"));
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let to = Arc::clone(&asked);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let (at, line) = line.split_once(' ').expect("a time and a request");
                let request = Request { at: at.parse().expect("a time"), line: line.to_owned() };
                to.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            }
        });
        Self { orders, asked, _process: process }
    }

    /// The next request that begins so is spoiled.
    ///
    /// # Panics
    /// When there is no room for orders.
    pub fn spoil(&self, how: Spoil, request: &str) {
        let how = match how {
            Spoil::Lose => "lose",
            Spoil::Drop => "drop",
            Spoil::Die => "die",
        };
        self.order(&format!("{how} {request}"));
    }

    /// Everybody is told that the hub is busy; or not any more.
    ///
    /// # Panics
    /// When there is no room for orders.
    pub fn set_busy(&self, is_busy: bool) {
        self.order(if is_busy { "busy" } else { "" });
    }

    fn order(&self, order: &str) {
        // Whole or not at all: it is read at any time.
        let next = self.orders.with_extension("next");
        write(&next, order);
        fs::rename(&next, &self.orders).expect("room for orders");
    }

    /// All requests so far that begin so.
    #[must_use]
    pub fn asked(&self, start: &str) -> Vec<Request> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|request| request.line.starts_with(start)).cloned().collect()
    }
}
