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
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use switchyard_config::{MxSettings, Settings};
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::log::LogOptions;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::program::Daemon;
use switchyard_daemon::service::ServiceManager;
use switchyard_daemon::sockets::Listeners;
use switchyard_daemon::{control, http};
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{MapHandle, MapMetrics, MapSet, Reloader, Snapshot, watch};
use switchyard_smtp::io::memory::MemoryBudget;
use tokio_util::sync::CancellationToken;

use crate::accept::networks::Networks;
use crate::accept::{Door, Live, Load};
use crate::deliver::Resolver;
use crate::metrics::Metrics;
use crate::policy::{RefusedRecipients, Shared};
use crate::settings::hold::hold;
use crate::settings::options::{explaining, high, router_tls};

/// A running front.
#[derive(Debug)]
pub struct Mx {
    live: Arc<ArcSwap<Live>>,
    settings: Mutex<MxSettings>,
    kept: Kept,
    reloader: Reloader,
    addresses: Vec<SocketAddr>,
    metrics_addresses: Vec<SocketAddr>,
}

/// What outlives a reload.
#[derive(Debug)]
struct Kept {
    shared: Arc<Shared>,
    load: Arc<Load>,
    memory: MemoryBudget,
    drain: CancellationToken,
    resolver: Resolver,
    service: ServiceManager,
}

/// The front cannot start, or cannot take new settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MxError(String);

impl MxError {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Daemon for Mx {
    const NAME: &'static str = "switchyard-mx";
    const ABOUT: &'static str =
        "Takes mail from the internet and hands it to a router, inside the client's transaction";
    type Settings = MxSettings;
    type Error = MxError;

    fn load(path: &Path) -> Result<MxSettings, MxError> {
        <MxSettings as Settings>::load(path).map_err(MxError::because)
    }

    fn log(settings: &MxSettings) -> &LogOptions {
        &settings.common.log
    }

    fn drain_deadline(settings: &MxSettings) -> Duration {
        settings.common.limits.drain_deadline
    }

    fn check(settings: &MxSettings) -> Result<(), MxError> {
        let mut faults = Vec::new();
        if let Err(found) = MapSet::load(&settings.maps) {
            faults.push(found.to_string());
        }
        let files = [
            settings.common.tls.as_ref().map(|tls| tls.load().map(drop)),
            Some(router_tls(&settings.routers.tls).map(drop)),
        ];
        faults.extend(files.into_iter().flatten().filter_map(Result::err).map(|error| error.to_string()));
        if faults.is_empty() { Ok(()) } else { Err(MxError(faults.join("\n"))) }
    }

    async fn start(
        settings: MxSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, MxError> {
        let registry = Registry::new();
        registry.describe_process("mx", env!("CARGO_PKG_VERSION")).map_err(MxError::because)?;
        let listening = process.readiness.condition("smtp", "not listening yet");

        let counted = MapMetrics::register(registry.prometheus()).map_err(MxError::because)?;
        let (maps, reloader) = watch::start(settings.maps.clone(), counted, process.drain.token())
            .await
            .map_err(MxError::because)?;
        let limits = &settings.common.limits;
        let dns = &settings.common.dns;
        let kept = Kept {
            shared: Arc::new(Shared {
                maps,
                networks: Arc::new(Networks::default()),
                refused: RefusedRecipients::default(),
                metrics: Metrics::register(&registry).map_err(MxError::because)?,
                clock: Clock::system(),
            }),
            load: Arc::new(Load::new(high(&settings))),
            memory: MemoryBudget::new(limits.content_memory),
            drain: process.drain.token(),
            resolver: Resolver::new(&dns.servers, dns.timeout).map_err(MxError::because)?,
            service: process.service.clone(),
        };
        let hand_over = Arc::new(kept.hand_over(&settings)?);
        let live = Arc::new(ArcSwap::from_pointee(kept.live(&settings, hand_over)?));

        let keep = settings.routers.connection_idle;
        process.tasks.helper("router connections", tasks::tend_connections(Arc::clone(&live), keep));
        let accepting = AcceptMetrics::register(&registry, "smtp_server").map_err(MxError::because)?;
        let sessions = Sessions::new(limits.sessions, process.drain.clone(), accepting);
        let metrics_addresses =
            http::start(&settings.common.metrics, listeners, &registry, process).map_err(MxError::because)?;
        let mut addresses = Vec::new();
        for listener in &settings.common.listen {
            let door = Arc::new(Door {
                live: Arc::clone(&live),
                load: Arc::clone(&kept.load),
                name: listener.name.clone(),
                proxy_protocol: listener.proxy_protocol,
            });
            for socket in listeners.open(&listener.socket).map_err(MxError::because)? {
                addresses.push(socket.local_addr().map_err(MxError::because)?);
                let (door, over) = (Arc::clone(&door), Arc::clone(&door));
                let accepting = switchyard_daemon::accept::accept(
                    socket,
                    sessions.clone(),
                    move |stream, peer| Arc::clone(&door).session(stream, peer),
                    move |stream, peer| Arc::clone(&over).refuse(stream, peer),
                );
                process.tasks.essential("accept", accepting);
            }
        }
        for name in listeners.unclaimed() {
            tracing::warn!(name, "systemd passed a socket that no setting names");
        }
        if let Some(socket) = &settings.common.control {
            let routes = control_routes(&settings, &kept.shared.maps, &reloader);
            control::start(socket, routes, process).map_err(MxError::because)?;
        }
        tracing::info!(?addresses, routers = settings.routers.pool.len(), "listening");
        listening.met();
        Ok(Self { live, settings: Mutex::new(settings), kept, reloader, addresses, metrics_addresses })
    }

    async fn reload(&self, mut settings: MxSettings) -> Result<(), MxError> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for name in hold(&before, &mut settings) {
            tracing::warn!(setting = name, "changed, and takes a restart: the old value holds");
        }
        // A certificate may be another one under the same name: with any file in play they are read again.
        let tls = &settings.routers.tls;
        let hand_over = if settings.routers == before.routers && tls.ca.is_none() && tls.certificate.is_none()
        {
            Arc::clone(&self.live.load().rules.hand_over)
        } else {
            Arc::new(self.kept.hand_over(&settings)?)
        };
        let live = self.kept.live(&settings, hand_over)?;
        self.kept.load.set_high(high(&settings));
        let before = self.live.swap(Arc::new(live));
        if !Arc::ptr_eq(&before.rules.hand_over, &self.live.load().rules.hand_over) {
            before.rules.hand_over.close_idle(true).await;
        }
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        let reloader = self.reloader.clone();
        let maps = tokio::task::spawn_blocking(move || reloader.reload()).await;
        // What is wrong with the maps is in the log by now. The old ones hold, and the settings are the new ones.
        maps.map(drop).map_err(MxError::because)
    }

    async fn finish(&self) {
        self.live.load_full().rules.hand_over.close_idle(true).await;
    }
}

impl Mx {
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
}

/// What a front with these settings would do with a message, and why, by these maps.
#[must_use]
pub fn explain(settings: &MxSettings, maps: &Snapshot, message: &Message) -> Explanation {
    explaining(settings).explain(maps, message)
}

/// What the operator's tool may ask.
fn control_routes(settings: &MxSettings, maps: &MapHandle, reloader: &Reloader) -> axum::Router {
    let front = explaining(settings);
    let explaining =
        switchyard_maps::control::explaining(maps.clone(), move |maps, message| front.explain(maps, message));
    switchyard_maps::control::routes(maps.clone(), reloader.clone()).merge(explaining)
}

#[cfg(test)]
mod tests;
