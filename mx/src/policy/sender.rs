//! MAIL begins a transaction: what it holds on to until its end.

use std::time::Instant;

use switchyard_maps::Snapshot;
use switchyard_smtp::envelope::TransactionId;

use super::Shared;

/// What belongs to one transaction; RSET drops it.
#[derive(Debug)]
pub(crate) struct Held {
    /// One generation of the maps for all of its recipients.
    pub(super) maps: Snapshot,
    /// What makes the hop to a router exactly-once, and names the message in our log.
    pub(super) id: TransactionId,
    /// When it began.
    pub(super) since: Instant,
}

impl Held {
    pub(super) fn begin(shared: &Shared) -> Self {
        Self {
            maps: shared.maps.snapshot(),
            id: TransactionId(uuid::Uuid::new_v4().as_u128()),
            since: shared.clock.now_monotonic(),
        }
    }
}
