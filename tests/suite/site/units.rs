//! The units of `systemd/`, read and played: sockets held, folders made, the program started; and what systemd itself
//! makes of them when they are enabled.

use std::fs::{self, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use switchyard_tests::network::Host;
use switchyard_tests::peer::process::{Group, Process};
use switchyard_tests::site::binary;
use tempfile::TempDir;

/// A service, as its file says it.
#[derive(Debug)]
pub(crate) struct Unit {
    service: String,
    /// The first stream of each of its sockets, and the name it is passed by.
    sockets: Vec<(String, String)>,
}

impl Unit {
    pub(crate) fn read(name: &str) -> Self {
        let service = fs::read_to_string(folder().join(name)).expect("a unit");
        let names = values(&service, "Sockets");
        let sockets = names.iter().flat_map(|names| names.split(' ')).map(|name| {
            let socket = fs::read_to_string(folder().join(name)).expect("a unit");
            let one = |key| values(&socket, key).first().cloned().expect("a value");
            (one("ListenStream"), one("FileDescriptorName"))
        });
        let sockets = sockets.collect();
        Self { service, sockets }
    }

    /// Starts it on a host; its log is the host's.
    pub(crate) fn start(&self, host: &Host) -> Process {
        for (key, folder) in [("RuntimeDirectory", "run"), ("StateDirectory", "var")] {
            for name in values(&self.service, key) {
                let made = fs::DirBuilder::new().mode(0o700).create(host.folder().join(folder).join(name));
                made.expect("a folder of the daemon");
            }
        }
        let line = values(&self.service, "ExecStart").remove(0);
        let mut words = line.split(' ');
        let program = Path::new(words.next().expect("a program")).file_name().expect("a name");
        let program = binary::program(program.to_str().expect("a plain name"));
        let mut command = if self.sockets.is_empty() {
            host.command(program)
        } else {
            let mut command = host.command("systemd-socket-activate");
            command.args(self.sockets.iter().map(|(stream, _)| format!("--listen={stream}")));
            let names: Vec<&str> = self.sockets.iter().map(|(_, name)| name.as_str()).collect();
            command.arg(format!("--fdname={}", names.join(":")));
            command.arg(program);
            command
        };
        command.args(words);
        let log = File::options().create(true).append(true).open(host.folder().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::start(&mut command, Group::Ours)
    }
}

/// The values of a key, in order.
fn values(unit: &str, key: &str) -> Vec<String> {
    let value = |line: &str| line.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
    unit.lines().filter_map(value).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd")
}

#[test]
fn every_daemon_of_a_site_starts_at_boot_once_its_unit_is_enabled() {
    let root = TempDir::with_prefix("switchyard-boot-").expect("a folder");
    let units = root.path().join("etc/systemd/system");
    fs::create_dir_all(&units).expect("a folder");
    for file in fs::read_dir(folder()).expect("the units").flatten().map(|entry| entry.path()) {
        if file.is_file() {
            fs::copy(&file, units.join(file.file_name().expect("a name"))).expect("room for a unit");
        }
    }
    let services = fs::read_dir(&units).expect("the units").flatten().map(|entry| entry.file_name());
    let services = services.map(|name| name.to_string_lossy().into_owned());
    let services: Vec<String> = services.filter(|name| name.ends_with(".service")).collect();
    assert!(services.len() >= 5, "{services:?}");
    for name in services {
        let mut enable = Command::new("systemctl");
        enable.arg("--root").arg(root.path()).args(["enable", &name]);
        let output = enable.output().expect("systemctl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let wants =
            |target: &str, unit: &str| units.join(format!("{target}.target.wants/{unit}")).is_symlink();
        assert!(wants("multi-user", &name), "{name}");
        let service = fs::read_to_string(folder().join(&name)).expect("a unit");
        for socket in values(&service, "Sockets").iter().flat_map(|names| names.split(' ')) {
            assert!(wants("sockets", socket), "{socket} of {name}");
        }
    }
}
