//! The inbound MX front: no spool, answers with the router's answer.
//!
//! The way of a message: `accept` (whose connection is it) → the SMTP core (is it legal) → `policy` (is it
//! allowed: connect, MAIL, RCPT) → content, held in memory → `route` (which router) → `deliver` (handed over,
//! in the client's own transaction) → the router's answer is the client's.
//!
//! There is no spool room here, on purpose. A 250 is said when a router has said it; whatever else happens, a
//! crash of this process included, the message is still the client's, or already the router's.
//!
//! `settings` takes the settings apart and hands each room its own; beside this file no other knows of them.

#![forbid(unsafe_code)]

mod accept;
mod deliver;
mod explain;
mod metrics;
mod policy;
mod route;
mod settings;
mod tasks;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use switchyard_config::change::Effective;
use switchyard_config::{MxSettings, Settings};
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::control::{self, Control};
use switchyard_daemon::doors::Doors;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::http;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::{Daemon, Fault};
use switchyard_daemon::service::ServiceManager;
use switchyard_daemon::sockets::Listeners;
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{MapHandle, MapMetrics, MapSet, Reloader, Snapshot, watch};
use switchyard_milter_mta::{ClientMetrics, Filters};
use switchyard_smtp::io::memory::MemoryBudget;

use crate::accept::networks::Networks;
use crate::accept::{Door, Load};
use crate::metrics::Metrics;
use crate::policy::{RefusedRecipients, Shared};
use crate::settings::options::{explaining, high, router_tls};
use crate::settings::rooms::hand_over;

/// A running front.
#[derive(Debug)]
pub struct Mx {
    settings: Mutex<MxSettings>,
    kept: Kept,
    doors: Doors<Door>,
    control: Control,
    explains: Arc<ArcSwap<explain::Front>>,
    reloader: Reloader,
    metrics_addresses: Vec<SocketAddr>,
}

/// What outlives a reload.
#[derive(Debug)]
struct Kept {
    shared: Arc<Shared>,
    load: Arc<Load>,
    memory: MemoryBudget,
    /// Those of the settings that hold: others are made of them, so that connections count with all.
    filters: ArcSwap<Filters>,
    drain: Drain,
    service: ServiceManager,
}

impl Daemon for Mx {
    const NAME: &'static str = "switchyard-mx";
    const ABOUT: &'static str =
        "Takes mail from the internet and hands it to a router, inside the client's transaction";
    type Settings = MxSettings;
    type Held = Effective;
    type Error = Fault;

    fn load(path: &Path) -> Result<(MxSettings, Effective), Fault> {
        Ok(MxSettings::load_whole(path)?)
    }

    fn log(settings: &MxSettings) -> &LogOptions {
        &settings.common.log
    }

    fn drain_deadline(settings: &MxSettings) -> Duration {
        settings.common.limits.drain_deadline
    }

    fn check(settings: &MxSettings) -> Result<(), Fault> {
        let mut faults = Vec::new();
        if let Err(found) = MapSet::load(&settings.maps) {
            faults.push(found.to_string());
        }
        let files = [
            settings.common.tls.as_ref().map(|tls| tls.load().map(drop)),
            Some(router_tls(&settings.routers.tls).map(drop)),
        ];
        faults.extend(files.into_iter().flatten().filter_map(Result::err).map(|error| error.to_string()));
        let counted = ClientMetrics::register(Registry::new().prometheus())?;
        if let Err(error) = Filters::new(&settings.asked, &counted, &MemoryBudget::new(0)) {
            faults.push(error.to_string());
        }
        Fault::of(&faults)
    }

    async fn start(
        settings: MxSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, Fault> {
        let registry = Registry::new();
        registry.describe_process("mx", env!("CARGO_PKG_VERSION"))?;
        let listening = process.readiness.condition("smtp", "not listening yet");

        let counted = MapMetrics::register(registry.prometheus())?;
        let (maps, reloader) = watch::start(settings.maps.clone(), counted, process.drain.token()).await?;
        let limits = &settings.common.limits;
        let (clock, metrics) = (Clock::system(), Metrics::register(&registry)?);
        let hand_over = hand_over(&settings, &clock, &metrics, &process.service)?;
        let memory = MemoryBudget::new(limits.content_memory);
        let counted = ClientMetrics::register(registry.prometheus())?;
        let filters = Filters::new(&settings.asked, &counted, &memory)?;
        let kept = Kept {
            shared: Arc::new(Shared {
                maps,
                hand_over: ArcSwap::from_pointee(hand_over),
                networks: Arc::new(Networks::default()),
                refused: RefusedRecipients::default(),
                metrics,
                clock,
            }),
            load: Arc::new(Load::new(high(&settings))),
            memory,
            filters: ArcSwap::from_pointee(filters),
            drain: process.drain.clone(),
            service: process.service.clone(),
        };
        let live = kept.live(&settings, kept.filters.load_full())?;
        process.tasks.helper("router connections", tasks::tend_connections(Arc::clone(&kept.shared)));
        let accepting = AcceptMetrics::register(&registry, "smtp_server")?;
        let sessions = Sessions::new(limits.sessions, process.drain.clone(), accepting);
        let metrics_addresses = http::start(&settings.common.metrics, listeners, &registry, process)?;
        let doors = Doors::new(sessions, process);
        let sockets = settings.common.listen.iter().map(|listener| &listener.socket);
        let sockets = doors.prepare(sockets, listeners)?;
        let explains = Arc::new(ArcSwap::from_pointee(explaining(&settings)));
        process.reloads.register(&registry)?;
        let routes = control_routes(&explains, &kept.shared.maps, &reloader).merge(process.reloads.routes());
        let control = control::start(settings.common.control.as_deref(), routes, process)?;
        doors.commit(sockets, |index, drain| kept.door(&settings, index, &live, drain)).await;
        let addresses = doors.addresses();
        tracing::info!(?addresses, routers = settings.routers.pool.len(), "listening");
        listening.met();
        let settings = Mutex::new(settings);
        Ok(Self { settings, kept, doors, control, explains, reloader, metrics_addresses })
    }

    async fn reload(&self, settings: MxSettings) -> Result<Vec<String>, Fault> {
        self.take(settings).await
    }

    async fn finish(&self) {
        self.kept.shared.hand_over.load_full().close_idle(true).await;
    }
}

impl Mx {
    /// Where SMTP is listened for, in the order of the settings.
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

/// What a front with these settings would do with a message, and why, by these maps.
#[must_use]
pub fn explain(settings: &MxSettings, maps: &Snapshot, message: &Message) -> Explanation {
    explaining(settings).explain(maps, message)
}

/// What the operator's tool may ask.
fn control_routes(
    explains: &Arc<ArcSwap<explain::Front>>,
    maps: &MapHandle,
    reloader: &Reloader,
) -> axum::Router {
    let front = Arc::clone(explains);
    let explaining = switchyard_maps::control::explaining(maps.clone(), move |maps, message| {
        front.load().explain(maps, message)
    });
    switchyard_maps::control::routes(maps.clone(), reloader.clone()).merge(explaining)
}

#[cfg(test)]
mod tests;
