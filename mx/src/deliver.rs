//! The hand-over: a message goes to a router inside the client's own transaction, and the router's answer is
//! the answer.
//!
//! 1. [`HandOver::hand_over`] takes one of a bounded number of places, and keeps one deadline for it all.
//! 2. [`crate::route`] chooses a router; [`pool`] leases a connection to it, which [`connect`] made.
//! 3. The envelope and the content go out in one write, named by the transaction's id, where the router is one
//!    of ours; [`verdict`] reads what it said.
//! 4. A router that can't be reached, or breaks off before the end of data, is left for the next one at once.
//!    One that breaks off after it may have taken the message: it is asked again first, under the same id, and
//!    answers 250 for what it has already.
//!
//! A router that is not one of ours is spoken to in the ordinary way. It may take a message for some of its
//! recipients and refuse the others; then the client is asked to come again, and those who have it get a second
//! copy: rather two than none.
//!
//! Invariants kept here:
//! - [`RouterTook`] is made in one place: from a router's own 2yz for every recipient.
//! - Nothing is kept. A message that no router took is still the client's.

mod connect;
mod pool;
mod verdict;

use std::time::Duration;

use switchyard_daemon::clock::Clock;
use switchyard_daemon::service::ServiceManager;
use switchyard_smtp::client::{Delivery, Timeouts, Transfer};
use switchyard_smtp::envelope::{MailObject, Recipient};
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Took;
use switchyard_smtp::wire::command::Attributes;
use tokio::sync::Semaphore;

pub(crate) use connect::{Connector, Resolver, RouterAddress, RouterTls};
use pool::{Pool, Want};
use verdict::{Verdict, judge, pass_on};

use crate::metrics::{Attempt, Connection, Metrics, Reason};
use crate::route::{Change, Choice, Routers};

/// For one message, over all routers: below the ten minutes that a client waits for the answer to its final
/// dot (RFC 5321 §4.5.3.2.6).
const HAND_OVER_TIME: Duration = Duration::from_secs(180);
/// For a router's answers: it is one of ours, and near.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// For a router's answer to the content: it waits for its disk.
const TAKE_TIME: Duration = Duration::from_secs(120);

/// How long a router is waited for.
pub(crate) fn timeouts(connect: Duration) -> Timeouts {
    Timeouts {
        connect,
        greeting: ANSWER_TIME,
        hello: ANSWER_TIME,
        tls: ANSWER_TIME,
        mail: ANSWER_TIME,
        rcpt: ANSWER_TIME,
        data: ANSWER_TIME,
        data_block: ANSWER_TIME,
        final_dot: TAKE_TIME,
        quit: Duration::from_secs(1),
    }
}

/// What a hand-over is bounded by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandOverOptions {
    /// Connections in use to one router.
    pub(crate) connections: usize,
    /// Hand-overs at once.
    pub(crate) hand_overs: usize,
    /// How long a connection without work is kept.
    pub(crate) connection_idle: Duration,
    /// How long a router that failed is left alone.
    pub(crate) retry_dead_after: Duration,
}

/// The routers, and the way to them.
#[derive(Debug)]
pub(crate) struct HandOver {
    routers: Routers,
    pools: Vec<Pool>,
    places: Semaphore,
    clock: Clock,
    metrics: Metrics,
    service: ServiceManager,
}

/// Proof that a router took a message: it said so, for every recipient.
#[derive(Debug)]
pub(crate) struct RouterTook {
    reply: Reply,
    /// Which router, for the log.
    pub(crate) router: String,
}

impl Took for RouterTook {
    fn reply(&self) -> Reply {
        self.reply.clone()
    }
}

/// No router took it; the client keeps it, or gives up.
#[derive(Debug)]
pub(crate) struct NotTaken {
    /// What the client hears.
    pub(crate) reply: Reply,
    /// Why, in one word.
    pub(crate) reason: Reason,
    /// Which router said so, where one did.
    pub(crate) router: Option<String>,
    /// Recipients that a router will never take, by their place in the envelope.
    pub(crate) refused: Vec<(usize, Reply)>,
}

/// What came of one router.
enum Offered {
    Answered(Result<RouterTook, NotTaken>),
    Elsewhere(NotTaken),
    Failed,
}

/// Times that a message is offered to one router: a stale connection, an answer that was lost, and once more.
const OFFERS: usize = 3;

impl HandOver {
    pub(crate) fn new(
        connectors: Vec<Connector>,
        options: &HandOverOptions,
        clock: Clock,
        metrics: Metrics,
        service: ServiceManager,
    ) -> Self {
        let pool =
            |connector| Pool::new(connector, options.connections, options.connection_idle, clock.clone());
        Self {
            routers: Routers::new(connectors.len(), options.retry_dead_after),
            pools: connectors.into_iter().map(pool).collect(),
            places: Semaphore::new(options.hand_overs.min(Semaphore::MAX_PERMITS)),
            clock,
            metrics,
            service,
        }
    }

    /// Why no message can be handed over now, if it can't: asked before a client sends one in vain.
    pub(crate) fn obstacle(&self) -> Option<(Reply, Reason)> {
        if self.is_full() {
            Some((too_busy(), Reason::Busy))
        } else if !self.routers.may_answer(self.clock.now_monotonic()) {
            Some((table::NO_ROUTER, Reason::NoRouter))
        } else {
            None
        }
    }

    /// True when as many messages are being handed over as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Hands a message over to a router, for all of its recipients or for none.
    pub(crate) async fn hand_over(
        &self,
        mail: &MailObject,
        forwarded: &Attributes,
    ) -> Result<RouterTook, NotTaken> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(NotTaken::by_us(too_busy(), Reason::Busy));
        };
        let _open = Open::count(&self.metrics);
        let handed_over = tokio::time::timeout(HAND_OVER_TIME, self.ask_routers(mail, forwarded)).await;
        handed_over.unwrap_or_else(|_| Err(NotTaken::by_us(table::NO_ROUTER, Reason::NoRouter)))
    }

    async fn ask_routers(&self, mail: &MailObject, forwarded: &Attributes) -> Result<RouterTook, NotTaken> {
        let recipients: Vec<&Recipient> = mail.envelope.recipients.iter().collect();
        let delivery = Delivery {
            sender: &mail.envelope.sender,
            recipients: &recipients,
            content: &mail.content,
            forwarded: Some(forwarded),
            transfer: Transfer::Whole,
        };
        let mut tried = Vec::with_capacity(self.pools.len());
        let mut answer = NotTaken::by_us(table::NO_ROUTER, Reason::NoRouter);
        while let Some(choice) = self.routers.choose(&tried, self.clock.now_monotonic()) {
            tried.push(choice.index());
            match self.offer(choice, &delivery).await {
                Offered::Answered(answer) => return answer,
                Offered::Elsewhere(said) => answer = said,
                Offered::Failed => {}
            }
        }
        Err(answer)
    }

    /// Offers a message to one router, over a second connection where the first was of no use.
    async fn offer(&self, mut choice: Choice<'_>, delivery: &Delivery<'_>) -> Offered {
        let Some(pool) = self.pools.get(choice.index()) else { return Offered::Failed };
        let mut want = Want::Any;
        for _ in 0..OFFERS {
            let mut lease = match pool.lease(want).await {
                Ok(lease) => lease,
                Err(error) => {
                    self.metrics.attempt(Attempt::Unreachable);
                    tracing::debug!(router = %pool.name(), %error, "no connection to a router");
                    let change = if error.was_answered() {
                        choice.answers()
                    } else {
                        choice.died(self.clock.now_monotonic())
                    };
                    self.tell(change, pool, &error);
                    return Offered::Failed;
                }
            };
            let from = if lease.reused { Connection::Reused } else { Connection::New };
            self.metrics.connection(from);
            let knows_again = lease.connection.extensions().xtxn;
            let outcome = lease.connection.deliver(delivery).await;
            let verdict = judge(&outcome);
            tracing::debug!(router = %pool.name(), ?verdict, "a router answered");
            let reused = lease.reused;
            lease.give_back();
            match verdict {
                Verdict::Lost { after_final_dot } => {
                    self.metrics.attempt(if after_final_dot { Attempt::Ambiguous } else { Attempt::Lost });
                    if after_final_dot && !knows_again {
                        // It would take a second copy for a second message. The client may send one; we don't.
                        return Offered::Answered(Err(NotTaken::by(
                            pool,
                            &table::NO_ROUTER,
                            Reason::NoRouter,
                        )));
                    }
                    if !after_final_dot && !reused {
                        self.tell(choice.died(self.clock.now_monotonic()), pool, &"the connection was lost");
                        return Offered::Failed;
                    }
                    want = Want::New;
                }
                Verdict::Taken(reply) => {
                    self.metrics.attempt(Attempt::Taken);
                    self.tell(choice.answers(), pool, &"");
                    let reply = pass_on(&table::TAKEN.with_text(reply.text));
                    return Offered::Answered(Ok(RouterTook { reply, router: pool.name().to_string() }));
                }
                Verdict::No { reply, refused } => {
                    self.metrics.attempt(Attempt::Refused);
                    self.tell(choice.answers(), pool, &"");
                    let not_taken = NotTaken { refused, ..NotTaken::by(pool, &reply, Reason::Router) };
                    return Offered::Answered(Err(not_taken));
                }
                // The end of a connection that lay in the pool, or has carried much, is no word about the router:
                // one that was started anew has said so on all of its old ones.
                Verdict::Elsewhere(reply) if reply.closes() && reused => {
                    self.metrics.attempt(Attempt::Lost);
                    want = Want::New;
                }
                Verdict::Elsewhere(reply) => {
                    self.metrics.attempt(Attempt::Refused);
                    self.tell(choice.answers(), pool, &"");
                    return Offered::Elsewhere(NotTaken::by(pool, &reply, Reason::Router));
                }
            }
        }
        self.tell(choice.died(self.clock.now_monotonic()), pool, &"connections are lost again and again");
        Offered::Failed
    }

    /// Says what changed about a router, to the log, the metrics and the service manager.
    fn tell(&self, change: Change, pool: &Pool, why: &dyn std::fmt::Display) {
        match change {
            Change::None => return,
            Change::Died => tracing::warn!(router = %pool.name(), %why, "a router does not answer"),
            Change::Revived => tracing::info!(router = %pool.name(), "a router answers again"),
        }
        let dead: Vec<String> = self
            .routers
            .dead()
            .filter_map(|index| self.pools.get(index))
            .map(|pool| pool.name().to_string())
            .collect();
        self.metrics.dead.set(i64::try_from(dead.len()).unwrap_or(i64::MAX));
        let status = match dead.as_slice() {
            [] => "ready".to_owned(),
            dead => format!("ready; routers that do not answer: {}", dead.join(", ")),
        };
        self.service.status(&status);
    }

    /// Closes connections that lay too long, or all that lie.
    pub(crate) async fn close_idle(&self, all: bool) {
        for pool in &self.pools {
            pool.close_idle(all).await;
        }
    }
}

/// 421 would end the client's session, in which nothing is wrong.
fn too_busy() -> Reply {
    table::LOCAL_ERROR.with_text("Too busy, try again")
}

impl NotTaken {
    fn by_us(reply: Reply, reason: Reason) -> Self {
        Self { reply, reason, router: None, refused: Vec::new() }
    }

    fn by(pool: &Pool, reply: &Reply, reason: Reason) -> Self {
        Self { router: Some(pool.name().to_string()), ..Self::by_us(pass_on(reply), reason) }
    }
}

/// One message being handed over, in the gauge for as long as it is.
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn count(metrics: &'a Metrics) -> Self {
        metrics.open.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}
