//! Whole hosts: agents and mx as the programs that are shipped, whose table of aliases changes. A host is live when its mx
//! answers by the new table.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::figures::{Figure, Times};
use super::ground::Ground;
use super::lines::Entries;
use crate::expect;
use crate::peer::process::{Group, Process};
use crate::site::quoted;
use crate::talk::Talk;

/// Our programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// switchyard-mapsync.
    pub mapsync: PathBuf,
    /// switchyard-mx.
    pub mx: PathBuf,
}

/// Pushes.
const ROUNDS: usize = 3;
/// How often a host is asked whether it goes by the new table: so much later it may be seen.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What each host asks of all tables, those of the router behind it among them, before it uses them.
const BEHAVIOUR: &str = "[[behaviour]]\nname = \"the postmaster is there\"\nrole = \"mx\"\n\
    from = \"ann@client.example\"\nto = \"postmaster@example.org\"\nreply = 250\n";

struct Host {
    /// The link that its agent moves, and where it led before the last push.
    current: PathBuf,
    before: PathBuf,
    smtp: SocketAddr,
    mx: Process,
    agent: Process,
    /// What the agent says.
    log: PathBuf,
}

/// So many hosts with a table of so many entries, of which one in a hundred changes.
///
/// # Panics
/// When something does not come to its end.
pub async fn whole_hosts(programs: &Programs, hosts: usize, entries: usize) -> Vec<Figure> {
    let ground = Ground::new(&programs.mapsync, 1);
    let names: Vec<String> = (0..hosts).map(|host| format!("mx{host}.example.org")).collect();
    let places: Vec<SocketAddr> = names.iter().map(|_| ground.free_address()).collect();
    let mut entries_of = Entries::new(entries);
    write_site(&ground, &names, &places);
    write_aliases(&ground, &entries_of, 0);
    let mut by = ground.admin(0).await;
    let head = ground.push(&mut by).await.expect("a push that is taken");
    ground.release(&mut by, head).await;
    let begin = |(name, smtp): (&String, &SocketAddr)| start(&ground, programs, name, *smtp);
    let mut hosts: Vec<Host> = names.iter().zip(&places).map(begin).collect();

    at_rest(&hosts, 1);
    let mut live = Times::default();
    // Of agents until they are live, of agents once they have come to rest, and of mx.
    let mut used = [Duration::ZERO; 3];
    for round in 1..=ROUNDS {
        entries_of.change();
        write_aliases(&ground, &entries_of, round);
        hosts.iter_mut().for_each(Host::look);
        let [agents_before, mx_before] = cpu(&hosts);
        let start = Instant::now();
        let head = ground.push(&mut by).await.expect("a push that is taken");
        ground.release(&mut by, head).await;
        let came: Vec<Instant> = thread::scope(|scope| {
            let looking = hosts.iter().map(|host| scope.spawn(move || await_alias(host, round)));
            let looking: Vec<_> = looking.collect();
            looking.into_iter().map(|looks| looks.join().expect("a host that goes by it")).collect()
        });
        live.add(start, &came);
        let [agents_live, _] = cpu(&hosts);
        at_rest(&hosts, round + 1);
        let [agents, mx] = cpu(&hosts);
        for (used, more) in
            used.iter_mut().zip([agents_live - agents_before, agents - agents_live, mx - mx_before])
        {
            *used += more;
        }
    }
    let pushes = (hosts.len() * ROUNDS) as f64;
    let [until_live, later, mx] = used.map(|used| used.as_secs_f64() * 1000.0 / pushes);
    let of = format!("1 % of {entries} entries, {} hosts with mx", names.len());
    vec![
        Figure::new(format!("{of}, pushed to live, p50"), live.percentile(50) / 1000.0, "s"),
        Figure::new(format!("{of}, pushed to live, p99"), live.percentile(99) / 1000.0, "s").at_most(2.0),
        Figure::new(format!("{of}, agent's CPU until all are live, a host"), until_live, "ms"),
        Figure::new(format!("{of}, agent's CPU from then until it rests, a host"), later, "ms"),
        Figure::new(format!("{of}, mx's CPU, a host"), mx, "ms"),
    ]
}

/// Waits until all hosts have no more to do for so many sets: what that takes is counted, and keeps no later push waiting.
fn at_rest(hosts: &[Host], sets: usize) {
    for Host { log, smtp, .. } in hosts {
        let settled =
            || fs::read_to_string(log).is_ok_and(|log| log.matches("a set has settled").count() >= sets);
        expect::holds(&format!("{smtp} to rest"), settled);
    }
}

/// CPU time that all agents have used, and all mx.
fn cpu(hosts: &[Host]) -> [Duration; 2] {
    let all = |of: fn(&Host) -> &Process| hosts.iter().map(|host| of(host).cpu()).sum();
    [all(|host| &host.agent), all(|host| &host.mx)]
}

impl Host {
    /// The set in use.
    fn set(&self) -> PathBuf {
        fs::read_link(&self.current).expect("a link to a set")
    }

    fn look(&mut self) {
        self.before = self.set();
    }
}

/// Waits until an mx knows the alias of this round. It is not asked before its agent has put another set in use: to
/// answer so many sessions would cost it more than to take the set.
fn await_alias(host: &Host, round: usize) -> Instant {
    let end = Instant::now() + expect::PATIENCE;
    let waits = |what: &str| {
        assert!(Instant::now() < end, "{}: {what} of round {round}", host.smtp);
        thread::sleep(LOOK_EVERY);
    };
    while host.set() == host.before {
        waits("no set");
    }
    loop {
        let mut talk = Talk::hello(host.smtp);
        assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
        if talk.say(&format!("RCPT TO:<alias{round}@example.org>")).code == 250 {
            return Instant::now();
        }
        waits("no alias");
    }
}

fn write_aliases(ground: &Ground, entries: &Entries, round: usize) {
    // In the order of their octets before all entries, whose keys begin with "user".
    let alias = format!("alias{round}@example.org\tpostmaster@example.org\n");
    ground.write("live/maps/virtual_alias", (alias + &entries.text()).as_bytes());
}

fn write_site(ground: &Ground, names: &[String], places: &[SocketAddr]) {
    for folder in ["live/maps", "live/host", "live/behaviours"] {
        fs::create_dir(ground.path(folder)).expect("a folder");
    }
    let ip = ground.free_address().ip();
    let host = |name: &str, role: &str| {
        format!("[[host]]\nname = \"{name}\"\nrole = \"{role}\"\naddresses = [\"{ip}\"]\n")
    };
    let all: String = names.iter().map(|name| host(name, "mx")).collect();
    let site = format!("[facts]\norigin = \"example.org\"\n{all}{}", host("router1.example.org", "router"));
    ground.write("live/site.toml", site.as_bytes());
    for (name, smtp) in names.iter().zip(places) {
        let layer = format!(
            "[[listen.smtp]]\nsocket = \"{smtp}\"\n[metrics]\nsocket = \"{}\"\n[control]\nsocket = {}\n\
             [dns]\nservers = [\"127.0.0.1:9\"]\n[limits]\nsessions_per_network = 0\n",
            ground.free_address(),
            quoted(ground.path(&format!("{name}.sock")).display()),
        );
        ground.write(&format!("live/host/{name}.toml"), layer.as_bytes());
    }
    ground.write("live/behaviours/mx.toml", BEHAVIOUR.as_bytes());
    ground.write("live/maps/relay_domains", b"example.org\n");
    ground.write("live/maps/recipients", b"postmaster@example.org\n");
    ground.write("live/maps/transport", b"example.org smtp:[127.0.0.1]\n");
}

fn start(ground: &Ground, programs: &Programs, name: &str, smtp: SocketAddr) -> Host {
    ground.certificate(&format!("spiffe://live/agent/{name}"), name);
    let settings = format!(
        "host_name = \"{name}\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [\"{}\"]\nfolder = {}\n\
         metrics.socket = \"{}\"\n\
         [tls]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\nhub_ca = \"authority.pem\"\n",
        ground.addresses()[0],
        quoted(ground.path(&format!("set-{name}")).display()),
        ground.free_address(),
    );
    ground.write(&format!("agent-{name}.toml"), settings.as_bytes());
    let run = |program: &Path, words: &[&str], settings: &Path, log: &str| {
        let log = File::create(ground.path(&format!("{log}-{name}.log"))).expect("a log");
        let mut command = Command::new(program);
        command.args(words).arg(settings).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::start(&mut command, Group::Ours)
    };
    let agent = ground.path(&format!("agent-{name}.toml"));
    let agent = run(&programs.mapsync, &["agent", "--config"], &agent, "agent");
    let current = ground.path(&format!("set-{name}/current"));
    let settings = current.join("mx.toml");
    expect::holds(&format!("{name} to have a set in use"), || settings.exists());
    let mx = run(&programs.mx, &["--config"], &settings, "mx");
    expect::holds(&format!("{name} to listen"), || TcpStream::connect(smtp).is_ok());
    let log = ground.path(&format!("agent-{name}.log"));
    Host { current, before: PathBuf::new(), smtp, mx, agent, log }
}
