//! Hosts that the operator's tool restores: from the site's folder, a name, and nothing else.

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use switchyard_tests::network::{Host, Network, Segment};
use switchyard_tests::peer::process::{Group, Process};
use switchyard_tests::site::binary;
use switchyard_tests::tool::switchyard;

/// A host of the site, with its daemon.
#[derive(Debug)]
pub(crate) struct Raised {
    // In this order: the daemon ends before its host.
    _daemon: Process,
    host: Host,
    /// `mx`, `router`.
    daemon: String,
}

impl Raised {
    /// Lays a host down with what the tool makes of the site, and starts its daemon as its units would: sockets held
    /// for it, folders made for it.
    pub(crate) fn new(network: &Network, site: &Path, name: &str) -> Self {
        let rendered = tool(["render", path(site), "--host", name, "--json"]);
        let role = rendered["role"].as_str().expect("a role");
        let daemon = rendered["daemon"].as_str().expect("a daemon");
        let metrics = if daemon == "mx" { 9125 } else { 9126 };
        let host = network.host(name, &addresses(site, name));
        let etc = host.folder().join("etc/switchyard");
        tool(["render", path(site), "--host", name, "--into", path(&etc), "--json"]);
        for folder in ["run", "var"] {
            let folder = host.folder().join(folder).join(format!("switchyard-{daemon}"));
            fs::DirBuilder::new().mode(0o700).create(folder).expect("a folder of the daemon");
        }
        let mut command = host.command("systemd-socket-activate");
        command.args([
            "--listen=0.0.0.0:25",
            &format!("--listen=127.0.0.1:{metrics}"),
            "--fdname=smtp:metrics",
        ]);
        command.arg(binary::program(&format!("switchyard-{daemon}")));
        command.args(["--config", &format!("/etc/switchyard/{daemon}.toml")]);
        let log = File::create(host.folder().join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = Process::start(&mut command, Group::Ours);
        let raised = Self { _daemon: process, host, daemon: daemon.to_owned() };
        raised.host.await_listener(25);
        println!("{name} is up as {role}");
        raised
    }

    /// Its settings, as they lie on it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        files(&self.host.folder().join("etc/switchyard"))
    }

    /// Waits for its daemon, which its sockets start at the first connection.
    pub(crate) fn await_daemon(&self) {
        self.host.run("swaks", ["--server", "127.0.0.1:25", "--quit-after", "EHLO"]);
    }

    /// The file that they stand in.
    pub(crate) fn settings_file(&self) -> PathBuf {
        self.host.folder().join(format!("etc/switchyard/{}.toml", self.daemon))
    }

    /// Its daemon's control socket, as it is seen from outside.
    pub(crate) fn control(&self) -> String {
        let socket = format!("run/switchyard-{}/control.sock", self.daemon);
        path(&self.host.folder().join(socket)).to_owned()
    }

    /// What its daemon has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.host.folder().join("log")).unwrap_or_default()
    }
}

/// A host's addresses as `site.toml` has them, the site's own network by its first octet.
fn addresses(site: &Path, name: &str) -> Vec<(Segment, IpAddr)> {
    let text = fs::read_to_string(site.join("site.toml")).expect("a site");
    let (_, of_host) = text.split_once(&format!("name = \"{name}\"")).expect("a host of the site");
    let (_, list) = of_host.split_once("addresses = [").expect("addresses");
    let (list, _) = list.split_once(']').expect("a list");
    let address = |word: &str| {
        let address: IpAddr = word.trim().trim_matches('"').parse().expect("an address");
        (if address.to_string().starts_with("10.") { Segment::Inside } else { Segment::Outside }, address)
    };
    list.split(',').map(address).collect()
}

/// Each file with its text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![(
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                fs::read_to_string(&path).expect("a text"),
            )],
        })
        .collect();
    files.sort();
    files
}

fn tool<'a>(arguments: impl IntoIterator<Item = &'a str>) -> serde_json::Value {
    let told = switchyard(arguments);
    assert_eq!(told.code, Some(0), "{}", told.speech);
    told.json()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
