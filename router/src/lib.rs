//! The SMTP router: takes mail durably, routes it by maps, delivers it, and reports what cannot be delivered.
//!
//! The rooms, in the order a message walks them: [`accept`] → [`policy`] → [`route`] → [`spool`], and only now
//! 250 → [`queue`] → [`route`] again → [`deliver`] → [`bounce`], where it comes to that.
//!
//! This file starts the rooms, from the last to the first, so that nobody listens before everything behind is
//! there: the spool's recovery comes before the first client. `settings` takes the settings apart and hands each
//! room its own; no other file knows of them.

#![forbid(unsafe_code)]

pub mod accept;
pub mod bounce;
pub mod control;
pub mod deliver;
mod explain;
mod metrics;
pub mod policy;
pub mod queue;
pub mod route;
mod settings;
pub mod spool;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchyard_config::change::Effective;
use switchyard_config::{RouterSettings, Settings};
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::control::Control;
use switchyard_daemon::doors::Doors;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::http;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::{Daemon, Fault};
use switchyard_daemon::sockets::Listeners;
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{MapHandle, MapMetrics, MapSet, Reloader, Snapshot, watch};
use switchyard_milter_mta::ClientMetrics;
use switchyard_smtp::io::memory::MemoryBudget;

use accept::{Door, Front, Rooms};
use deliver::TlsPolicy;
use metrics::ServerMetrics;
use queue::{Parts, Queue, QueueHandle, QueueMetrics};
use route::srs::SrsMetrics;
use settings::options::{
    asked_before, by_listener, filters, live_options, of_listener, outgoing, queue_options, relay_options,
    route_options, tls_options,
};
use settings::rooms::{bouncer, deliverer, open_spool, suspensions};
use spool::Spool;

/// A running router.
#[derive(Debug)]
pub struct Router {
    metrics_addresses: Vec<SocketAddr>,
    settings: Mutex<RouterSettings>,
    front: Front,
    doors: Doors<Door>,
    control: Control,
    queue: QueueHandle,
    spool: Spool,
    srs: SrsMetrics,
    reloader: Reloader,
    memory: MemoryBudget,
    drain: Drain,
}

impl Daemon for Router {
    const NAME: &'static str = "switchyard-router";
    const ABOUT: &'static str = "Takes mail durably, routes it by maps, and delivers it";
    type Settings = RouterSettings;
    type Held = Effective;
    type Error = Fault;

    fn load(path: &Path) -> Result<(RouterSettings, Effective), Fault> {
        Ok(RouterSettings::load_whole(path)?)
    }

    fn log(settings: &RouterSettings) -> &LogOptions {
        &settings.common.log
    }

    fn drain_deadline(settings: &RouterSettings) -> Duration {
        settings.common.limits.drain_deadline
    }

    fn check(settings: &RouterSettings) -> Result<(), Fault> {
        let mut faults = Vec::new();
        if let Err(found) = MapSet::load(&settings.maps) {
            faults.push(found.to_string());
        }
        if let Some(Err(error)) = settings.common.tls.as_ref().map(|tls| tls.load()) {
            faults.push(error.to_string());
        }
        if let Err(error) = route_options(settings, &uncounted()?) {
            faults.push(error.to_string());
        }
        if let Err(error) = TlsPolicy::new(&tls_options(settings)) {
            faults.push(error.to_string());
        }
        let counted = ClientMetrics::register(Registry::new().prometheus())?;
        if let Err(error) = filters(settings, &counted, &MemoryBudget::new(0)) {
            faults.push(error.to_string());
        }
        Fault::of(&faults)
    }

    async fn start(
        settings: RouterSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, Fault> {
        let registry = Registry::new();
        registry.describe_process("router", env!("CARGO_PKG_VERSION"))?;
        let listening = process.readiness.condition("smtp", "not listening yet");
        let metrics_addresses = http::start(&settings.common.metrics, listeners, &registry, process)?;

        let clock = Clock::system();
        let counted = MapMetrics::register(registry.prometheus())?;
        let (maps, reloader) = watch::start(settings.maps.clone(), counted, process.drain.token()).await?;
        let (spool, recovered) = open_spool(&settings, &registry, &clock).await?;
        let srs = SrsMetrics::register(&registry)?;
        let route = route_options(&settings, &srs)?;
        let memory = MemoryBudget::new(settings.common.limits.content_memory);
        let counted = ClientMetrics::register(registry.prometheus())?;
        let filters = Arc::new(filters(&settings, &counted, &memory)?);
        let parts = Parts {
            options: queue_options(&settings),
            spool: spool.clone(),
            maps: maps.clone(),
            routes: route.clone(),
            outgoing: outgoing(&settings, Arc::clone(&filters)),
            deliverer: deliverer(&settings, &registry, &clock)?,
            bouncer: bouncer(&settings, &registry, &clock)?,
            suspensions: suspensions(&settings)?,
            clock: clock.clone(),
            chance: fastrand::Rng::new(),
            metrics: QueueMetrics::register(&registry)?,
        };
        let queue = Queue::start(parts, recovered.messages);

        let live = live_options(&settings, &memory, &process.drain, filters)?;
        let metrics = ServerMetrics::register(&registry)?;
        let asked = maps.clone();
        let rooms = Rooms { maps, route, spool: spool.clone(), queue: queue.clone(), clock, metrics };
        let front = Front::new(live.clone(), rooms);
        let accepting = AcceptMetrics::register(&registry, "smtp_server")?;
        let sessions = settings.common.limits.sessions;
        let doors = Doors::new(Sessions::new(sessions, process.drain.clone(), accepting), process);
        let sockets = settings.common.listen.iter().map(|listener| &listener.socket);
        let sockets = doors.prepare(sockets, listeners)?;
        process.reloads.register(&registry)?;
        let routes = control_routes(&front, asked, &reloader).merge(control::routes(&queue));
        let routes = routes.merge(process.reloads.routes());
        let control = switchyard_daemon::control::start(settings.common.control.as_deref(), routes, process)?;
        let of_listener = |index| of_listener(&settings, index);
        doors.commit(sockets, |index, drain| Door::new(&front, &live, of_listener(index), drain)).await;
        let addresses = doors.addresses();
        tracing::info!(?addresses, spool = %settings.spool.folder.display(), "listening");
        listening.met();

        let drain = process.drain.clone();
        let (stopping, waiting) = (drain.clone(), queue.clone());
        process.tasks.helper("queue", async move {
            // While the last sessions end, attempts do, too: none begins that would have to be cut.
            stopping.wait_started().await;
            waiting.drain().await;
        });
        let settings = Mutex::new(settings);
        Ok(Self {
            metrics_addresses,
            settings,
            front,
            doors,
            control,
            queue,
            spool,
            srs,
            reloader,
            memory,
            drain,
        })
    }

    async fn reload(&self, settings: RouterSettings) -> Result<Vec<String>, Fault> {
        self.take(settings).await
    }

    async fn finish(&self) {
        if !self.queue.drain_within(LAST_ATTEMPTS).await {
            tracing::warn!("attempts at delivery were cut; their mail is tried again after the next start");
        }
        self.spool.close();
    }
}

/// For attempts to end that still go on when every session is over: together with the drain deadline less than
/// the service manager waits before it kills.
const LAST_ATTEMPTS: Duration = Duration::from_secs(10);

impl Router {
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

    /// The queue, to look at or to flush.
    #[must_use]
    pub fn queue(&self) -> &QueueHandle {
        &self.queue
    }
}

/// For what is only looked at.
fn uncounted() -> Result<SrsMetrics, Fault> {
    Ok(SrsMetrics::register(&Registry::new())?)
}

/// What a router with these settings would do with a message, and why, by these maps.
///
/// # Errors
/// When its settings make no router.
pub fn explain(settings: &RouterSettings, maps: &Snapshot, message: &Message) -> Result<Explanation, Fault> {
    let relay = relay_options(settings);
    let (route, without_srs) = match route_options(settings, &uncounted()?) {
        Ok(route) => (route, None),
        // Its secrets are the host's own: where they are not, the rest can still be explained.
        Err(why) if settings.srs.is_some() => {
            let others = RouterSettings { srs: None, ..settings.clone() };
            (route_options(&others, &uncounted()?)?, Some(why.to_string()))
        }
        Err(why) => return Err(why),
    };
    let host = settings.common.host_name.as_str();
    let now = Clock::system().now_wall();
    let filters = settings.asked.usual().collect();
    let watching = settings.asked.watching().collect();
    let rooms = explain::Rooms {
        host,
        relay: &relay,
        route: &route,
        filters,
        watching,
        by_listener: &by_listener(settings),
        leaving: &asked_before(settings),
        without_srs: without_srs.as_deref(),
        now,
    };
    Ok(rooms.explain(maps, message))
}

/// What the operator's tool may ask.
fn control_routes(front: &Front, maps: MapHandle, reloader: &Reloader) -> axum::Router {
    let front = front.clone();
    let explaining =
        switchyard_maps::control::explaining(maps.clone(), move |maps, message| front.explain(maps, message));
    switchyard_maps::control::routes(maps, reloader.clone()).merge(explaining)
}

#[cfg(test)]
mod tests;
