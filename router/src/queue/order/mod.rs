//! What an operator orders of mail that waits: hold, release, retry, reroute, bounce, delete.
//!
//! An order means the messages that its selector means when it comes by. It acts at once on what waits, also on
//! what waits in line for a connection; an attempt that is under way comes to its end first. An order is done when
//! what it changed is on the disk.

mod apply;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use switchyard_maps::Route;

use super::QueueHandle;
use super::row::timestamp;
use super::select::Selector;
use super::suspend::{LONGEST, Suspension, SuspensionsError};
use super::walk::Walk;
use crate::spool::{GivenUp, Held, Holder};

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "lowercase", deny_unknown_fields)]
pub enum Order {
    /// Try nothing until somebody releases it; no map does.
    Hold {
        /// Why, for whoever looks at it later.
        reason: String,
    },
    /// What is on hold is tried now.
    Release,
    /// What is deferred is tried now.
    Retry,
    /// The recipients that are meant go elsewhere, now and until they are delivered.
    Reroute {
        /// `transport:nexthop`, as in a transport map; none to go by the maps again.
        to: Option<String>,
    },
    /// The recipients that are meant are given up, and the sender hears of it.
    Bounce {
        /// Why, for the sender.
        reason: String,
    },
    /// The recipients that are meant are not tried for a while, nor are those of mail that comes meanwhile.
    Suspend {
        /// For how long.
        seconds: u64,
        /// Why, for whoever looks at it later.
        reason: String,
    },
    /// The recipients that are meant are given up, and nobody hears of it.
    Delete {
        /// Why, for the log.
        reason: String,
    },
}

/// An order, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What to do.
    pub order: Order,
    /// To which messages.
    #[serde(default)]
    pub select: Selector,
    /// A selector that says nothing means everything.
    #[serde(default)]
    pub all: bool,
    /// Only count.
    #[serde(default)]
    pub dry_run: bool,
}

/// What came of an order, so far or in the end. `matched` is the sum of the three after `recipients`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Messages that are meant.
    pub matched: u64,
    /// Their recipients that are meant.
    pub recipients: u64,
    /// Messages that the order has changed.
    pub changed: u64,
    /// Messages that are being delivered right now: the order takes hold when the attempt has ended.
    pub under_way: u64,
    /// Messages that were as ordered before, or that went while the order was carried out.
    pub unchanged: u64,
}

/// An order that is none; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It says nothing of which messages it means.
    #[error("nothing says which messages are meant: select some, or say that all are meant")]
    Everything,
    /// A word in it is wrong.
    #[error("{0}")]
    Word(String),
    /// It comes too late.
    #[error("the router is stopping; its queue is as it was")]
    Stopping,
    /// A suspension that cannot be kept.
    #[error(transparent)]
    Suspensions(#[from] SuspensionsError),
    /// What it did could not be made durable.
    #[error("what was changed could not be written: {0}; after a restart it may be as before")]
    Disk(crate::spool::SpoolError),
}

/// An order whose words were read.
#[derive(Debug)]
enum Prepared {
    Hold(Held),
    Release,
    Retry,
    Reroute(Option<Arc<Route>>),
    GiveUp(Arc<GivenUp>),
    Suspend(Arc<Suspension>),
}

impl Order {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Hold { .. } => "hold",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Reroute { .. } => "reroute",
            Self::Suspend { .. } => "suspend",
            Self::Bounce { .. } => "bounce",
            Self::Delete { .. } => "delete",
        }
    }
}

/// An order that was understood, and waits to be carried out.
#[derive(Debug)]
pub struct Taken {
    queue: QueueHandle,
    verb: &'static str,
    prepared: Prepared,
    walk: Walk,
    dry_run: bool,
}

impl QueueHandle {
    /// Takes an order; nothing is done yet.
    ///
    /// # Errors
    /// When it is none.
    pub fn take(&self, request: Request) -> Result<Taken, OrderError> {
        let Request { order, select, all, dry_run } = request;
        if select.is_empty() && !all {
            return Err(OrderError::Everything);
        }
        if self.0.lock().is_draining() {
            return Err(OrderError::Stopping);
        }
        let prepared = self.0.prepare(&order, &select)?;
        let walk = Walk::new(self, select).map_err(OrderError::Word)?;
        Ok(Taken { queue: self.clone(), verb: order.as_str(), prepared, walk, dry_run })
    }
}

impl Taken {
    /// Carries it out, page by page; `progress` hears how far it has come. One order at a time.
    ///
    /// # Errors
    /// When what it did is not durable.
    pub async fn carry_out(mut self, mut progress: impl FnMut(&Tally)) -> Result<Tally, OrderError> {
        let shared = &self.queue.0;
        let _turn = shared.orders.lock().await;
        if let Prepared::Suspend(suspension) = &self.prepared
            && !self.dry_run
        {
            let added =
                shared.suspensions.add(Suspension::clone(suspension), shared.clock.now_wall()).await?;
            shared.show_suspensions();
            self.prepared = Prepared::Suspend(added);
        }
        let mut tally = Tally::default();
        while let Some(mut page) = self.walk.next(shared).await {
            page.retain(|meant| self.prepared.is_about(meant.place, &meant.message.state()));
            tally.matched += page.len() as u64;
            tally.recipients += page.iter().map(|meant| meant.recipients.len() as u64).sum::<u64>();
            shared.apply(&self.prepared, page, self.dry_run, &mut tally).await;
            progress(&tally);
        }
        if !self.dry_run && tally.matched > 0 {
            // What is due now is tried now.
            shared.wake.notify_one();
            tracing::info!(
                order = self.verb,
                matched = tally.matched,
                changed = tally.changed,
                under_way = tally.under_way,
                "the operator's order is carried out"
            );
            shared.spool.flush().await.map_err(OrderError::Disk)?;
        }
        Ok(tally)
    }
}

impl super::Shared {
    fn prepare(&self, order: &Order, select: &Selector) -> Result<Prepared, OrderError> {
        Ok(match order {
            Order::Hold { reason } => Prepared::Hold(Held::new(Holder::Hand, reason)),
            Order::Release => Prepared::Release,
            Order::Retry => Prepared::Retry,
            Order::Reroute { to } => {
                let route = to.as_deref().map(|to| self.read_route(to)).transpose();
                Prepared::Reroute(route.map_err(OrderError::Word)?.map(Arc::new))
            }
            Order::Suspend { seconds, reason } => {
                Prepared::Suspend(Arc::new(self.read_suspension(*seconds, reason, select)?))
            }
            Order::Bounce { reason } => Prepared::GiveUp(Arc::new(GivenUp::new(reason, true))),
            Order::Delete { reason } => Prepared::GiveUp(Arc::new(GivenUp::new(reason, false))),
        })
    }

    fn read_suspension(
        &self,
        seconds: u64,
        reason: &str,
        select: &Selector,
    ) -> Result<Suspension, OrderError> {
        if select.queue.is_some() || select.reason.is_some() {
            let why =
                "a suspension also meets new mail: neither its queue nor why it is on hold can be asked for";
            return Err(OrderError::Word(why.to_owned()));
        }
        let length = Duration::from_secs(seconds);
        if length.is_zero() || length > LONGEST {
            return Err(OrderError::Word("a suspension lasts from a second to a year".to_owned()));
        }
        let wall = self.clock.now_wall();
        Ok(Suspension {
            number: 0,
            select: select.clone(),
            reason: Held::new(Holder::Hand, reason).reason.into(),
            since: timestamp(wall),
            until: timestamp(wall + length),
        })
    }

    /// Reads a way that mail can go.
    pub(super) fn read_route(&self, text: &str) -> Result<Route, String> {
        match Route::parse(text, &self.means.load().routes.pools.names()) {
            Ok(route @ Route::Deliver { .. }) => Ok(route),
            Ok(_) => {
                Err(format!("`{text}` is no next hop: write `smtp:[host]:port`, `lmtp:…` or `smtp:@pool`"))
            }
            Err(bad) => Err(format!("`{text}`: {bad}")),
        }
    }
}
