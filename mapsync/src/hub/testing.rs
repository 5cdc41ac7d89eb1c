//! A hub without a socket, for tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::metrics::Registry;
use switchyard_mapsync_protocol::rollout::Gates;
use switchyard_mapsync_protocol::status::{Counters, Progress, Status};
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::sync::Semaphore;

use super::UPLOADS;
use super::board::Board;
use super::deltas::Deltas;
use super::metrics::Metrics;
use super::order::{Order, Peers};
use super::packs::Packs;
use super::settings::Bounds;
use super::shared::{Rooms, Shared};
use super::small::Small;
use super::store::blobs::Blobs;
use super::store::heads::Heads;

/// A hub alone, for the environment `live` with this first root, in a folder.
pub(crate) fn hub(folder: &Path, root: &[u8], clock: Clock, drain: Drain) -> Shared {
    let heads = Arc::new(Heads::open(&folder.join("heads.redb")).unwrap());
    let board = Board::open(Environment::try_from("live".to_owned()).unwrap(), root, heads, None).unwrap();
    let blobs = Arc::new(Blobs::open(folder).unwrap());
    Shared::new(Rooms {
        boards: BTreeMap::from([("live".to_owned(), Arc::new(board))]),
        deltas: Arc::new(Deltas::new(Arc::clone(&blobs))),
        packs: Arc::new(Packs::open(folder, Arc::clone(&blobs)).unwrap()),
        blobs,
        small: Small::default(),
        order: Order::Alone,
        peers: Arc::new(Peers::new(Vec::new(), nobody(), 1)),
        bounds: ArcSwap::from_pointee(bounds()),
        uploads: Semaphore::new(UPLOADS),
        clock,
        drain,
        metrics: Metrics::register(&Registry::new()).unwrap(),
        gates: ArcSwap::from_pointee(Gates::default()),
    })
}

/// Small ones.
pub(crate) fn bounds() -> Bounds {
    Bounds { blob: 100_000, store: 250_000, second_signature: false }
}

/// TLS that trusts nobody.
fn nobody() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    Arc::new(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// A host's word.
pub(crate) fn status(host: &str) -> Status {
    Status {
        environment: Environment::try_from("live".to_owned()).unwrap(),
        host: host.to_owned(),
        role: "mx".to_owned(),
        site: "here".to_owned(),
        version: "0.1.0".to_owned(),
        nonce: 1,
        at: Timestamp(1),
        progress: Progress::default(),
        counters: Counters::default(),
        disk_free: 1,
    }
}
