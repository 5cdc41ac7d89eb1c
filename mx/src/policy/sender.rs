//! MAIL begins a transaction, if the sender may send: what it holds on to until its end.

use std::time::Instant;

use switchyard_daemon::session::Stage;
use switchyard_maps::Snapshot;
use switchyard_maps::access::standing::{Asked, Standing};
use switchyard_smtp::envelope::{Sender, TransactionId};
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Client;

use super::{Policy, Shared};

/// What belongs to one transaction; RSET drops it.
#[derive(Debug)]
pub(crate) struct Held {
    /// One generation of the maps for all of its recipients.
    pub(super) maps: Snapshot,
    /// What makes the hop to a router exactly-once, and names the message in our log.
    pub(super) id: TransactionId,
    /// When it began.
    pub(super) since: Instant,
    /// What access tables have said of its client and its sender, and waits to be applied.
    pub(super) standing: Standing,
}

impl Policy {
    pub(super) async fn decide_sender(&mut self, client: &Client, sender: &Sender) -> Result<Held, Reply> {
        let mut held = Held::begin(&self.rules.shared, self.of_hello.clone());
        let path = &sender.reverse_path;
        let answer = Box::pin(held.maps.settled(|maps| maps.access_sender(path))).await;
        self.rule(&mut held.standing, Asked::Sender, answer, client, path)?;
        let word = Box::pin(self.filters.sender(client, sender, &held.id.to_string())).await;
        self.filtered(Stage::Sender, client, word)?;
        Ok(held)
    }
}

impl Held {
    fn begin(shared: &Shared, standing: Standing) -> Self {
        Self {
            maps: shared.maps.snapshot(),
            id: TransactionId(uuid::Uuid::new_v4().as_u128()),
            since: shared.clock.now_monotonic(),
            standing,
        }
    }
}
