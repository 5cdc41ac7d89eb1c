//! Who takes part: Postfix as Debian sets it up and the router as it sets itself up, each before a sink of its
//! own, both started once and resting while the other works.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use switchyard_tests::expect;
use switchyard_tests::peer::cgroup::Cgroup;
use switchyard_tests::peer::postfix::{Onward, Options, Postfix};
use switchyard_tests::peer::process::{Group, Process, command};
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::{free_address, greets, nexthop};
use tempfile::TempDir;

use super::report::Round;
use super::turn::{Load, take};

/// Everybody, running.
pub(crate) struct Relays {
    sink: Sink,
    postfix: Postfix,
    router: Router,
    // After those who run in them.
    postfix_cpu: Cgroup,
    router_cpu: Cgroup,
}

struct Router {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Relays {
    /// Starts them, with their spools on the same disk.
    pub(crate) fn start(router: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder for the spools");
        let cgroup = |name: &str| {
            Cgroup::new(name).expect("a control group to count CPU time in: the benchmark runs as root")
        };
        let (postfix_cpu, router_cpu) = (cgroup("postfix"), cgroup("router"));
        let sink = Sink::start(&[], None);
        let postfix = Postfix::start(&Options {
            parent: folder.to_owned(),
            cgroup: Some(&postfix_cpu),
            ..Options::new(Onward::Relay(sink.address()))
        });
        let router = start_router(router, folder, sink.address(), &router_cpu);
        Self { sink, postfix, router, postfix_cpu, router_cpu }
    }

    /// Everybody's turn, one after the other.
    pub(crate) fn round(&self, load: &Load) -> Round {
        let direct = take(load, self.sink.address(), &self.sink, None);
        let postfix = take(load, self.postfix.address(), &self.sink, Some(&self.postfix_cpu));
        let router = take(load, self.router.address, &self.sink, Some(&self.router_cpu));
        let again = take(load, self.router.address, &self.sink, Some(&self.router_cpu));
        Round { direct, postfix, router, again }
    }
}

/// A router that relays for the loopback, with its defaults for everything that matters.
fn start_router(program: &Path, parent: &Path, next_hop: SocketAddr, cgroup: &Cgroup) -> Router {
    let folder = tempfile::Builder::new()
        .prefix("switchyard-router-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .expect("a folder for the router");
    let (address, metrics) = (free_address(), free_address());
    let settings = format!(
        "host_name = \"router.example\"\n\
         [[listen.smtp]]\nsocket = \"{address}\"\n\
         [metrics]\nsocket = \"{metrics}\"\n\
         [log]\nformat = \"json\"\n\
         [relay]\nnetworks = [\"127.0.0.0/8\"]\n\
         [route]\nrelayhost = \"{}\"\n\
         [spool]\nfolder = \"{}\"\n",
        nexthop(next_hop),
        folder.path().join("spool").display(),
    );
    let file = folder.path().join("router.toml");
    File::create(&file)
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .expect("the router's settings");
    // Both keep a log in a file beside their spool.
    let log = folder.path().join("log");
    let log_file = File::create(&log).expect("a file for the router's log");
    let mut command = command(program, Some(cgroup));
    command.arg("--config").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log_file);
    let mut process = Process::start(&mut command, Group::Ours);
    expect::holds("a router that greets", || {
        assert!(process.runs(), "the router ended: {}", fs::read_to_string(&log).unwrap_or_default());
        greets(address)
    });
    Router { address, _process: process, _folder: folder }
}
