//! How many connections to a filter there are at once, which of them nobody talks over, and who waits for one.
//!
//! A connection is idle when it is kept for the next client, or rests between two messages of one. It gives way to
//! whoever waits: a client that only holds its session open holds up nobody. What a session had told over a connection
//! that went is told anew over its next one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, timeout_at};

use super::pool::Leased;

/// What every open connection holds, until it is closed.
pub(super) type Permit = OwnedSemaphorePermit;

/// The session to which a resting connection belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(u64);

/// The room for connections.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    most_waiting: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Clients that wait. While there are any, nothing becomes idle.
    waiting: usize,
    /// The oldest first.
    kept: VecDeque<Kept>,
    resting: BTreeMap<Owner, Leased>,
    owners: u64,
}

#[derive(Debug)]
struct Kept {
    leased: Leased,
    since: Instant,
}

/// One that waits, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits<'a>(&'a Room);

impl Room {
    /// With nobody in it.
    pub(super) fn new(most: usize, most_waiting: usize) -> Self {
        let free = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { free, most_waiting, idle: Mutex::default() }
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn try_enter(&self) -> Option<Permit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Stands in line, unless too many do.
    pub(super) fn wait(&self) -> Option<Waits<'_>> {
        let mut idle = self.idle();
        if idle.waiting >= self.most_waiting {
            return None;
        }
        idle.waiting += 1;
        Some(Waits(self))
    }

    /// The idle connection that goes for one that waits.
    pub(super) fn give_way(&self) -> Option<Leased> {
        let mut idle = self.idle();
        let kept = idle.kept.pop_front().map(|kept| kept.leased);
        kept.or_else(|| idle.resting.pop_first().map(|(_, leased)| leased))
    }

    /// Whether somebody waits.
    pub(super) fn is_wanted(&self) -> bool {
        self.idle().waiting > 0
    }

    /// Lets a connection rest; it comes back when somebody waits for one.
    pub(super) fn rest(&self, leased: Leased) -> Result<Owner, Box<Leased>> {
        let mut idle = self.idle();
        if idle.waiting > 0 {
            return Err(Box::new(leased));
        }
        let owner = Owner(idle.owners);
        idle.owners = idle.owners.wrapping_add(1);
        idle.resting.insert(owner, leased);
        Ok(owner)
    }

    /// The connection that rested, if it is there still.
    pub(super) fn wake(&self, owner: Owner) -> Option<Leased> {
        self.idle().resting.remove(&owner)
    }

    /// Keeps a connection for the next client, if there are not so many already. One that is too many is closed.
    pub(super) fn keep(&self, leased: Leased, most: usize) {
        let mut idle = self.idle();
        if idle.waiting == 0 && idle.kept.len() < most {
            idle.kept.push_back(Kept { leased, since: Instant::now() });
        }
    }

    /// The newest of those kept, at a place where it may be, so that the others can grow old and go.
    pub(super) fn take_kept(&self, oldest: Duration, may: impl Fn(usize) -> bool) -> Option<Leased> {
        let mut idle = self.idle();
        idle.kept.retain(|kept| kept.since.elapsed() < oldest);
        let newest = idle.kept.iter().rposition(|kept| may(kept.leased.place))?;
        idle.kept.remove(newest).map(|kept| kept.leased)
    }

    /// Closes what is kept to a place.
    pub(super) fn drop_kept(&self, place: usize) {
        self.idle().kept.retain(|kept| kept.leased.place != place);
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits<'_> {
    /// A place, in the order of those who wait.
    pub(super) async fn enter(self, until: Instant) -> Option<Permit> {
        timeout_at(until, Arc::clone(&self.0.free).acquire_owned()).await.ok()?.ok()
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.idle().waiting -= 1;
    }
}
