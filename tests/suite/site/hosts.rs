//! Hosts that the operator's tool restores: from the site's folder, a name, and nothing else but secrets, which are
//! in no site's folder.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use switchyard_tests::network::{Host, Network, Segment};
use switchyard_tests::peer::process::Process;
use switchyard_tests::tool::switchyard;

use super::units::Unit;

/// A host of the site, with its daemons.
#[derive(Debug)]
pub(crate) struct Raised {
    // In this order: daemons end before their host.
    _daemons: Vec<Process>,
    host: Host,
    /// `mx`, `router`, `hub`: the one of its role.
    daemon: String,
}

impl Raised {
    /// Lays a host down with what the tool makes of the site, and starts its daemons as their units would.
    pub(crate) fn new(network: &Network, site: &Path, name: &str) -> Self {
        Self::with(network, site, name, None)
    }

    /// The same; what is in the folder of secrets lies in its `/etc/switchyard` too, as if a person had put it there.
    pub(crate) fn with(network: &Network, site: &Path, name: &str, secrets: Option<&Path>) -> Self {
        let rendered = tool(["render", path(site), "--host", name, "--json"]);
        let role = rendered["role"].as_str().expect("a role");
        let daemon = rendered["daemon"].as_str().expect("a daemon");
        let host = network.host(name, &addresses(site, name));
        let etc = host.folder().join("etc/switchyard");
        let made = tool(["render", path(site), "--host", name, "--into", path(&etc), "--json"]);
        if let Some(secrets) = secrets {
            let copied = Command::new("cp").arg("-a").arg(secrets.join(".")).arg(&etc).status();
            assert!(copied.expect("cp starts").success());
        }
        let units = made.as_array().expect("a list").iter().map(|one| one["unit"].as_str().expect("a unit"));
        let units: Vec<Unit> = units.map(Unit::read).collect();
        let daemons = units.iter().map(|unit| unit.start(&host)).collect();
        let raised = Self { _daemons: daemons, host, daemon: daemon.to_owned() };
        raised.host.await_listener(if daemon == "hub" { 8443 } else { 25 });
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

    /// What its daemons have logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.host.folder().join("log")).unwrap_or_default()
    }

    /// The machine itself.
    pub(crate) const fn host(&self) -> &Host {
        &self.host
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
