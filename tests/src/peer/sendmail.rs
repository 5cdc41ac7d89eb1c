//! A private Sendmail: unpacked beside Postfix, with which it cannot be installed, and with settings of a few lines.
//!
//! Mail of everybody for everybody goes through a filter, and on to one server. It runs as root in a name space where
//! the host has a whole name: without one it waits a minute for the DNS to know better.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use super::process::{Group, Process, command};
use super::{await_greeting, free_address, require};
use crate::corpus;

const UNSHARE: &str = "/usr/bin/unshare";

/// A running Sendmail.
#[derive(Debug)]
pub struct Sendmail {
    address: SocketAddr,
    // In this order: its processes end before the folder goes.
    _process: Process,
    folder: TempDir,
}

impl Sendmail {
    /// Starts one that asks the filter, and hands on to the server.
    ///
    /// # Panics
    /// When it is not there, or we are not root: it does not run otherwise.
    #[must_use]
    pub fn start(filter: SocketAddr, onward: SocketAddr) -> Self {
        require(UNSHARE);
        let program = corpus::folder().join("sendmail-bin/usr/libexec/sendmail/sendmail");
        assert!(program.exists(), "{} is not there: run `cargo xtask peers`", program.display());
        assert!(rustix::process::geteuid().is_root(), "Sendmail runs only as root");
        let folder =
            tempfile::Builder::new().prefix("switchyard-sendmail-").tempdir().expect("a folder for Sendmail");
        let address = free_address();
        let queue = folder.path().join("queue");
        fs::create_dir(&queue).expect("a folder for its queue");
        fs::set_permissions(&queue, Permissions::from_mode(0o700)).expect("the queue's mode");
        // Unpacked, it has the group of another program, and the system would not let it find its library.
        let copy = folder.path().join("sendmail");
        fs::copy(&program, &copy).expect("a copy of the program");
        fs::set_permissions(&copy, Permissions::from_mode(0o755)).expect("the program's mode");
        put(&folder.path().join("sendmail.cf"), &settings(folder.path(), address, filter, onward));
        let mut sendmail = command(UNSHARE, None);
        sendmail
            .args(["--uts", "sh", "-c", "hostname mta.example && exec \"$0\" -C \"$1\" -bD -X \"$2\""])
            .args([copy, folder.path().join("sendmail.cf"), folder.path().join("transcript")])
            .env("LD_LIBRARY_PATH", corpus::folder().join("libwrap0/usr/lib/x86_64-linux-gnu"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::start(&mut sendmail, Group::Ours);
        await_greeting(address);
        Self { address, _process: process, folder }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was said in its sessions so far.
    #[must_use]
    pub fn transcript(&self) -> String {
        let octets = fs::read(self.folder.path().join("transcript")).unwrap_or_default();
        String::from_utf8_lossy(&octets).into_owned()
    }
}

/// What its own macros would make for such a host, without what is not asked here.
fn settings(folder: &Path, address: SocketAddr, filter: SocketAddr, onward: SocketAddr) -> String {
    let folder = folder.display();
    let lines = [
        "V10/Berkeley",
        "Cwlocalhost mta.example",
        "Djmta.example",
        "DnMAILER-DAEMON",
        &format!("O QueueDirectory={folder}/queue"),
        &format!("O PidFile={folder}/pid"),
        &format!("O DaemonPortOptions=Name=MTA, Family=inet, Addr={}, Port={}", address.ip(), address.port()),
        "O DeliveryMode=i",
        "O HelpFile",
        "O Timeout.ident=0",
        "O SmtpGreetingMessage=$j",
        "O InputMailFilters=switchyard",
        "O Milter.macros.connect=j, _, {daemon_name}, {if_name}, {if_addr}",
        "O Milter.macros.envfrom=i, {auth_type}, {auth_authen}",
        &format!("Xswitchyard, S=inet:{}@{}, F=T, T=C:5s;S:10s;R:60s;E:60s", filter.port(), filter.ip()),
        "Troot daemon",
        // The first field that it has, as in its own settings: a filter's goes above what comes behind.
        "H?P?Return-Path: <$g>",
        "HReceived: from $s by $j id $i; $b",
        "H?D?Date: $a",
        "Scanonify=3",
        "R$*<$*>$*\t$@ $2",
        "Sparse=0",
        "R$*\t$#onward $@ there $: $1",
        "Sfinal=4",
        "Mlocal,\tP=/bin/false, F=lsDFM, A=false",
        "Mprog,\tP=/bin/false, F=lsDFM, A=false",
        &format!(
            "Monward,\tP=[IPC], F=mDFMuX, E=\\r\\n, L=990, T=DNS/RFC822/SMTP, A=TCP [{}] {}",
            onward.ip(),
            onward.port()
        ),
    ];
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test's settings need not survive a power cut")]
fn put(path: &Path, text: &str) {
    fs::write(path, text).expect("room for a file");
}
