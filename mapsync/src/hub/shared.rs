//! What all requests share.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::rollout::Gates;
use tokio::sync::Semaphore;

use super::api::problem::Problem;
use super::board::{Board, Kind};
use super::deltas::Deltas;
use super::metrics::Metrics;
use super::order::{Order, Peers};
use super::packs::Packs;
use super::settings::Bounds;
use super::small::Small;
use super::store::blobs::Blobs;
use crate::identity::Identity;

/// All rooms of a hub. The server takes it in hand several times for each request, so a clone costs one count.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Rooms>);

/// The rooms.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(super) boards: BTreeMap<String, Arc<Board>>,
    pub(super) blobs: Arc<Blobs>,
    /// The small files among them that were asked for last.
    pub(super) small: Small,
    pub(super) deltas: Arc<Deltas>,
    pub(super) packs: Arc<Packs>,
    pub(super) order: Order,
    pub(super) peers: Arc<Peers>,
    pub(super) bounds: ArcSwap<Bounds>,
    pub(super) uploads: Semaphore,
    pub(super) clock: Clock,
    pub(super) drain: Drain,
    pub(super) metrics: Metrics,
    /// What a step of a rollout must pass.
    pub(super) gates: ArcSwap<Gates>,
}

impl Deref for Shared {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0
    }
}

impl Shared {
    pub(super) fn new(rooms: Rooms) -> Self {
        Self(Arc::new(rooms))
    }

    /// The environment that is asked for, if it is the caller's own.
    pub(super) fn board(&self, caller: &Identity, environment: &str) -> Result<Arc<Board>, Problem> {
        // An authority may serve several environments, and a certificate counts in its own only.
        if caller.environment.to_string() != environment {
            let why =
                format!("the certificate counts in `{}`, and not in `{environment}`", caller.environment);
            return Err(Problem::forbidden(why));
        }
        let board = self.boards.get(environment).map(Arc::clone);
        board.ok_or_else(|| Problem::not_found(format!("`{environment}` is not served here")))
    }

    /// Tells the metrics and the list of hosts what is shown now.
    pub(super) fn tell(&self, board: &Board) {
        let shown = board.watch().borrow().clone();
        let generation = i64::try_from(shown.number(Kind::Head)).unwrap_or(i64::MAX);
        let name = board.environment().to_string();
        self.metrics.generation.with_label_values(&[&name]).set(generation);
        if let Some(release) = shown.released() {
            board.fleet.released(release.names(), release.sequence, self.clock.now_monotonic());
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let since = self.clock.now_wall().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp(since.unwrap_or_default().as_secs())
    }
}
