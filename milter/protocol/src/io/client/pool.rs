//! The places of one filter, and the connections to them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Waker};

use prometheus::Histogram;
use tokio::time::{Duration, Instant};

use super::link::{Link, LinkError};
use super::room::{Generation, Owner, Permit, Room};
use super::{Cause, ClientMetrics, FilterOptions};
use crate::response::Action;
use crate::stage::Stage;

/// After a word in the middle of a row: messages whose header is answered before their body is told, and their body
/// before their end.
const CAUTIOUS: usize = 64;

/// All that sessions with one filter share.
#[derive(Debug)]
pub struct Pool {
    options: FilterOptions,
    metrics: ClientMetrics,
    /// "Continue" to each stage, which is what filters say most.
    continued: [OnceLock<Histogram>; Stage::ALL.len()],
    /// Where the next new connection is tried first, so that places share the load.
    next: AtomicUsize,
    /// Messages that are still told with a wait behind their header and one behind their body.
    cautious: AtomicUsize,
    /// Until when each place is asked last.
    shunned: Mutex<Vec<Option<Instant>>>,
    generation: Generation,
    /// Shared with the pools of the settings before and after these.
    room: Arc<Room>,
}

/// A link for one session.
#[derive(Debug)]
pub(super) struct Leased {
    /// Of the settings that `place` counts in.
    pub(super) generation: Generation,
    pub(super) place: usize,
    pub(super) link: Link,
    /// It served another before: that it is gone says nothing about its place.
    pub(super) used: bool,
    /// Its place among the connections, held until it is closed.
    permit: Permit,
}

impl Pool {
    /// Connects nowhere yet.
    #[must_use]
    pub fn new(options: FilterOptions, metrics: ClientMetrics) -> Self {
        let shunned = Mutex::new(vec![None; options.places.len()]);
        let room = Arc::new(Room::new(options.connections, options.waiting));
        let (next, cautious) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (continued, generation) = (Default::default(), Generation::default());
        Self { options, metrics, continued, next, cautious, shunned, generation, room }
    }

    /// The same filter under other settings. Sessions with this pool go on, and count within the bound of the new one
    /// from its first session on.
    #[must_use]
    pub fn renewed(&self, options: FilterOptions) -> Self {
        let (generation, room) = (self.generation.next(), Arc::clone(&self.room));
        Self { generation, room, ..Self::new(options, self.metrics.clone()) }
    }

    /// How it is set up.
    #[must_use]
    pub fn options(&self) -> &FilterOptions {
        &self.options
    }

    pub(super) fn metrics(&self) -> &ClientMetrics {
        &self.metrics
    }

    /// Counts an answer.
    pub(super) fn answered(&self, stage: Stage, action: &Action, took: Duration) {
        let find = || self.metrics.answers(&self.options.name, stage, action.as_str());
        match self.continued.get(stage as usize).filter(|_| *action == Action::Continue) {
            Some(known) => known.get_or_init(find).observe(took.as_secs_f64()),
            None => find().observe(took.as_secs_f64()),
        }
    }

    /// The filter had its last word in the middle of a row, and left open what is owed behind it. That costs the connection,
    /// so that a filter which often does so is given the time for it.
    pub(super) fn heard_early(&self) {
        self.cautious.store(CAUTIOUS, Ordering::Relaxed);
    }

    /// Whether header and body of the next message are each answered before more is told.
    pub(super) fn is_cautious(&self) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        self.cautious.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok()
    }

    /// A link to a place that is not in `tried`; those that fail here come into it. `None` when none is left, or no
    /// connection is free in time.
    pub(super) async fn lease(self: &Arc<Self>, tried: &mut Vec<usize>, deadline: Instant) -> Option<Leased> {
        self.room.follow(self.generation, self.options.connections, self.options.waiting);
        if let Some(leased) = self.take_kept(tried) {
            return Some(leased);
        }
        let permit = self.enter(deadline).await?;
        while Instant::now() < deadline
            && let Some(place) = self.choose(tried)
        {
            let endpoint = self.options.places.get(place)?;
            match Link::open(endpoint, &self.options, deadline).await {
                Ok(link) => {
                    self.shun(place, None);
                    return Some(Leased { generation: self.generation, place, link, used: false, permit });
                }
                Err(error) => {
                    self.failed(place, &error);
                    tried.push(place);
                    if !error.lets_others_try() {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// A place among the connections: one that is free, or one that somebody gives up.
    async fn enter(self: &Arc<Self>, deadline: Instant) -> Option<Permit> {
        if let Some(permit) = self.room.try_enter() {
            return Some(permit);
        }
        let patience = deadline.min(Instant::now() + self.options.times.connect);
        let permit = match self.room.wait() {
            Some(waits) => {
                if let Some(idle) = self.room.give_way() {
                    self.part_with(idle);
                }
                waits.enter(patience).await
            }
            None => None,
        };
        if permit.is_none() {
            let FilterOptions { name, connections, .. } = &self.options;
            tracing::warn!(filter = &**name, connections, "all connections to a filter are in use");
            self.metrics.failed(name, Cause::Full);
        }
        permit
    }

    /// A place failed: it is asked last for a while, and what is kept of it is dropped. One that had only what others
    /// left of the message's time is not blamed.
    pub(super) fn failed(&self, place: usize, error: &LinkError) {
        let name = &*self.options.name;
        let endpoint = self.options.places.get(place).map(ToString::to_string);
        tracing::warn!(filter = name, place = endpoint, %error, "a filter failed");
        self.metrics.failed(name, error.cause());
        if !matches!(error, LinkError::Spent) {
            self.shun(place, Some(Instant::now() + self.options.times.shun));
            self.room.drop_kept(self.generation, place);
        }
    }

    /// The filter closed a connection that was kept: the others to this place are gone, too.
    pub(super) fn drop_kept(&self, place: usize) {
        self.room.drop_kept(self.generation, place);
    }

    /// A session has nothing to say for now: its connection rests, and may be gone when it is wanted again.
    pub(super) fn rest(self: &Arc<Self>, leased: Leased) -> Option<Owner> {
        self.room.rest(leased).map_err(|wanted| self.part_with(*wanted)).ok()
    }

    /// The connection that rested, if nobody else needed its place.
    pub(super) fn wake(&self, owner: Owner) -> Option<Leased> {
        self.room.wake(owner)
    }

    /// The same, for more of the session: not if the filter owes answers to a message that is over. It may never give
    /// them, and what it said next would be taken for one of them. That it closed the connection meanwhile says nothing
    /// about its place; what it said meanwhile does.
    pub(super) fn resume(self: &Arc<Self>, owner: Owner) -> Option<Leased> {
        let mut leased = self.room.wake(owner)?;
        let silence = leased.link.expect_silence();
        let owes = leased.link.owes();
        if owes {
            self.heard_early();
        }
        match silence {
            Err(error) if error.cause() == Cause::Lost => None,
            Err(error) if owes => {
                self.failed(leased.place, &error);
                None
            }
            Ok(()) if owes => {
                self.part_with(leased);
                None
            }
            // Whoever tells something over it finds the word that nobody asked for.
            Ok(()) | Err(_) => Some(leased),
        }
    }

    /// Whether somebody waits for a connection.
    #[cfg(test)]
    pub(super) fn is_wanted(&self) -> bool {
        self.room.is_wanted()
    }

    /// A session is over. Its filter is told so beside it: one that hangs holds nobody up.
    pub(super) fn part_with(self: &Arc<Self>, leased: Leased) {
        let pool = Arc::clone(self);
        let mut parting = Box::pin(async move { pool.give_back(leased).await });
        // As a rule all of it is done at once.
        if parting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            tokio::spawn(parting);
        }
    }

    /// Keeps a link for the next session, or says goodbye.
    async fn give_back(&self, leased: Leased) {
        let Leased { generation, place, mut link, permit, .. } = leased;
        // What came is heard first: of a connection that is closed over it the other side may lose our last words.
        let is_silent = link.expect_silence().is_ok();
        let keep = is_silent && self.options.kept > 0 && self.room.keeps(generation);
        let Some(mut link) = link.release(keep).await else { return };
        if link.expect_silence().is_ok() {
            self.room.keep(Leased { generation, place, link, used: true, permit }, self.options.kept);
        }
    }

    /// One of those kept. One that was closed meanwhile, or on which something was said that nobody asked for, is
    /// dropped.
    fn take_kept(&self, tried: &[usize]) -> Option<Leased> {
        loop {
            let mut leased = self
                .room
                .take_kept(self.generation, self.options.times.idle, |place| !tried.contains(&place))?;
            if leased.link.expect_silence().is_ok() {
                return Some(leased);
            }
        }
    }

    /// In turn, and those that failed of late last.
    fn choose(&self, tried: &[usize]) -> Option<usize> {
        let count = self.options.places.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shunned =
            |place: &usize| shunned.get(*place).copied().flatten().is_some_and(|until| until > now);
        let left = (0..count).map(|step| (start.wrapping_add(step)) % count);
        left.filter(|place| !tried.contains(place)).min_by_key(is_shunned)
    }

    fn shun(&self, place: usize, until: Option<Instant>) {
        let mut shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shunned.get_mut(place) {
            *entry = until;
        }
    }
}
