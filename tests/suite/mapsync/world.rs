//! A hub, an mx with its agent, and an admin with keys and a site.

mod files;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use switchyard_tests::expect;
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::peer::process::{Group, Process};
use switchyard_tests::site::{Site, binary};
use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Running, Told, begin, switchyard, write};

use super::credentials::{make_certificates, make_keys};

pub(crate) const HOST: &str = "mx1.example.org";

/// How long a push may look on before a scenario gives it up.
const PUSH: Duration = Duration::from_secs(150);

pub(crate) struct World {
    // Daemons end before the folder that they run in.
    mx: Option<Process>,
    agent: Option<Process>,
    hub: Option<Process>,
    pub(crate) site: Site,
    pub(crate) certificates: Certificates,
    pub(crate) hub_address: SocketAddr,
    pub(crate) mx_address: SocketAddr,
    /// Of daemons that are started next.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// Where the agent tells its metrics.
    agent_metrics: SocketAddr,
}

impl World {
    /// Keys, certificates, settings and a site; the hub runs.
    pub(crate) fn new() -> Self {
        Self::with_hub("")
    }

    /// The same, with more settings of the hub.
    pub(crate) fn with_hub(more: &str) -> Self {
        let site = Site::new();
        let (hub_address, mx_address) = (site.free_address(), site.free_address());
        let agent_metrics = site.free_address();
        let certificates = make_certificates(&site);
        let (mx, agent, hub) = (None, None, None);
        let environment = Vec::new();
        let world =
            Self { mx, agent, hub, site, certificates, hub_address, mx_address, environment, agent_metrics };
        make_keys(&world.site);
        world.write_settings(more);
        world.write_site();
        let mut world = world;
        world.start_hub();
        world
    }

    /// A host that goes by generation 1, with these recipients: its mx runs, and the hub knows it.
    pub(crate) fn on_the_first(more_of_hub: &str, recipients: &str) -> Self {
        Self::with_hub(more_of_hub).with_first(recipients)
    }

    /// The same, of a world that stands.
    pub(crate) fn with_first(mut self, recipients: &str) -> Self {
        self.write_recipients(recipients);
        assert_eq!(self.push(&[]).code, Some(0));
        self.start_agent();
        expect::holds("generation 1 in use", || self.in_use() == Some(1));
        self.start_mx();
        expect::holds("the hub to know the host", || self.admin(&["fleet"]).data.contains("uses    1"));
        self
    }

    pub(crate) fn start_hub(&mut self) {
        self.hub = Some(self.start("switchyard-mapsync", &["hub", "--config"], "hub.toml"));
        let hub = self.hub_address;
        expect::holds("the hub to listen", || TcpStream::connect(hub).is_ok());
    }

    pub(crate) fn start_agent(&mut self) {
        self.agent = Some(self.start("switchyard-mapsync", &["agent", "--config"], "agent.toml"));
    }

    /// The daemon, by what the agent has put in use.
    pub(crate) fn start_mx(&mut self) {
        self.mx = Some(self.start("switchyard-mx", &["--config"], "agent/current/mx.toml"));
        let mx = self.mx_address;
        expect::holds("the mx to listen", || TcpStream::connect(mx).is_ok());
    }

    pub(crate) fn kill_agent(&mut self) {
        self.agent.take().expect("it runs").kill();
    }

    /// The mx dies, as if by a fault of its own; who looked after it knows.
    pub(crate) fn kill_mx(&mut self) {
        expect::holds("the agent to see the mx", || self.metric("daemon_seen") == Some(1));
        let deaths = self.metric("daemon_deaths_total");
        self.mx.take().expect("it runs").kill();
        expect::holds("the agent to see it die", || self.metric("daemon_deaths_total") > deaths);
    }

    /// The mx dies while nobody looks after it.
    pub(crate) fn kill_mx_alone(&mut self) {
        self.mx.take().expect("it runs").kill();
    }

    /// A number that the agent tells of itself; labels stand in it as they are told.
    pub(crate) fn metric(&self, name: &str) -> Option<u64> {
        let mut stream = TcpStream::connect(self.agent_metrics).ok()?;
        stream.set_read_timeout(Some(expect::PATIENCE)).ok()?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").ok()?;
        let mut page = String::new();
        stream.read_to_string(&mut page).ok()?;
        let start = format!("switchyard_mapsync_agent_{name} ");
        page.lines().find_map(|line| line.strip_prefix(&start))?.parse().ok()
    }

    pub(crate) fn kill_hub(&mut self) {
        self.hub.take().expect("it runs").kill();
    }

    pub(crate) fn hub(&self) -> SocketAddr {
        self.hub_address
    }

    /// The agent that is started next hears its hub through another address, which is told.
    pub(crate) fn hear_through(&self) -> SocketAddr {
        let between = self.site.free_address();
        let settings = self.log("agent.toml").replace(&self.hub_address.to_string(), &between.to_string());
        write(&self.site.path("agent.toml"), &settings);
        between
    }

    /// What the hub keeps, as it is now.
    pub(crate) fn copy_of_hub(&mut self) -> PathBuf {
        let copy = self.site.path("hub.copy");
        self.kill_hub();
        copy_folder(&self.site.path("hub"), &copy);
        self.start_hub();
        copy
    }

    /// The hub has what it had, and nothing that came later.
    pub(crate) fn put_hub_back(&mut self, copy: &Path) {
        self.kill_hub();
        fs::remove_dir_all(self.site.path("hub")).expect("what it keeps");
        copy_folder(copy, &self.site.path("hub"));
        self.start_hub();
    }

    /// The hub has nothing any more.
    pub(crate) fn empty_hub(&mut self) {
        self.kill_hub();
        fs::remove_dir_all(self.site.path("hub")).expect("what it keeps");
        self.start_hub();
    }

    /// A daemon, whose log is beside its settings.
    pub(crate) fn start(&self, program: &str, words: &[&str], settings: &str) -> Process {
        let name = settings.rsplit('/').next().unwrap_or(settings).replace("toml", "log");
        let log = File::options().create(true).append(true).open(self.site.path(name)).expect("a log");
        let mut command = Command::new(binary::program(program));
        command.args(words).arg(self.site.path(settings)).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Process::start(&mut command, Group::Ours)
    }

    /// A verb of the admin's, with the admin's settings.
    pub(crate) fn admin(&self, words: &[&str]) -> Told {
        let with = self.file("push.toml");
        switchyard(words.iter().copied().chain(["--with", with.as_str()]))
    }

    pub(crate) fn push(&self, more: &[&str]) -> Told {
        self.begin_push(more).told()
    }

    /// A push that goes on while other things happen.
    pub(crate) fn begin_push(&self, more: &[&str]) -> Running {
        let (live, with) = (self.file("live"), self.file("push.toml"));
        begin(PUSH, ["push", &live, "--with", &with].into_iter().chain(more.iter().copied()))
    }

    /// Another table, in the spelling that travels as one.
    pub(crate) fn write_aliases(&self, aliases: &str) {
        write(&self.site.path("live/maps/virtual_alias"), aliases);
    }

    /// Who there is, from now on in the admin's folder.
    pub(crate) fn write_recipients(&self, recipients: &str) {
        write(&self.site.path("live/maps/recipients"), recipients);
    }

    /// More of the mx's settings, in their last section: `[log]`.
    pub(crate) fn write_mx_settings(&self, more: &str) {
        let at = self.site.path("live/role/mx.toml");
        write(&at, &format!("{}{more}", self.log("live/role/mx.toml")));
    }

    /// What the mx says to a recipient.
    pub(crate) fn answer(&self, recipient: &str) -> u16 {
        let mut talk = Talk::hello(self.mx_address);
        assert_eq!(talk.say("MAIL FROM:<ann@client.example>").code, 250);
        talk.say(&format!("RCPT TO:<{recipient}>")).code
    }

    /// The generation in use, as the folder says.
    pub(crate) fn in_use(&self) -> Option<u64> {
        let set = fs::read_link(self.site.path("agent/current")).ok()?;
        set.file_name()?.to_str()?.split_once('-')?.0.parse().ok()
    }

    /// Who there is, by the set in use.
    pub(crate) fn recipients_in_use(&self) -> String {
        self.log("agent/current/site/maps/recipients")
    }

    /// Whether a generation lies ready.
    pub(crate) fn is_ready(&self, generation: u64) -> bool {
        let sets = fs::read_dir(self.site.path("agent/sets")).into_iter().flatten().flatten();
        let start = format!("{generation}-");
        let mut found = sets.filter(|set| set.file_name().to_string_lossy().starts_with(&start));
        found.any(|set| set.path().join("set.json").exists())
    }

    pub(crate) fn log(&self, name: &str) -> String {
        fs::read_to_string(self.site.path(name)).unwrap_or_default()
    }

    pub(crate) fn file(&self, name: impl AsRef<Path>) -> String {
        file(&self.site, name)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("a kind").is_dir() {
            copy_folder(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}

/// A file of the scenario, as a word of a command.
pub(crate) fn file(site: &Site, name: impl AsRef<Path>) -> String {
    let path: PathBuf = site.path(name);
    path.to_str().expect("a plain path").to_owned()
}
