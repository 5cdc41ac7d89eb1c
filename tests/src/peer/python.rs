//! Python's mail software: aiosmtpd as a server that keeps every byte, smtplib as a client.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Group, Process};
use super::require;
use crate::expect;

/// Debian's, which sees Debian's aiosmtpd.
const PYTHON: &str = "/usr/bin/python3";

const SERVER: &str = include_str!("aiosmtpd.py");
const CLIENT: &str = include_str!("smtplib.py");

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// SMTP.
    Smtp,
    /// LMTP: an answer for each recipient.
    Lmtp,
}

/// How an aiosmtpd behaves.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Certificate and key (PEM files), to offer STARTTLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Recipients that get 550.
    pub refuse: Vec<String>,
    /// Recipients that get 451.
    pub defer: Vec<String>,
}

/// A running aiosmtpd.
#[derive(Debug)]
pub struct Aiosmtpd {
    address: SocketAddr,
    _process: Process,
    folder: TempDir,
}

/// A message as it came off the wire, without dot stuffing and with its line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Envelope sender; empty for the null reverse-path.
    pub reverse_path: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// Parameters of MAIL.
    pub parameters: Vec<String>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Every byte.
    pub content: Vec<u8>,
}

impl Aiosmtpd {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start(protocol: Protocol, behaviour: &Behaviour) -> Self {
        require(PYTHON);
        let folder = TempDir::new().expect("a folder for aiosmtpd");
        let mut options = json!({"refuse": behaviour.refuse, "defer": behaviour.defer});
        if let Some((certificate, key)) = &behaviour.tls {
            options["certificate"] = json!(certificate);
            options["key"] = json!(key);
        }
        let kind = match protocol {
            Protocol::Smtp => "smtp",
            Protocol::Lmtp => "lmtp",
        };
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-c", SERVER, kind]).arg(folder.path()).arg(options.to_string());
        let mut process = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()), Group::Ours);
        let pipe = process.child().stdout.take().expect("its output is a pipe");
        let mut line = String::new();
        BufReader::new(pipe).read_line(&mut line).expect("aiosmtpd says its port");
        let port = line.trim().parse().expect("aiosmtpd says its port: is it installed?");
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), _process: process, folder }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many messages it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.names().len()
    }

    /// Waits until it has so many, and hands them over in the order they came.
    ///
    /// # Panics
    /// When they do not come, or one cannot be read.
    #[must_use]
    pub fn wait_for(&self, messages: usize) -> Vec<Kept> {
        expect::holds(&format!("{messages} messages at aiosmtpd"), || self.count() >= messages);
        self.kept()
    }

    /// What it has, in the order it came.
    ///
    /// # Panics
    /// When a message cannot be read.
    #[must_use]
    pub fn kept(&self) -> Vec<Kept> {
        self.names().iter().map(|path| read(path)).collect()
    }

    fn names(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("its folder is there");
        let paths = entries.flatten().map(|entry| entry.path());
        let mut names: Vec<_> =
            paths.filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
        names.sort();
        names
    }
}

fn read(path: &Path) -> Kept {
    let content = fs::read(path).expect("a kept message");
    let facts = fs::read_to_string(path.with_extension("json")).expect("its envelope");
    let facts: Value = serde_json::from_str(&facts).expect("its envelope as JSON");
    let words = |key: &str| -> Vec<String> {
        let list = facts[key].as_array().into_iter().flatten();
        list.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    Kept {
        reverse_path: facts["reverse_path"].as_str().unwrap_or_default().to_owned(),
        recipients: words("recipients"),
        parameters: words("parameters"),
        tls: facts["tls"] == true,
        content,
    }
}

/// A session of Python's smtplib.
#[derive(Debug, Clone)]
pub struct Smtplib {
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// Parameters of MAIL, `BODY=8BITMIME` say.
    pub parameters: Vec<String>,
    /// Whether it asks for TLS, without looking at the certificate.
    pub starttls: bool,
    /// What it speaks.
    pub protocol: Protocol,
}

impl Default for Smtplib {
    fn default() -> Self {
        Self {
            from: "python@client.example".into(),
            to: vec!["alice@example.org".into()],
            parameters: Vec::new(),
            starttls: false,
            protocol: Protocol::Smtp,
        }
    }
}

impl Smtplib {
    /// Sends messages with CR LF line ends one after the other, and says what the server answered to each:
    /// code and text; code 0 when it broke the connection, after which a new one is made.
    ///
    /// # Panics
    /// When no session comes to be.
    #[must_use]
    pub fn send(&self, server: SocketAddr, messages: &[&[u8]]) -> Vec<(u16, String)> {
        require(PYTHON);
        let folder = TempDir::new().expect("a folder for messages");
        let files: Vec<PathBuf> = messages
            .iter()
            .enumerate()
            .map(|(number, message)| {
                let path = folder.path().join(format!("{number}.eml"));
                put(&path, message);
                path
            })
            .collect();
        let what = json!({
            "from": self.from, "to": self.to, "files": files, "parameters": self.parameters,
            "starttls": self.starttls, "lmtp": self.protocol == Protocol::Lmtp,
        });
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-c", CLIENT, &server.ip().to_string(), &server.port().to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let mut input = child.stdin.take().expect("its input is a pipe");
        input.write_all(what.to_string().as_bytes()).expect("python reads what to send");
        drop(input);
        let output = child.wait_with_output().expect("python ends");
        assert!(output.status.success(), "smtplib: {}", output.status);
        String::from_utf8_lossy(&output.stdout).lines().filter_map(answer).collect()
    }
}

fn answer(line: &str) -> Option<(u16, String)> {
    let (code, text) = line.split_once(' ')?;
    Some((code.parse().ok()?, text.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "what a peer shall send need not survive a power cut")]
fn put(path: &Path, message: &[u8]) {
    fs::write(path, message).expect("a message can be written");
}
