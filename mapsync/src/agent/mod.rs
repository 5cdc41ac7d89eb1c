//! The agent of a host: takes what admins signed, proves it, and puts it in use.
//!
//! What to do is decided by `switchyard_mapsync_protocol::agent`, which has no hands; here are its hands. `life`
//! tells it what happens and does what it answers: `ears` hear the `hubs`, `fetch` brings files, `stage` makes a set
//! of them by [`host`] (settings, compiled maps, behaviours) and [`disk`] (whole and durable), the link `current`
//! moves and daemons read it. Nothing else is told to them. `deaths` and `counts` see how their daemon takes it,
//! `report` tells the hubs, and `query` answers what an admin asks of all hosts.
//!
//! Invariants kept here:
//! - What is in use was signed, is whole, and did on this host what the site's behaviours say.
//! - Nothing older than what was released here comes into use again, but by a new generation, or as the one step back
//!   that the protocol knows.
//! - What is to be remembered is durable before anything is done because of it.
//! - With all hubs gone, or their clocks, nothing moves.

mod counts;
mod deaths;
pub mod disk;
mod doing;
pub mod ears;
mod fetch;
pub mod host;
pub mod hubs;
mod life;
mod metrics;
mod query;
mod renew;
pub mod report;
mod services;
mod settle;
mod stage;
mod tell;
mod texts;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchyard_config::change::Effective;
use switchyard_config::{AgentSettings, Settings};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::control::Control;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::{Daemon, Fault};
use switchyard_daemon::sockets::Listeners;
use switchyard_daemon::{control, http};
use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::agent::Kept;
use switchyard_mapsync_protocol::trust::Trusted;
use tokio::sync::watch;

use self::counts::Mail;
use self::disk::Disk;
use self::life::{Host, Reach};
use self::metrics::Metrics;
pub use self::stage::Set;
use crate::root;
use crate::tls::MutualTls;

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    reach: watch::Sender<Reach>,
    settings: Mutex<AgentSettings>,
    control: Control,
    metrics_addresses: Vec<SocketAddr>,
}

impl Daemon for Agent {
    const NAME: &'static str = "switchyard-mapsync agent";
    const ABOUT: &'static str = "Takes what admins signed, proves it on this host, and puts it in use";
    type Settings = AgentSettings;
    type Held = Effective;
    type Error = Fault;

    fn load(path: &Path) -> Result<(AgentSettings, Effective), Fault> {
        Ok(AgentSettings::load_whole(path)?)
    }

    fn log(settings: &AgentSettings) -> &LogOptions {
        &settings.log
    }

    fn drain_deadline(_settings: &AgentSettings) -> Duration {
        AgentSettings::DRAIN_DEADLINE
    }

    fn check(settings: &AgentSettings) -> Result<(), Fault> {
        let mut faults = Vec::new();
        if let Err(error) = mutual_tls(settings).client() {
            faults.push(error.to_string());
        }
        if let Err(error) = first_root(settings) {
            faults.push(error.to_string());
        }
        if settings.site.len() > SITE {
            faults.push(format!("`site`: at most {SITE} octets"));
        }
        Fault::of(&faults)
    }

    async fn start(
        settings: AgentSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, Fault> {
        let registry = Registry::new();
        registry.describe_process("mapsync", env!("CARGO_PKG_VERSION"))?;
        let in_use = process.readiness.condition("set", "no set is in use yet");
        let metrics_addresses = http::start(&settings.metrics, listeners, &registry, process)?;
        let metrics = Metrics::register(&registry)?;
        process.reloads.register(&registry)?;
        let control = control::start(settings.control.as_deref(), process.reloads.routes(), process)?;

        let (environment, root) = first_root(&settings)?;
        let disk = Disk::open(&settings.folder)?;
        let kept = kept(&disk, &root, &environment);
        let kept = kept.map_err(|error| Fault::at(settings.folder.display(), error))?;
        let (reach, changes) = watch::channel(reach(&settings)?);
        let own = Host {
            name: settings.host_name.to_string(),
            site: settings.site.clone(),
            environment,
            disk: Arc::new(disk),
            clock: Clock::system(),
            metrics,
            in_use,
            end: process.drain.token(),
            deaths: 0,
            mail: Mail::default(),
            left: services::Left::read(&settings.folder),
        };
        process.tasks.essential("life", life::live(own, kept, changes));
        Ok(Self { reach, settings: Mutex::new(settings), control, metrics_addresses })
    }

    async fn reload(&self, mut settings: AgentSettings) -> Result<Vec<String>, Fault> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let reach = reach(&settings)?;
        let asked = self.control.prepare(settings.control.as_deref())?;
        self.control.commit(asked).await;
        self.reach.send_replace(reach);
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }

    async fn finish(&self) {}
}

impl Agent {
    /// Where metrics and health are served.
    #[must_use]
    pub fn metrics_addresses(&self) -> &[SocketAddr] {
        &self.metrics_addresses
    }
}

fn reach(settings: &AgentSettings) -> Result<Reach, Fault> {
    let tls = mutual_tls(settings).client()?;
    Ok(Reach {
        hubs: settings.hubs.iter().map(ToString::to_string).collect(),
        tls,
        keep: settings.keep,
        services: settings.services,
    })
}

fn mutual_tls(settings: &AgentSettings) -> MutualTls {
    let tls = &settings.tls;
    MutualTls { certificate: tls.certificate.clone(), key: tls.key.clone(), authorities: tls.hub_ca.clone() }
}

/// The longest site that a status has room for.
const SITE: usize = 64;

/// What was kept; on a host that is new, the root that a person put there.
fn kept(disk: &Disk, first: &[u8], environment: &Environment) -> Result<Kept, Fault> {
    let kept = match disk.state()? {
        Some(octets) => Kept::from_json(&octets),
        None => Trusted::begin(first, environment).map(Kept::new),
    };
    kept.map_err(|error| Fault::at("what is kept here cannot be used", error))
}

/// The environment, and the root that a person put here.
fn first_root(settings: &AgentSettings) -> Result<(Environment, Vec<u8>), Fault> {
    root::first("`environment`", &settings.environment, &settings.root)
}
