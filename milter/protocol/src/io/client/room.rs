//! How many connections to a filter there are at once, which of them nobody talks over, and who waits for one.
//!
//! A connection is idle when it is kept for the next client, or rests between two messages of one. It gives way to
//! whoever waits: a client that only holds its session open holds up nobody. What a session had told over a connection
//! that went is told anew over its next one.
//!
//! The room outlives a change of settings: sessions that began before count within the same bound as those that
//! come. The newest settings bound it from the first time that somebody asks under them; over a smaller bound nobody
//! comes in until enough have left.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Duration, Instant, timeout_at};

use super::pool::Leased;

/// What every open connection holds, until it is closed.
#[derive(Debug)]
pub(super) struct Permit {
    place: Option<OwnedSemaphorePermit>,
    too_many: Arc<AtomicUsize>,
}

/// How many settings were before these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Generation(u64);

impl Generation {
    /// That of the settings after these.
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// The session to which a resting connection belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(u64);

/// The room for connections.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    /// Places that a smaller bound has taken away, and that are not empty yet.
    too_many: Arc<AtomicUsize>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Whose bounds hold.
    newest: Generation,
    most: usize,
    most_waiting: usize,
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
        let most = most.min(Semaphore::MAX_PERMITS);
        let idle = Mutex::new(Idle { most, most_waiting, ..Idle::default() });
        Self { free: Arc::new(Semaphore::new(most)), too_many: Arc::default(), idle }
    }

    /// Somebody asks under these settings. If they are newer than all before them, their bounds hold from now on, and
    /// what was kept by older ones is closed: it may lead elsewhere.
    pub(super) fn follow(&self, generation: Generation, most: usize, most_waiting: usize) {
        let mut idle = self.idle();
        if generation <= idle.newest {
            return;
        }
        let most = most.min(Semaphore::MAX_PERMITS);
        let before = std::mem::replace(&mut idle.most, most);
        (idle.newest, idle.most_waiting) = (generation, most_waiting);
        idle.kept.clear();
        if most < before {
            let less = before - most;
            let empty = self.free.forget_permits(less);
            self.too_many.fetch_add(less - empty, Ordering::Relaxed);
            // What only rests goes first, and takes its place with it: who waits has to wait for no more of them.
            for _ in empty..less {
                if idle.resting.pop_first().is_none() {
                    break;
                }
            }
        } else {
            let more = most - before;
            // Those that are not empty yet may stay after all.
            let pay = |owed: usize| Some(owed.saturating_sub(more));
            let owed = self.too_many.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).unwrap_or(0);
            self.free.add_permits(more.saturating_sub(owed));
        }
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn try_enter(&self) -> Option<Permit> {
        Arc::clone(&self.free).try_acquire_owned().ok().map(|place| self.permit(place))
    }

    /// Stands in line, unless too many do.
    pub(super) fn wait(&self) -> Option<Waits<'_>> {
        let mut idle = self.idle();
        if idle.waiting >= idle.most_waiting {
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
    #[cfg(test)]
    pub(super) fn is_wanted(&self) -> bool {
        self.idle().waiting > 0
    }

    /// Whether a connection of these settings is worth keeping: nobody waits, and no others hold by now.
    pub(super) fn keeps(&self, generation: Generation) -> bool {
        let idle = self.idle();
        idle.waiting == 0 && idle.newest == generation
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
        if idle.waiting == 0 && idle.newest == leased.generation && idle.kept.len() < most {
            idle.kept.push_back(Kept { leased, since: Instant::now() });
        }
    }

    /// The newest of those kept by these settings, at a place where it may be, so that the others can grow old and go.
    pub(super) fn take_kept(
        &self,
        generation: Generation,
        oldest: Duration,
        may: impl Fn(usize) -> bool,
    ) -> Option<Leased> {
        let mut idle = self.idle();
        if idle.newest != generation {
            return None;
        }
        idle.kept.retain(|kept| kept.since.elapsed() < oldest);
        let newest = idle.kept.iter().rposition(|kept| may(kept.leased.place))?;
        idle.kept.remove(newest).map(|kept| kept.leased)
    }

    /// Closes what is kept to a place of these settings.
    pub(super) fn drop_kept(&self, generation: Generation, place: usize) {
        self.idle().kept.retain(|kept| kept.leased.generation != generation || kept.leased.place != place);
    }

    fn permit(&self, place: OwnedSemaphorePermit) -> Permit {
        Permit { place: Some(place), too_many: Arc::clone(&self.too_many) }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waits<'_> {
    /// A place, in the order of those who wait.
    pub(super) async fn enter(self, until: Instant) -> Option<Permit> {
        let place = timeout_at(until, Arc::clone(&self.0.free).acquire_owned()).await.ok()?.ok()?;
        Some(self.0.permit(place))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let pay = |owed: usize| owed.checked_sub(1);
        let is_one_too_many = self.too_many.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok();
        if let Some(place) = self.place.take().filter(|_| is_one_too_many) {
            place.forget();
        }
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.idle().waiting -= 1;
    }
}
