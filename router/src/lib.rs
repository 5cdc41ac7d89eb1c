//! The SMTP router: takes mail durably, routes it by maps, delivers it, and reports what cannot be delivered.
//!
//! The rooms, in the order a message walks them: [`accept`] → [`policy`] → [`route`] → [`spool`], and only now
//! 250 → [`queue`] → [`route`] again → [`deliver`] → [`bounce`], where it comes to that.
//!
//! This file takes the settings apart and hands each room its own; no other file knows of them. Rooms start
//! from the last to the first, so that nobody listens before everything behind is there: the spool's recovery
//! comes before the first client.

#![forbid(unsafe_code)]

pub mod accept;
pub mod bounce;
pub mod deliver;
mod explain;
mod metrics;
pub mod policy;
pub mod queue;
pub mod route;
pub mod spool;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use switchyard_config::{RouterSettings, Settings};
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::Daemon;
use switchyard_daemon::sockets::Listeners;
use switchyard_daemon::{control, http};
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{Hop, MapHandle, MapMetrics, MapSet, Nexthop, Reloader, Route, Snapshot, watch};
use switchyard_smtp::client::Timeouts;
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::io::serve::{Calm, ServeOptions};
use switchyard_smtp::server::Dialect;

use accept::{Front, LiveOptions, Rooms};
use bounce::{BounceMetrics, BounceOptions, Bouncer};
use deliver::{
    DeliverMetrics, DeliverOptions, Deliverer, FilterOptions, HostsOptions, Pools, Resolver, ResolverOptions,
    ReuseOptions, TlsOptions, TlsPolicy,
};
use metrics::ServerMetrics;
use policy::relay::RelayOptions;
use queue::schedule::ScheduleOptions;
use queue::window::WindowOptions;
use queue::{Parts, Queue, QueueHandle, QueueMetrics, QueueOptions};
use route::RouteOptions;
use route::srs::{Srs, SrsMetrics, SrsOptions};
use spool::{Folder, Recovered, Spool, SpoolMetrics, SpoolOptions};

/// A running router.
#[derive(Debug)]
pub struct Router {
    addresses: Vec<SocketAddr>,
    metrics_addresses: Vec<SocketAddr>,
    settings: Mutex<RouterSettings>,
    front: Front,
    queue: QueueHandle,
    spool: Spool,
    reloader: Reloader,
    memory: MemoryBudget,
    drain: Drain,
}

/// The router cannot start, or cannot take new settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RouterError(String);

impl RouterError {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Daemon for Router {
    const NAME: &'static str = "switchyard-router";
    const ABOUT: &'static str = "Takes mail durably, routes it by maps, and delivers it";
    type Settings = RouterSettings;
    type Error = RouterError;

    fn load(path: &Path) -> Result<RouterSettings, RouterError> {
        <RouterSettings as Settings>::load(path).map_err(RouterError::because)
    }

    fn log(settings: &RouterSettings) -> &LogOptions {
        &settings.common.log
    }

    fn drain_deadline(settings: &RouterSettings) -> Duration {
        settings.common.limits.drain_deadline
    }

    fn check(settings: &RouterSettings) -> Result<(), RouterError> {
        let mut faults = Vec::new();
        if let Err(found) = MapSet::load(&settings.maps) {
            faults.push(found.to_string());
        }
        if let Some(Err(error)) = settings.common.tls.as_ref().map(|tls| tls.load()) {
            faults.push(error.to_string());
        }
        if let Err(error) = route_options(settings, &Registry::new()) {
            faults.push(error.to_string());
        }
        if let Err(error) = TlsPolicy::new(&tls_options(settings)) {
            faults.push(error.to_string());
        }
        if faults.is_empty() { Ok(()) } else { Err(RouterError(faults.join("\n"))) }
    }

    async fn start(
        settings: RouterSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, RouterError> {
        let registry = Registry::new();
        registry.describe_process("router", env!("CARGO_PKG_VERSION")).map_err(RouterError::because)?;
        let listening = process.readiness.condition("smtp", "not listening yet");
        let metrics_addresses = http::start(&settings.common.metrics, listeners, &registry, process)
            .map_err(RouterError::because)?;

        let clock = Clock::system();
        let counted = MapMetrics::register(registry.prometheus()).map_err(RouterError::because)?;
        let (maps, reloader) = watch::start(settings.maps.clone(), counted, process.drain.token())
            .await
            .map_err(RouterError::because)?;
        let (spool, recovered) = open_spool(&settings, &registry, &clock).await?;
        let route = route_options(&settings, &registry)?;
        let parts = Parts {
            options: queue_options(&settings),
            spool: spool.clone(),
            maps: maps.clone(),
            routes: route.clone(),
            deliverer: deliverer(&settings, &registry, &clock)?,
            bouncer: bouncer(&settings, &registry, &clock)?,
            clock: clock.clone(),
            chance: fastrand::Rng::new(),
            metrics: QueueMetrics::register(&registry).map_err(RouterError::because)?,
        };
        let queue = Queue::start(parts, recovered.messages);

        let memory = MemoryBudget::new(settings.common.limits.content_memory);
        let live = live_options(&settings, &memory, &process.drain)?;
        let metrics = ServerMetrics::register(&registry).map_err(RouterError::because)?;
        let asked = maps.clone();
        let rooms = Rooms { maps, route, spool: spool.clone(), queue: queue.clone(), clock, metrics };
        let front = Front::new(live, rooms);
        if let Some(socket) = &settings.common.control {
            let routes = control_routes(&front, asked, &reloader);
            control::start(socket, routes, process).map_err(RouterError::because)?;
        }
        let addresses = listen(&settings, listeners, &registry, process, &front)?;
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
        Ok(Self { addresses, metrics_addresses, settings, front, queue, spool, reloader, memory, drain })
    }

    async fn reload(&self, mut settings: RouterSettings) -> Result<(), RouterError> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for name in hold(&before, &mut settings) {
            tracing::warn!(setting = name, "changed, and takes a restart: the old value holds");
        }
        self.front.change(live_options(&settings, &self.memory, &self.drain)?);
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        let reloader = self.reloader.clone();
        let maps = tokio::task::spawn_blocking(move || reloader.reload()).await;
        // What is wrong with the maps is in the log, and the old ones hold.
        maps.map_err(RouterError::because)?.map(drop).map_err(RouterError::because)
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
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
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

/// What a router with these settings would do with a message, and why, by these maps.
///
/// # Errors
/// When its settings make no router.
pub fn explain(
    settings: &RouterSettings,
    maps: &Snapshot,
    message: &Message,
) -> Result<Explanation, RouterError> {
    let relay = relay_options(settings);
    let (route, without_srs) = match route_options(settings, &Registry::new()) {
        Ok(route) => (route, None),
        // Its secrets are the host's own: where they are not, the rest can still be explained.
        Err(why) if settings.srs.is_some() => {
            let others = RouterSettings { srs: None, ..settings.clone() };
            (route_options(&others, &Registry::new())?, Some(why.to_string()))
        }
        Err(why) => return Err(why),
    };
    let host = settings.common.host_name.as_str();
    let now = Clock::system().now_wall();
    let rooms =
        explain::Rooms { host, relay: &relay, route: &route, without_srs: without_srs.as_deref(), now };
    Ok(rooms.explain(maps, message))
}

/// What the operator's tool may ask.
fn control_routes(front: &Front, maps: MapHandle, reloader: &Reloader) -> axum::Router {
    let front = front.clone();
    let explaining =
        switchyard_maps::control::explaining(maps.clone(), move |maps, message| front.explain(maps, message));
    switchyard_maps::control::routes(maps, reloader.clone()).merge(explaining)
}

// ---- starting ----

async fn open_spool(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<(Spool, Recovered), RouterError> {
    let options = spool_options(settings);
    let metrics = SpoolMetrics::register(registry).map_err(RouterError::because)?;
    let clock = clock.clone();
    // Recovery reads the whole log: not on a thread that serves.
    let opened = tokio::task::spawn_blocking(move || {
        let disk = Folder::claim(&options.folder)?;
        Spool::open(&options, disk, clock, metrics)
    });
    let (spool, recovered) = opened.await.map_err(RouterError::because)?.map_err(RouterError::because)?;
    tracing::info!(
        messages = recovered.messages.len(),
        corrupt = recovered.corrupt,
        torn = recovered.torn,
        "spool recovered"
    );
    Ok((spool, recovered))
}

fn deliverer(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<Deliverer, RouterError> {
    let dns = &settings.common.dns;
    let options =
        ResolverOptions { servers: dns.servers.clone(), timeout: dns.timeout, ..ResolverOptions::default() };
    let resolver = Resolver::new(&options).map_err(RouterError::because)?;
    let tls = TlsPolicy::new(&tls_options(settings)).map_err(RouterError::because)?;
    let metrics = DeliverMetrics::register(registry).map_err(RouterError::because)?;
    let chance = fastrand::Rng::new();
    Ok(Deliverer::new(deliver_options(settings), resolver, tls, metrics, clock.clone(), chance))
}

fn bouncer(settings: &RouterSettings, registry: &Registry, clock: &Clock) -> Result<Bouncer, RouterError> {
    let metrics = BounceMetrics::register(registry).map_err(RouterError::because)?;
    Ok(Bouncer::new(bounce_options(settings), metrics, clock.clone()))
}

fn listen(
    settings: &RouterSettings,
    listeners: &mut Listeners,
    registry: &Registry,
    process: &mut Process,
    front: &Front,
) -> Result<Vec<SocketAddr>, RouterError> {
    let accepting = AcceptMetrics::register(registry, "smtp_server").map_err(RouterError::because)?;
    let sessions = Sessions::new(settings.common.limits.sessions, process.drain.clone(), accepting);
    let mut addresses = Vec::new();
    for listener in &settings.common.listen {
        for socket in listeners.open(&listener.socket).map_err(RouterError::because)? {
            addresses.push(socket.local_addr().map_err(RouterError::because)?);
            let front = front.clone();
            let accepting = switchyard_daemon::accept::accept(
                socket,
                sessions.clone(),
                move |stream, peer| front.clone().serve(stream, peer),
                |stream, _peer| Front::refuse(stream),
            );
            process.tasks.essential("accept", accepting);
        }
    }
    Ok(addresses)
}

// ---- from settings to options ----

fn live_options(
    settings: &RouterSettings,
    memory: &MemoryBudget,
    drain: &Drain,
) -> Result<LiveOptions, RouterError> {
    let common = &settings.common;
    let tls = common.tls.as_ref().map(|tls| tls.load()).transpose();
    Ok(LiveOptions {
        serve: ServeOptions {
            host_name: common.host_name.as_str().into(),
            limits: Arc::new(common.limits.session.clone()),
            dialect: Dialect::Smtp,
            tls: tls.map_err(RouterError::because)?,
            memory: memory.clone(),
            drain: drain.token(),
            stress: Arc::new(Calm),
        },
        relay: relay_options(settings),
    })
}

fn relay_options(settings: &RouterSettings) -> RelayOptions {
    let relay = &settings.relay;
    RelayOptions {
        networks: relay.networks.clone(),
        verified_clients: relay.mutual_tls,
        own_hosts: relay.xforward_networks.clone(),
        require_tls: relay.require_tls,
    }
}

fn srs_options(settings: &RouterSettings) -> Option<SrsOptions> {
    let srs = settings.srs.as_ref()?;
    Some(SrsOptions { domain: srs.domain.clone(), secrets: srs.secrets.clone(), max_age: srs.max_age })
}

fn route_options(settings: &RouterSettings, registry: &Registry) -> Result<RouteOptions, RouterError> {
    let RouterSettings { route, rewrite, .. } = settings;
    let nexthop = route.relayhost.clone().unwrap_or(Nexthop::RecipientDomain);
    let default_route = Route::Deliver { transport: Some(route.default_transport), nexthop };
    let counted = SrsMetrics::register(registry).map_err(RouterError::because)?;
    let srs = srs_options(settings).map(|options| Srs::load(&options, counted)).transpose();
    Ok(RouteOptions {
        origin: rewrite.origin.clone(),
        default_route,
        pools: Arc::new(Pools::new(pool_members(settings))),
        recipient_delimiter: settings.maps.recipient_delimiter.clone(),
        srs: srs.map_err(RouterError::because)?.map(Arc::new),
    })
}

fn pool_members(settings: &RouterSettings) -> BTreeMap<String, Vec<Hop>> {
    settings.pools.iter().map(|(name, pool)| (name.clone(), pool.members.clone())).collect()
}

fn spool_options(settings: &RouterSettings) -> SpoolOptions {
    let spool = &settings.spool;
    SpoolOptions {
        folder: spool.folder.clone(),
        segment_bytes: spool.segment_size,
        max_bytes: spool.max_size,
        min_free_bytes: spool.min_free,
        inline_limit: spool.inline_limit,
        ..SpoolOptions::default()
    }
}

fn queue_options(settings: &RouterSettings) -> QueueOptions {
    let queue = &settings.queue;
    QueueOptions {
        schedule: ScheduleOptions {
            minimal_backoff: queue.minimal_backoff,
            maximal_backoff: queue.maximal_backoff,
            queue_lifetime: queue.queue_lifetime,
            bounce_queue_lifetime: queue.bounce_queue_lifetime,
            delay_warning_time: queue.delay_warning,
        },
        window: WindowOptions {
            initial: queue.initial_destination_concurrency,
            limit: queue.destination_concurrency,
            dead_for: queue.dead_destination_wait,
        },
        active_limit: queue.active_limit,
        content_memory: usize::try_from(queue.content_memory).unwrap_or(usize::MAX),
        ..QueueOptions::default()
    }
}

fn deliver_options(settings: &RouterSettings) -> DeliverOptions {
    let deliver = &settings.deliver;
    let mut own_names: std::collections::BTreeSet<_> = deliver.own_names.iter().cloned().collect();
    own_names.insert(settings.common.host_name.clone());
    DeliverOptions {
        hello_name: deliver.helo_name.to_string(),
        bind: deliver.bind_address,
        timeouts: Timeouts { connect: deliver.connect_timeout, ..Timeouts::default() },
        hosts: HostsOptions {
            own_names,
            filter: FilterOptions {
                own_addresses: deliver.own_addresses.iter().copied().collect(),
                allow: deliver.address_filter_allow.clone(),
            },
            addresses_tried: deliver.addresses_tried,
            mx_port: deliver.port,
        },
        reuse: ReuseOptions { idle: deliver.connection_idle, messages: deliver.connection_messages },
        pools: pool_members(settings),
        dead_host_wait: deliver.dead_host_wait,
    }
}

fn tls_options(settings: &RouterSettings) -> TlsOptions {
    let tls = &settings.deliver.tls;
    TlsOptions {
        level: tls.level,
        by_nexthop: settings.deliver.tls_policy.clone(),
        authorities: tls.ca.clone(),
        identity: tls.certificate.clone(),
    }
}

fn bounce_options(settings: &RouterSettings) -> BounceOptions {
    let bounce = &settings.bounce;
    BounceOptions {
        reporting_mta: settings.common.host_name.to_string(),
        max_returned: bounce.size_limit,
        per_domain: bounce.per_domain_limit,
        window: bounce.per_domain_window,
    }
}

/// Puts back what differs and can't change while the daemon runs, and names it.
fn hold(before: &RouterSettings, now: &mut RouterSettings) -> Vec<&'static str> {
    fn keep<T: PartialEq + Clone>(held: &mut Vec<&'static str>, name: &'static str, old: &T, new: &mut T) {
        if old != new {
            new.clone_from(old);
            held.push(name);
        }
    }
    let mut held = Vec::new();
    let (old, new) = (&before.common, &mut now.common);
    keep(&mut held, "host_name", &old.host_name, &mut new.host_name);
    keep(&mut held, "listen", &old.listen, &mut new.listen);
    keep(&mut held, "metrics", &old.metrics, &mut new.metrics);
    keep(&mut held, "control", &old.control, &mut new.control);
    keep(&mut held, "log", &old.log, &mut new.log);
    keep(&mut held, "dns", &old.dns, &mut new.dns);
    let (old, new) = (&before.common.limits, &mut now.common.limits);
    keep(&mut held, "limits.sessions", &old.sessions, &mut new.sessions);
    keep(&mut held, "limits.content_memory", &old.content_memory, &mut new.content_memory);
    keep(&mut held, "limits.drain_deadline", &old.drain_deadline, &mut new.drain_deadline);
    keep(&mut held, "maps", &before.maps, &mut now.maps);
    keep(&mut held, "rewrite", &before.rewrite, &mut now.rewrite);
    keep(&mut held, "route", &before.route, &mut now.route);
    keep(&mut held, "pools", &before.pools, &mut now.pools);
    keep(&mut held, "srs", &before.srs, &mut now.srs);
    keep(&mut held, "spool", &before.spool, &mut now.spool);
    keep(&mut held, "queue", &before.queue, &mut now.queue);
    keep(&mut held, "deliver", &before.deliver, &mut now.deliver);
    keep(&mut held, "bounce", &before.bounce, &mut now.bounce);
    held
}

#[cfg(test)]
mod tests;
