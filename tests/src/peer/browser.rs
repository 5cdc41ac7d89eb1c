//! Chromium without a window: it opens a page and runs it, and its title can be asked while it does.
//!
//! Chromium shows no certificate without a person who chooses one, so a small program of Python's stands between it and a
//! server that wants one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Group, Process};
use super::require;
use crate::expect;

const CHROMIUM: &str = "/usr/bin/chromium";
const PYTHON: &str = "/usr/bin/python3";
const MUTUAL: &str = include_str!("mutual.py");

/// A server that wants a certificate, for who has none.
#[derive(Debug)]
pub struct Mutual {
    address: SocketAddr,
    _process: Process,
}

/// An open page.
#[derive(Debug)]
pub struct Page {
    control: SocketAddr,
    // In this order: it ends before its folder goes.
    _process: Process,
    _folder: TempDir,
}

impl Mutual {
    /// Connects to a server with a certificate of a folder: `NAME.pem`, `NAME.key` and `authority.pem`.
    ///
    /// # Panics
    /// When Python is not installed.
    #[must_use]
    pub fn start(to: SocketAddr, tls: &Path, name: &str) -> Self {
        require(PYTHON);
        let mut command = Command::new(PYTHON);
        command.args(["-c", MUTUAL, &to.ip().to_string(), &to.port().to_string()]);
        command.arg(tls.join(format!("{name}.pem"))).arg(tls.join(format!("{name}.key")));
        command.arg(tls.join("authority.pem")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command, Group::Ours);
        let mut line = String::new();
        let said = process.child().stdout.take().expect("a pipe");
        BufReader::new(said).read_line(&mut line).expect("its port");
        let port = line.trim().parse().expect("its port");
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), _process: process }
    }

    /// Where it is asked in the clear.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks a question over a connection of its own: the whole answer, head and body.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it is there");
        stream.set_read_timeout(Some(expect::PATIENCE)).expect("a socket");
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: us\r\nConnection: close\r\n");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// The same, for an answer in JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, "");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        body.and_then(|body| serde_json::from_str(body).ok()).unwrap_or_else(|| panic!("no JSON: {answer}"))
    }
}

impl Page {
    /// Opens a page.
    ///
    /// # Panics
    /// When Chromium is not installed, or does not start.
    #[must_use]
    pub fn open(url: &str) -> Self {
        require(CHROMIUM);
        let folder = TempDir::new().expect("a folder");
        let mut command = Command::new(CHROMIUM);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--remote-debugging-port=0", "--disable-background-networking"]);
        command.arg(format!("--user-data-dir={}", folder.path().display())).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(&mut command, Group::Ours);
        let file = folder.path().join("DevToolsActivePort");
        let port = expect::until("chromium to start", || {
            std::fs::read_to_string(&file).ok()?.lines().next()?.parse::<u16>().ok()
        });
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { control, _process: process, _folder: folder }
    }

    /// What stands in its title now.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        let mut stream = TcpStream::connect(self.control).ok()?;
        stream.set_read_timeout(Some(expect::PATIENCE)).ok()?;
        write!(stream, "GET /json/list HTTP/1.1\r\nHost: {}\r\n\r\n", self.control).ok()?;
        // It leaves the connection open, so the length says where the answer ends.
        let mut stream = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let pages: Value = serde_json::from_slice(&body).ok()?;
        let page = pages.as_array()?.iter().find(|page| page["type"] == "page")?;
        page["title"].as_str().map(str::to_owned)
    }
}
