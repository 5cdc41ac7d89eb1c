//! A whole site while mail goes through it: three hubs on etcd, two mx hosts and two routers with their agents. A route is
//! changed and pushed, and every message comes to one place or the other, once and whole.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use switchyard_tests::expect;
use switchyard_tests::peer::process::{Group, Process};
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::source::Source;
use switchyard_tests::site::binary;
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::write;

use super::cluster::{Cluster, HUBS, quoted};
use super::world::file;

/// Two of each, and what stands in their layers beside the addresses.
const HOSTS: [(&str, &str); 4] = [("mx1", "mx"), ("mx2", "mx"), ("router1", "router"), ("router2", "router")];
/// Messages of a batch; each has two recipients.
const BATCH: u32 = 40;

struct Host {
    name: &'static str,
    role: &'static str,
    smtp: SocketAddr,
    // The daemon ends before the agent.
    daemon: Option<Process>,
    agent: Option<Process>,
}

struct Yard {
    hosts: Vec<Host>,
    cluster: Cluster,
}

impl Yard {
    fn new(route: SocketAddr) -> Self {
        let cluster = Cluster::new();
        let host =
            |(name, role)| Host { name, role, smtp: cluster.site.free_address(), daemon: None, agent: None };
        let hosts = HOSTS.map(host).into();
        let mut yard = Self { hosts, cluster };
        yard.write_site();
        yard.write_route(route, &[]);
        yard.start();
        yard
    }

    fn write_site(&self) {
        let site = &self.cluster.site;
        for folder in ["live", "live/maps", "live/role", "live/host"] {
            fs::create_dir(site.path(folder)).expect("a folder");
        }
        let mut hosts = String::new();
        for host in &self.hosts {
            let name = host.name;
            hosts += &format!(
                "[[host]]\nname = \"{name}.example.org\"\nrole = \"{}\"\naddresses = [\"{}\"]\n",
                host.role,
                site.ip()
            );
            let mut layer = format!(
                "[[listen.smtp]]\nsocket = \"{}\"\n[metrics]\nsocket = \"{}\"\n[control]\nsocket = \"{}\"\n\
                 [dns]\nservers = [\"127.0.0.1:9\"]\n[log]\nformat = \"text\"\n",
                host.smtp,
                site.free_address(),
                // A daemon locks the folder of its socket while it starts: each has one of its own.
                site.path(format!("{name}-control/control.sock")).display()
            );
            if host.role == "router" {
                let spool = site.path(format!("{name}-spool"));
                layer += &format!("[spool]\nfolder = \"{}\"\nmax_size = \"128MiB\"\n", spool.display());
            }
            site.write(&format!("live/host/{name}.example.org.toml"), &layer);
        }
        site.write("live/site.toml", &format!("[facts]\norigin = \"example.org\"\n{hosts}"));
        let routers = self.hosts.iter().filter(|host| host.role == "router").map(|host| host.smtp);
        let pool: Vec<String> = routers.map(|smtp| format!("\"[{}]:{}\"", smtp.ip(), smtp.port())).collect();
        site.write(
            "live/role/mx.toml",
            &format!(
                "[routers]\npool = [{}]\ntls = \"none\"\n[limits]\nsessions_per_network = 0\n",
                pool.join(", ")
            ),
        );
        site.write(
            "live/role/router.toml",
            "[deliver]\ntls = \"none\"\n[spool]\nsegment_size = \"1MiB\"\nmin_free = \"1MiB\"\n",
        );
        site.write("live/maps/relay_domains", "example.org\n");
        site.write("live/maps/virtual_alias", "abuse@example.org postmaster@example.org\n");
    }

    /// Where all mail goes, and who there is beside those that smtp-source writes to.
    fn write_route(&self, to: SocketAddr, more: &[&str]) {
        let folder = self.cluster.site.path("live/maps");
        write(&folder.join("transport"), &format!("example.org smtp:[{}]:{}\n", to.ip(), to.port()));
        // smtp-source puts a number before the first of two.
        let all = ["postmaster", "alice", "2alice"].iter().chain(more);
        write(
            &folder.join("recipients"),
            &all.map(|name| format!("{name}@example.org\n")).collect::<String>(),
        );
    }

    fn start(&mut self) {
        let told = self.push(&["--no-release"]);
        assert_eq!(told.0, Some(0), "{}", told.1);
        let release = self.cluster.admin(None, &["release", "1"]);
        assert_eq!(release.code, Some(0), "{release:?}");
        let site = &self.cluster.site;
        let hubs = quoted(&self.cluster.addresses[..HUBS]);
        for Host { name, agent, .. } in &mut self.hosts {
            let uri = format!("URI:spiffe://live/agent/{name}.example.org,IP:{}", site.ip());
            self.cluster.certificates.add(name, &uri);
            site.write(
                &format!("agent-{name}.toml"),
                &format!(
                    "host_name = \"{name}.example.org\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [{hubs}]\n\
                     folder = \"{}\"\nlog.format = \"text\"\nmetrics.socket = \"{}\"\n\
                     [tls]\ncertificate = \"tls/{name}.pem\"\nkey = \"tls/{name}.key\"\nhub_ca = \"tls/authority.pem\"\n",
                    site.path(format!("set-{name}")).display(),
                    site.free_address()
                ),
            );
            let mut command = Command::new(binary::program("switchyard-mapsync"));
            command.args(["agent", "--config"]).arg(site.path(format!("agent-{name}.toml")));
            *agent =
                Some(started(command, File::create(site.path(format!("agent-{name}.log"))).expect("a log")));
        }
        for Host { name, role, smtp, daemon, .. } in &mut self.hosts {
            let settings = site.path(format!("set-{name}/current/{role}.toml"));
            expect::holds(&format!("{name} to have a set in use"), || settings.exists());
            let mut command = Command::new(binary::program(&format!("switchyard-{role}")));
            command.arg("--config").arg(settings);
            *daemon = Some(started(command, File::create(site.path(format!("{name}.log"))).expect("a log")));
            expect::holds(&format!("{name} to listen"), || TcpStream::connect(*smtp).is_ok());
        }
    }

    fn push(&self, more: &[&str]) -> (Option<i32>, String) {
        let live = file(&self.cluster.site, "live");
        let told = self.cluster.admin(None, &[&["push", live.as_str(), "--accept"], more].concat());
        (told.code, format!("{told:?}"))
    }

    /// Waits until every host says that there is somebody.
    fn await_word_of(&self, recipient: &str) {
        for (place, host) in self.hosts.iter().enumerate() {
            expect::holds(&format!("{} to go by it", host.name), || self.knows(place, recipient));
        }
    }

    /// Whether a host says that there is somebody.
    fn knows(&self, host: usize, recipient: &str) -> bool {
        let mut talk = Talk::hello(self.hosts[host].smtp);
        assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
        talk.say(&format!("RCPT TO:<{recipient}@example.org>")).code == 250
    }
}

fn started(mut command: Command, log: File) -> Process {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Process::start(&mut command, Group::Ours)
}

fn batch() -> Source {
    let options = vec!["-r".to_owned(), "2".to_owned()];
    Source { messages: BATCH, sessions: 4, length: 1024, options, ..Source::default() }
}

#[test]
fn a_route_changes_on_all_hosts_while_mail_flows() {
    let (old, new) = (Sink::start(&[], None), Sink::start(&[], None));
    let mut yard = Yard::new(old.address());
    let (sent, ends) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for front in [0, 1] {
            let (yard, sent, ends) = (&yard, &sent, &ends);
            scope.spawn(move || {
                while !ends.load(Ordering::Acquire) {
                    batch().send(yard.hosts[front].smtp);
                    sent.fetch_add(u64::from(BATCH), Ordering::AcqRel);
                }
            });
        }
        let pushed = || {
            expect::holds("mail by the old way", || old.messages() > 20);
            yard.write_route(new.address(), &["new"]);
            let start = Instant::now();
            let told = yard.push(&[]);
            let pushed = start.elapsed();
            assert_eq!(told.0, Some(0), "{}", told.1);
            yard.await_word_of("new");
            println!(
                "pushed in {pushed:.0?}; all four go by it {:.0?} after the push began",
                start.elapsed()
            );
            expect::holds("mail by the new way", || new.messages() > 20);
        };
        // Those who send end in any case.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(pushed));
        ends.store(true, Ordering::Release);
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
    let sent = sent.into_inner();
    expect::holds("every message to arrive", || old.messages() + new.messages() >= sent);
    // From here on nothing goes the old way.
    let by_old = old.messages();
    batch().send(yard.hosts[0].smtp);
    expect::holds("the last ones to arrive", || old.messages() + new.messages() >= sent + u64::from(BATCH));
    println!("{by_old} by the old way and {} by the new one", new.messages());
    assert_eq!(old.messages(), by_old);
    assert_eq!(by_old + new.messages(), sent + u64::from(BATCH), "none twice, none in two parts");

    // A hub that all of them hear dies, and what is pushed next comes by the others.
    yard.cluster.kill_hub(0);
    yard.write_route(new.address(), &["new", "newer"]);
    let start = Instant::now();
    let told = yard.push(&[]);
    assert_eq!(told.0, Some(0), "{}", told.1);
    yard.await_word_of("newer");
    println!("with a hub dead, all four go by it {:.0?} after the push began", start.elapsed());
}
