//! The suite's filter: signs our mail, verifies others', and copies by map, for any MTA that speaks milter.
//!
//! The way of a message: `listen` and `accept` (an MTA's connection) → `talk` (its events, put together by
//! `message`) → `answer` (what `by_map` asks for; ours: `sign`; others': `verify`) → `draft` (edits, as values) → one
//! answer at the end of the message, whole or not at all. What was seen of others' mail is told their domains by `report`.
//!
//! Invariants kept here:
//! - A key signs only after the DNS has shown its public half (`sign::ring`).
//! - A verdict in our name that we did not give is taken out before anybody can believe it (`verify::forged`).
//! - Nothing is changed before the answer is complete; what is refused is not changed at all.
//! - A message begins with one set of rules and maps and ends with them, whatever is reloaded meanwhile.
//! - A message that cannot be read, because it is too large, goes on as it came; the log and a counter tell.
//!
//! `settings` takes the settings apart and hands each room its own; beside this file no other knows of them.

#![forbid(unsafe_code)]

mod accept;
mod answer;
mod by_map;
mod dns;
mod draft;
mod listen;
mod message;
mod metrics;
mod report;
mod rules;
mod settings;
mod sign;
mod standing;
mod talk;
mod tasks;
mod verify;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use switchyard_config::change::Effective;
use switchyard_config::{MilterSettings, Settings};
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::control::Control;
use switchyard_daemon::doors::Doors;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::{Daemon, Fault};
use switchyard_daemon::sockets::Listeners;
use switchyard_daemon::{control, http};
use switchyard_maps::{MapMetrics, MapSet, Reloader, watch};
use switchyard_smtp::io::memory::MemoryBudget;
use tokio::sync::Notify;

use crate::accept::Door;
use crate::listen::Place;
use crate::metrics::Metrics;
use crate::report::Reports;
use crate::sign::key::Key;
use crate::sign::ring::KeyRing;
use crate::talk::Shared;

/// A running filter.
#[derive(Debug)]
pub struct Filter {
    shared: Arc<Shared>,
    settings: Mutex<MilterSettings>,
    reloader: Reloader,
    control: Control,
    doors: Doors<Door, Place>,
    metrics_addresses: Vec<SocketAddr>,
}

impl Daemon for Filter {
    const NAME: &'static str = "switchyard-milter";
    const ABOUT: &'static str =
        "Signs our mail and verifies others', for any MTA that speaks the milter protocol";
    type Settings = MilterSettings;
    type Held = Effective;
    type Error = Fault;

    fn load(path: &Path) -> Result<(MilterSettings, Effective), Fault> {
        Ok(MilterSettings::load_whole(path)?)
    }

    fn log(settings: &MilterSettings) -> &LogOptions {
        &settings.log
    }

    fn drain_deadline(settings: &MilterSettings) -> Duration {
        settings.limits.drain_deadline
    }

    fn check(settings: &MilterSettings) -> Result<(), Fault> {
        let mut faults = Vec::new();
        if let Err(found) = MapSet::load(&settings.maps) {
            faults.push(found.to_string());
        }
        for name in tasks::keys_of(&settings.maps, &settings.sign.keys) {
            if let Err(error) = Key::read(&name.file) {
                let (file, selector, domain) = (name.file.display(), &name.selector, &name.domain);
                faults.push(format!("{file}: the key `{selector}` of {domain} {error}"));
            }
        }
        Fault::of(&faults)
    }

    async fn start(
        settings: MilterSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, Fault> {
        let registry = Registry::new();
        registry.describe_process("milter", env!("CARGO_PKG_VERSION"))?;
        let listening = process.readiness.condition("milter", "not listening yet");

        let counted = MapMetrics::register(registry.prometheus())?;
        let (maps, reloader) = watch::start(settings.maps.clone(), counted, process.drain.token()).await?;
        let metrics = Metrics::register(&registry)?;
        let dns = dns::resolver(&settings.dns.servers, settings.dns.timeout)?;
        let dns = Arc::new(ArcSwap::from_pointee(dns));
        let clock = Clock::system();
        let opened = settings::reports(&settings)
            .map(|options| Reports::open(options, Arc::clone(&dns), clock.clone(), metrics.clone()));
        let reports = opened.transpose()?.map(Arc::new);
        let shared = Arc::new(Shared {
            live: ArcSwap::from_pointee(settings::live(&settings)),
            maps: maps.clone(),
            ring: KeyRing::new(Arc::clone(&dns), clock.clone(), metrics.clone()),
            new_keys: Notify::new(),
            dns,
            reports,
            memory: MemoryBudget::new(settings.limits.content_memory),
            clock,
            metrics,
        });
        process.tasks.helper("keys", tasks::tend_keys(Arc::clone(&shared)));
        if let Some(reports) = &shared.reports {
            process.tasks.helper("reports kept", report::keeping(Arc::clone(reports)));
            process.tasks.helper("reports sent", report::posting(Arc::clone(reports)));
        }
        let metrics_addresses = http::start(&settings.metrics, listeners, &registry, process)?;
        let accepting = AcceptMetrics::register(&registry, "milter")?;
        // Over the limit a newcomer waits: an MTA has a time-out of its own, and no ear for a reason.
        let sessions = Sessions::new(settings.limits.sessions, process.drain.clone(), accepting).waiting();
        let doors = Doors::new(sessions, process);
        let sockets = doors.prepare(&settings::places(&settings), listeners)?;
        process.reloads.register(&registry)?;
        let routes = switchyard_maps::control::routes(maps, reloader.clone());
        let routes = routes.merge(standing::routes(Arc::clone(&shared))).merge(process.reloads.routes());
        let control = control::start(settings.control.as_deref(), routes, process)?;
        let door = |_, drain: &Drain| Door { shared: Arc::clone(&shared), drain: drain.clone() };
        doors.commit(sockets, door).await;
        let addresses = doors.addresses();
        tracing::info!(?addresses, sockets = settings.listen.len(), "listening");
        listening.met();
        Ok(Self { shared, settings: Mutex::new(settings), reloader, control, doors, metrics_addresses })
    }

    async fn reload(&self, settings: MilterSettings) -> Result<Vec<String>, Fault> {
        self.take(settings).await
    }

    async fn finish(&self) {
        if let Some(reports) = &self.shared.reports {
            report::kept(reports).await;
        }
    }
}

impl Filter {
    /// Where MTAs may connect over TCP, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.addresses()
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn metrics_addresses(&self) -> &[SocketAddr] {
        &self.metrics_addresses
    }
}
