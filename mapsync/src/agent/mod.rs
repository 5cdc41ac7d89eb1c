//! The agent of a host: takes what admins signed, proves it, and puts it in use.
//!
//! The way of a generation: `ears` (a hub shows it) → `life` (signed, for us, newer: taken and written down by
//! `kept`) → `stage` (its files, each by its hash) → [`host`] (settings, compiled maps, behaviours) → [`disk`] (whole
//! and durable) → a release → the link `current` moves, and daemons read it. Nothing else is told to them.
//!
//! Invariants kept here:
//! - What is in use was signed, is whole, and did on this host what the site's behaviours say.
//! - Nothing older than what was released here comes into use again, but by a new generation.
//! - With all hubs gone, or their clocks, nothing moves.

pub mod disk;
mod ears;
pub mod host;
mod kept;
mod life;
mod metrics;
mod stage;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use switchyard_config::change::Effective;
use switchyard_config::{AgentSettings, Settings};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::control::Control;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::Daemon;
use switchyard_daemon::sockets::Listeners;
use switchyard_daemon::{control, http};
use switchyard_mapsync_protocol::trust::Trusted;
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::sync::watch;

use self::disk::Disk;
use self::kept::Kept;
use self::life::{Life, Reach};
use self::metrics::Metrics;
pub use self::stage::Set;
use crate::tls::MutualTls;

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    reach: watch::Sender<Reach>,
    settings: Mutex<AgentSettings>,
    control: Control,
    metrics_addresses: Vec<SocketAddr>,
}

/// The agent cannot start, or cannot take new settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct AgentError(String);

impl AgentError {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Daemon for Agent {
    const NAME: &'static str = "switchyard-mapsync agent";
    const ABOUT: &'static str = "Takes what admins signed, proves it on this host, and puts it in use";
    type Settings = AgentSettings;
    type Held = Effective;
    type Error = AgentError;

    fn load(path: &Path) -> Result<(AgentSettings, Effective), AgentError> {
        AgentSettings::load_whole(path).map_err(AgentError::because)
    }

    fn log(settings: &AgentSettings) -> &LogOptions {
        &settings.log
    }

    fn drain_deadline(_settings: &AgentSettings) -> Duration {
        AgentSettings::DRAIN_DEADLINE
    }

    fn check(settings: &AgentSettings) -> Result<(), AgentError> {
        let tls = mutual_tls(settings).client().map(drop).map_err(AgentError::because);
        let root = first_root(settings).map(drop);
        let faults: Vec<String> =
            [tls, root].into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        if faults.is_empty() { Ok(()) } else { Err(AgentError(faults.join("\n"))) }
    }

    async fn start(
        settings: AgentSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, AgentError> {
        let registry = Registry::new();
        registry.describe_process("mapsync", env!("CARGO_PKG_VERSION")).map_err(AgentError::because)?;
        let in_use = process.readiness.condition("set", "no set is in use yet");
        let metrics_addresses =
            http::start(&settings.metrics, listeners, &registry, process).map_err(AgentError::because)?;
        let metrics = Metrics::register(&registry).map_err(AgentError::because)?;
        process.reloads.register(&registry).map_err(AgentError::because)?;
        let control = control::start(settings.control.as_deref(), process.reloads.routes(), process);
        let control = control.map_err(AgentError::because)?;

        let (environment, root) = first_root(&settings)?;
        let disk = Disk::open(&settings.folder).map_err(AgentError::because)?;
        let clock = Clock::system();
        let since = clock.now_wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let kept = Kept::load(&disk, &root, &environment, Timestamp(since.as_secs()));
        let kept = kept.map_err(|error| AgentError(format!("{}: {error}", settings.folder.display())))?;
        let (reach, changes) = watch::channel(reach(&settings)?);
        let host = settings.host_name.to_string();
        let (hubs, keep, again) = (Vec::new(), settings.keep, None);
        let life = Life {
            disk,
            kept,
            host,
            environment,
            clock,
            metrics,
            in_use,
            hubs,
            keep,
            later: Vec::new(),
            again,
        };
        process.tasks.essential("life", life.live(changes, process.drain.token()));
        Ok(Self { reach, settings: Mutex::new(settings), control, metrics_addresses })
    }

    async fn reload(&self, mut settings: AgentSettings) -> Result<Vec<String>, AgentError> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let reach = reach(&settings)?;
        let asked = self.control.prepare(settings.control.as_deref()).map_err(AgentError::because)?;
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

fn reach(settings: &AgentSettings) -> Result<Reach, AgentError> {
    let tls = mutual_tls(settings).client().map_err(AgentError::because)?;
    Ok(Reach { hubs: settings.hubs.iter().map(ToString::to_string).collect(), tls, keep: settings.keep })
}

fn mutual_tls(settings: &AgentSettings) -> MutualTls {
    let tls = &settings.tls;
    MutualTls { certificate: tls.certificate.clone(), key: tls.key.clone(), authorities: tls.hub_ca.clone() }
}

/// Reads and checks the root that a person put here.
fn first_root(settings: &AgentSettings) -> Result<(Environment, Vec<u8>), AgentError> {
    let fault = |error: &dyn std::fmt::Display| AgentError(format!("{}: {error}", settings.root.display()));
    let environment = Environment::try_from(settings.environment.clone());
    let environment = environment.map_err(|error| AgentError(format!("`environment`: {error}")))?;
    let root = fs::read(&settings.root).map_err(|error| fault(&error))?;
    Trusted::begin(&root, &environment).map_err(|error| fault(&error))?;
    Ok((environment, root))
}
