//! The hub: keeps what admins signed, tells every host at once, hands the files out.
//!
//! The way of a push: `door` (the handshake, who it is) → `api` (whether they may) → `api/generations` → `board`
//! (checked as a host would, kept, shown) → everyone who waits. Files come before the generation that names them.
//! Where there are several hubs, `order` says which message comes next, and `sharing` what hosts say to others of
//! them.
//!
//! Invariants kept here:
//! - Nothing is shown that a host would refuse, and nothing that is not durable.
//! - A generation is shown only when every file that it names is here.
//! - Who has no right to a route gets nothing of it; routes that are not in the table of rights have no friends.
//! - Octets of a stranger are read only up to the end of the handshake, in few places and little time.
//!
//! `settings` takes the settings apart and hands each room its own; beside this file no other knows of them.

mod api;
mod board;
mod deltas;
mod door;
mod fleet;
mod metrics;
mod order;
mod packs;
mod questions;
mod recent;
mod rollouts;
mod settings;
mod shared;
mod sharing;
mod small;
mod store;
mod sweep;
#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use switchyard_config::change::Effective;
use switchyard_config::{HubSettings, Settings};
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
use switchyard_mapsync_protocol::Environment;
use tokio::sync::Semaphore;

use self::api::routes;
use self::board::Board;
use self::deltas::Deltas;
use self::door::{Door, HANDSHAKES};
use self::metrics::Metrics;
use self::order::Order;
use self::packs::Packs;
use self::settings::{bounds, gates, mutual_tls, order, to_etcd};
use self::shared::{Rooms, Shared};
use self::small::Small;
use self::store::blobs::Blobs;
use self::store::heads::Heads;
use crate::root;

/// Uploads at once.
const UPLOADS: usize = 8;

/// A running hub.
#[derive(Debug)]
pub struct Hub {
    shared: Shared,
    routes: Router,
    handshakes: Arc<Semaphore>,
    settings: Mutex<HubSettings>,
    doors: Doors<Door>,
    control: Control,
    metrics_addresses: Vec<SocketAddr>,
}

impl Daemon for Hub {
    const NAME: &'static str = "switchyard-mapsync hub";
    const ABOUT: &'static str =
        "Keeps what admins signed, tells every host of a site at once, and hands the files out";
    type Settings = HubSettings;
    type Held = Effective;
    type Error = Fault;

    fn load(path: &Path) -> Result<(HubSettings, Effective), Fault> {
        Ok(HubSettings::load_whole(path)?)
    }

    fn log(settings: &HubSettings) -> &LogOptions {
        &settings.log
    }

    fn drain_deadline(settings: &HubSettings) -> Duration {
        settings.limits.drain_deadline
    }

    fn check(settings: &HubSettings) -> Result<(), Fault> {
        let mut faults = Vec::new();
        if let Err(error) = mutual_tls(settings).server() {
            faults.push(error.to_string());
        }
        if let Err(error) = to_etcd(settings) {
            faults.push(error.to_string());
        }
        for (name, path) in &settings.environments {
            if let Err(error) = first_root(name, path) {
                faults.push(error.to_string());
            }
        }
        Fault::of(&faults)
    }

    async fn start(
        settings: HubSettings,
        listeners: &mut Listeners,
        process: &mut Process,
    ) -> Result<Self, Fault> {
        let registry = Registry::new();
        registry.describe_process("mapsync", env!("CARGO_PKG_VERSION"))?;
        let listening = process.readiness.condition("hub", "not listening yet");
        let metrics_addresses = http::start(&settings.metrics, listeners, &registry, process)?;

        let (order, peers) = order(&settings)?;
        let (boards, blobs) = opened(&settings, !matches!(order, Order::Alone)).await?;
        let blobs = Arc::new(blobs);
        let packs = Packs::open(&settings.store, Arc::clone(&blobs))?;
        let shared = Shared::new(Rooms {
            boards,
            deltas: Arc::new(Deltas::new(Arc::clone(&blobs))),
            packs: Arc::new(packs),
            blobs,
            small: Small::default(),
            order,
            peers: Arc::new(peers),
            bounds: ArcSwap::from_pointee(bounds(&settings)),
            uploads: Semaphore::new(UPLOADS),
            clock: Clock::system(),
            drain: process.drain.clone(),
            metrics: Metrics::register(&registry)?,
            gates: ArcSwap::from_pointee(gates(&settings)),
        });
        shared.metrics.stored.set(i64::try_from(shared.blobs.octets()).unwrap_or(i64::MAX));
        shared.boards.values().for_each(|board| shared.tell(board));
        process.tasks.essential("order", order::heard(shared.clone()));
        process.tasks.essential("rollouts", rollouts::drive(shared.clone()));
        process.tasks.essential("sharing", sharing::share(shared.clone()));
        process.tasks.essential("sweep", sweep::sweep(shared.clone()));
        let accepting = AcceptMetrics::register(&registry, "mapsync_hub")?;
        let sessions = Sessions::new(settings.limits.connections, process.drain.clone(), accepting);
        process.reloads.register(&registry)?;
        let control = control::start(settings.control.as_deref(), process.reloads.routes(), process)?;
        let hub = Self {
            routes: routes(&shared),
            shared,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES)),
            doors: Doors::new(sessions, process),
            control,
            settings: Mutex::new(settings.clone()),
            metrics_addresses,
        };
        let tls = mutual_tls(&settings).server()?;
        let sockets = settings.listen.iter().map(|listener| &listener.socket);
        let sockets = hub.doors.prepare(sockets, listeners)?;
        hub.doors.commit(sockets, |_, drain| hub.door(&tls, drain)).await;
        tracing::info!(addresses = ?hub.addresses(), environments = hub.shared.boards.len(), "listening");
        listening.met();
        Ok(hub)
    }

    async fn reload(&self, settings: HubSettings) -> Result<Vec<String>, Fault> {
        self.take(settings).await
    }

    async fn finish(&self) {}
}

/// Everything that is on disk. With others to fetch files from, what lacks some is not shown before they have come.
async fn opened(
    settings: &HubSettings,
    has_others: bool,
) -> Result<(BTreeMap<String, Arc<Board>>, Blobs), Fault> {
    let (folder, environments) = (settings.store.clone(), settings.environments.clone());
    let opened = move || {
        fs::create_dir_all(&folder).map_err(|error| Fault::at(folder.display(), error))?;
        let blobs = Blobs::open(&folder).map_err(|error| Fault::at(folder.display(), error))?;
        let heads = Arc::new(Heads::open(&folder.join("heads.redb"))?);
        let mut boards = BTreeMap::new();
        for (name, path) in environments {
            let (environment, root) = first_root(&name, &path)?;
            let board = Board::open(environment, &root, Arc::clone(&heads), has_others.then_some(&blobs));
            let board = board.map_err(|error| Fault::at(format!("the environment `{name}`"), error))?;
            boards.insert(name, Arc::new(board));
        }
        Ok((boards, blobs))
    };
    tokio::task::spawn_blocking(opened).await?
}

/// An environment, and its root that a person put here.
fn first_root(name: &str, path: &Path) -> Result<(Environment, Vec<u8>), Fault> {
    root::first(&format!("[environments.{name}]"), name, path)
}

impl Hub {
    /// Where it can be reached, in the order of the settings.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.doors.addresses()
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn metrics_addresses(&self) -> &[SocketAddr] {
        &self.metrics_addresses
    }

    fn door(&self, tls: &Arc<rustls::ServerConfig>, drain: &Drain) -> Door {
        Door {
            tls: Arc::clone(tls),
            routes: self.routes.clone(),
            handshakes: Arc::clone(&self.handshakes),
            metrics: self.shared.metrics.clone(),
            drain: drain.clone(),
        }
    }
}
