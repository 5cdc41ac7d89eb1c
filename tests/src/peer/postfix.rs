//! A private Postfix: its own settings, queue and ports, beside the system's and without touching it.
//!
//! Debian's Postfix is run by its `master` as root; its daemons run as the user `postfix`, who must reach the
//! folder. What it takes goes on to a relay host, or into a Maildir.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::cgroup::Cgroup;
use super::process::{Group, Process, command};
use super::{await_greeting, free_address, nexthop, require};
use crate::network::Host;
use crate::testimony;

const MASTER: &str = "/usr/lib/postfix/sbin/master";
const POSTQUEUE: &str = "/usr/sbin/postqueue";

/// What becomes of mail that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// Handed on to this server.
    Relay(SocketAddr),
    /// Kept: every recipient of every domain has the same Maildir.
    Maildir,
}

/// How to run one.
#[derive(Debug)]
pub struct Options<'a> {
    /// What becomes of mail.
    pub onward: Onward,
    /// Its `myhostname`.
    pub host_name: &'a str,
    /// Lines for `main.cf`, in place of ours where they name the same.
    pub settings: &'a [(&'a str, &'a str)],
    /// The folder in which its own is made.
    pub parent: PathBuf,
    /// Where its CPU time is counted.
    pub cgroup: Option<&'a Cgroup>,
    /// The host it runs on, at port 25 of all its addresses; without one, this machine's loopback.
    pub host: Option<&'a Host>,
}

impl Options<'_> {
    /// The usual ones for mail that goes there.
    #[must_use]
    pub fn new(onward: Onward) -> Self {
        let parent = std::env::temp_dir();
        Self { onward, host_name: "postfix.example", settings: &[], parent, cgroup: None, host: None }
    }
}

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    address: SocketAddr,
    // In this order: its processes end before the folder goes.
    _process: Process,
    folder: TempDir,
}

impl Postfix {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed, or we are not root: Postfix does not run otherwise.
    #[must_use]
    pub fn start(options: &Options<'_>) -> Self {
        require(MASTER);
        assert!(rustix::process::geteuid().is_root(), "Postfix runs only as root");
        let folder = tempfile::Builder::new()
            .prefix("switchyard-postfix-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir_in(&options.parent)
            .expect("a folder for Postfix");
        let address = match options.host {
            Some(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 25)),
            None => free_address(),
        };
        lay_out(folder.path());
        put(&folder.path().join("etc/main.cf"), &main_cf(folder.path(), options));
        put(&folder.path().join("etc/master.cf"), &master_cf(address));
        let mut master = match options.host {
            Some(host) => host.command(MASTER),
            None => command(MASTER, options.cgroup),
        };
        master.arg("-s").arg("-c").arg(folder.path().join("etc"));
        master.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(&mut master, Group::Its);
        match options.host {
            Some(host) => host.await_listener(25),
            None => await_greeting(address),
        }
        Self { address, _process: process, folder }
    }

    /// Where its smtpd listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// How many messages it has in its Maildir.
    #[must_use]
    pub fn delivered(&self) -> usize {
        files(&self.folder.path().join("mail/inbox/new"))
    }

    /// The messages in its Maildir, with line ends and leading fields as Postfix stores them.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.folder.path().join("mail/inbox/new"));
        let paths = entries.into_iter().flatten().flatten().map(|entry| entry.path());
        paths.map(|path| fs::read(path).expect("a delivered message can be read")).collect()
    }

    /// How many messages are in its queue.
    #[must_use]
    pub fn queued(&self) -> usize {
        ["incoming", "active", "deferred", "hold"].map(|queue| files(&self.queue(queue))).iter().sum()
    }

    /// Has it try now what it keeps. It puts a message back for a minute that it finds locked by its own delivery of a
    /// moment ago, and looks for it again when other mail comes.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn flush(&self) {
        require(POSTQUEUE);
        let mut postqueue = Command::new(POSTQUEUE);
        let output = postqueue.arg("-c").arg(self.folder.path().join("etc")).arg("-f").output();
        let output = output.expect("postqueue starts");
        assert!(output.status.success(), "postqueue: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A socket of its daemons: `private/rewrite`.
    #[must_use]
    pub fn socket(&self, name: &str) -> PathBuf {
        self.queue(name)
    }

    fn queue(&self, name: &str) -> PathBuf {
        self.folder.path().join("queue").join(name)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        testimony::of("Postfix's log", || self.log());
        testimony::of("Postfix's queue", || {
            let count = |queue: &str| format!("{queue} {}", files(&self.queue(queue)));
            ["incoming", "active", "deferred", "hold"].map(count).join(", ")
        });
    }
}

/// The folders, with the owners and modes that `postfix set-permissions` would give them.
fn lay_out(folder: &Path) {
    let postfix = id("/etc/passwd", "postfix");
    let postdrop = id("/etc/group", "postdrop");
    let make = |path: &str, owner: Option<u32>, group: Option<u32>, mode: u32| {
        let path = folder.join(path);
        fs::create_dir(&path).expect("a folder of Postfix");
        chown(&path, owner, group).expect("root may give folders away");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("root may set modes");
    };
    for path in ["etc", "queue", "queue/pid"] {
        make(path, Some(0), None, 0o755);
    }
    make("data", Some(postfix), None, 0o700);
    make("mail", Some(id("/etc/passwd", "nobody")), None, 0o700);
    for name in ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private"] {
        make(&format!("queue/{name}"), Some(postfix), None, 0o700);
    }
    for name in ["saved", "trace"] {
        make(&format!("queue/{name}"), Some(postfix), None, 0o700);
    }
    make("queue/maildrop", Some(postfix), Some(postdrop), 0o730);
    make("queue/public", Some(postfix), Some(postdrop), 0o710);
}

/// A user's or group's number.
fn id(file: &str, name: &str) -> u32 {
    let text = fs::read_to_string(file).expect("the system's users and groups");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:"));
    let number = line.and_then(|rest| rest.split(':').next()).and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{file} has no {name}: is Postfix installed?"))
}

fn main_cf(folder: &Path, options: &Options<'_>) -> String {
    let folder = folder.display();
    let mut text = format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\n\
         data_directory = {folder}/data\n\
         command_directory = /usr/sbin\n\
         daemon_directory = /usr/lib/postfix/sbin\n\
         mail_owner = postfix\n\
         setgid_group = postdrop\n\
         maillog_file = {folder}/log\n\
         maillog_file_prefixes = {folder}\n\
         myhostname = {}\n\
         mydestination =\n\
         alias_maps =\n\
         alias_database =\n\
         local_recipient_maps =\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         disable_dns_lookups = yes\n\
         smtp_host_lookup = native\n\
         mynetworks = 127.0.0.0/8\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         smtpd_peername_lookup = no\n\
         smtpd_client_connection_count_limit = 0\n\
         message_size_limit = 104857600\n\
         mailbox_size_limit = 0\n\
         virtual_mailbox_limit = 0\n",
        options.host_name
    );
    let onward = match options.onward {
        Onward::Relay(address) => format!("relayhost = {}\n", nexthop(address)),
        Onward::Maildir => format!(
            "virtual_mailbox_domains = static:all\n\
             virtual_mailbox_base = {folder}/mail\n\
             virtual_mailbox_maps = static:inbox/\n\
             virtual_uid_maps = static:65534\n\
             virtual_gid_maps = static:65534\n"
        ),
    };
    text.push_str(&onward);
    // A setting that stands twice is warned of by every daemon as it starts; postlogd would wait for room in its
    // own socket to say so.
    let ours = |line: &&str| options.settings.iter().all(|(name, _)| line.split(" =").next() != Some(name));
    let mut text: String = text.lines().filter(ours).flat_map(|line| [line, "\n"]).collect();
    for (name, value) in options.settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

/// What Debian's own `master.cf` starts, unjailed, and smtpd on one address only.
fn master_cf(address: SocketAddr) -> String {
    format!(
        "{address} inet n - n - - smtpd\n\
         pickup unix n - n 60 1 pickup\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\n\
         flush unix n - n 1000? 0 flush\n\
         proxymap unix - - n - - proxymap\n\
         proxywrite unix - - n - 1 proxymap\n\
         smtp unix - - n - - smtp\n\
         relay unix - - n - - smtp\n\
         showq unix n - n - - showq\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         discard unix - - n - - discard\n\
         local unix - n n - - local\n\
         virtual unix - n n - - virtual\n\
         lmtp unix - - n - - lmtp\n\
         anvil unix - - n - 1 anvil\n\
         scache unix - - n - 1 scache\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}

/// How many files are below a folder; those that vanish while we look are gone.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[expect(clippy::disallowed_methods, reason = "a peer's settings need not survive a power cut")]
fn put(path: &Path, text: &str) {
    fs::write(path, text).expect("Postfix's settings can be written");
}
