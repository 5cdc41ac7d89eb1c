//! Suspensions: mail that fits a selector is not tried for a while, mail that comes meanwhile included. They
//! outlive a restart (`file.rs`) and end by themselves (`lapse.rs`).
//!
//! A suspension is looked at before each attempt, when it is known where each recipient's mail goes. What it means
//! is set aside: the message waits until the suspension ends, without an attempt that counts, and is not given up
//! meanwhile. Its age counts from its arrival all the same, but from the end of its suspension it is tried for a day at
//! least.
//!
//! Which suspension set a recipient aside is kept with the message. So the end of one finds all that it kept, whatever
//! its selector would mean by then: what waits is due at once, and what is under way is when its attempt has ended.
//! For that no number is ever given twice: the highest is kept in the file, and what mail remembers counts as given.

mod file;
mod lapse;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::dispatch::Decision;
use super::message::Message;
use super::schedule::Now;
use super::scheduler::Place;
use super::select::Selector;
use super::walk::{PAGE, way_of};
use super::{QueueHandle, Shared};
pub use file::SuspensionsError;
use file::{File, Kept};

/// Suspensions at once: each is looked at before every attempt.
const MOST: usize = 100;
/// The longest one.
pub(super) const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// A suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Its name, which no other one ever has.
    pub number: u32,
    /// Of which mail.
    pub select: Selector,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// All that are in force.
#[derive(Debug)]
pub struct Suspensions {
    list: ArcSwap<Vec<Arc<Suspension>>>,
    /// One change at a time.
    book: tokio::sync::Mutex<Book>,
}

/// Where they are kept.
#[derive(Debug)]
struct Book {
    file: Option<Arc<File>>,
    /// The highest number that was given.
    last: u32,
}

impl Suspensions {
    /// Those that a file has, kept there from now on; without a file they are kept in memory only.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn open(path: Option<&Path>) -> Result<Self, SuspensionsError> {
        let (file, kept) = match path.map(File::open).transpose()? {
            Some((file, kept)) => (Some(Arc::new(file)), kept),
            None => (None, Kept::default()),
        };
        let list: Vec<_> = kept.suspensions.into_iter().map(Arc::new).collect();
        let mut opened = Self {
            book: tokio::sync::Mutex::new(Book { file, last: kept.last }),
            list: ArcSwap::from_pointee(Vec::new()),
        };
        list.iter().for_each(|suspension| opened.saw(suspension.number));
        opened.list.store(Arc::new(list));
        Ok(opened)
    }

    /// Takes a number for given: mail remembers it.
    pub(super) fn saw(&mut self, number: u32) {
        let last = &mut self.book.get_mut().last;
        *last = number.max(*last);
    }

    /// Those in force, the oldest first.
    pub(super) fn now(&self, wall: SystemTime) -> Vec<Arc<Suspension>> {
        let list = self.list.load();
        list.iter().filter(|suspension| suspension.is_in_force(wall)).cloned().collect()
    }

    /// Adds one under a number of its own, durable when this returns.
    pub(super) async fn add(
        &self,
        suspension: Suspension,
        wall: SystemTime,
    ) -> Result<Arc<Suspension>, SuspensionsError> {
        let mut book = self.book.lock().await;
        let mut list = self.now(wall);
        if list.len() >= MOST {
            return Err(SuspensionsError::TooMany(MOST));
        }
        book.last = book.last.checked_add(1).ok_or(SuspensionsError::NoNumber)?;
        let added = Arc::new(Suspension { number: book.last, ..suspension });
        list.push(Arc::clone(&added));
        self.replace(&book, list).await?;
        Ok(added)
    }

    /// Ends those that are named, or all; returns them. What does not exist is an error, and then none ends.
    pub(super) async fn end(
        &self,
        numbers: Option<&[u32]>,
        wall: SystemTime,
    ) -> Result<Vec<Arc<Suspension>>, SuspensionsError> {
        let book = self.book.lock().await;
        let list = self.now(wall);
        let unknown = |number: &&u32| !list.iter().any(|suspension| suspension.number == **number);
        if let Some(number) = numbers.unwrap_or_default().iter().find(unknown) {
            return Err(SuspensionsError::Unknown(*number));
        }
        let is_meant =
            |suspension: &Arc<Suspension>| numbers.is_none_or(|numbers| numbers.contains(&suspension.number));
        let (ended, left): (Vec<_>, Vec<_>) = list.into_iter().partition(is_meant);
        self.replace(&book, left).await?;
        Ok(ended)
    }

    async fn replace(&self, book: &Book, list: Vec<Arc<Suspension>>) -> Result<(), SuspensionsError> {
        if let Some(file) = book.file.clone() {
            let (kept, last) = (list.clone(), book.last);
            let written = tokio::task::spawn_blocking(move || file.write(&kept, last)).await;
            written.map_err(|_| SuspensionsError::Stopped)??;
        }
        self.list.store(Arc::new(list));
        Ok(())
    }
}

impl Suspension {
    fn is_in_force(&self, wall: SystemTime) -> bool {
        SystemTime::from(self.until) > wall
    }

    /// The recipients that it means, of those whose ways are known.
    fn means(&self, message: &Message, decisions: &[(u32, Decision)], now: Now) -> Vec<u32> {
        let Some(picked) = self.select.pick(message, Place::Active, now) else { return Vec::new() };
        let goes = decisions.iter().filter(|(index, way)| {
            picked.contains(index) && (self.select.next_hop.is_none() || self.select.means_way(&way_of(way)))
        });
        goes.map(|(index, _)| *index).collect()
    }
}

impl Shared {
    /// Shows how many are in force.
    pub(super) fn show_suspensions(&self) {
        let count = self.suspensions.now(self.clock.now_wall()).len();
        self.metrics.suspensions.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The first suspension that means each of these recipients.
    pub(super) fn suspended(
        &self,
        message: &Message,
        decisions: &[(u32, Decision)],
        now: Now,
    ) -> Vec<(u32, Arc<Suspension>)> {
        let mut found: Vec<(u32, Arc<Suspension>)> = Vec::new();
        for suspension in self.suspensions.now(now.wall) {
            for index in suspension.means(message, decisions, now) {
                if !found.iter().any(|(before, _)| *before == index) {
                    found.push((index, Arc::clone(&suspension)));
                }
            }
        }
        found
    }

    /// Sets aside the recipients that are suspended; returns the others.
    pub(super) fn set_aside(
        &self,
        message: &Message,
        mut decisions: Vec<(u32, Decision)>,
    ) -> Vec<(u32, Decision)> {
        let now = self.now();
        let suspended = self.suspended(message, &decisions, now);
        decisions.retain(|(index, _)| !suspended.iter().any(|(set_aside, _)| set_aside == index));
        if let Some((_, suspension)) = suspended.first() {
            tracing::debug!(id = %message.id, number = suspension.number, "suspended: {}", suspension.reason);
        }
        let mut state = message.state();
        let before = std::mem::take(&mut state.suspended);
        state.suspended = suspended.iter().map(|(index, suspension)| (*index, suspension.number)).collect();
        let is_aside = |index: u32| suspended.iter().any(|(set_aside, _)| *set_aside == index);
        if before.iter().any(|(index, _)| !is_aside(*index)) {
            let schedule = &self.means.load().options.schedule;
            state.spared_until = Some(schedule.spared_until(message.is_report, now));
        }
        drop(state);
        decisions
    }
}

impl Shared {
    /// Makes due what waits because of these suspensions. What is active sees by itself that they have ended.
    async fn make_due(&self, numbers: &[u32]) {
        let Some(last) = self.lock().newest() else { return };
        let mut after = None;
        loop {
            {
                let mut scheduler = self.lock();
                let page = scheduler.page(after, last, PAGE);
                let Some((newest, _)) = page.last() else { break };
                after = Some(newest.id);
                let now = self.now();
                for (message, place) in page {
                    let state = message.state();
                    if !state.suspended.iter().any(|(_, number)| numbers.contains(number)) {
                        continue;
                    }
                    if place == Place::Incoming {
                        scheduler.unpark(message.id);
                    }
                    if let Place::Deferred(_) = place {
                        // Under both locks, so that no older state comes after it.
                        self.spool.progress(message.id, &state.progress(now.wall, now));
                        drop(state);
                        scheduler.shift(message.id, Place::Deferred(now.monotonic));
                    }
                }
            }
            // A long walk is one of many things that this thread does.
            tokio::task::yield_now().await;
        }
        self.wake.notify_one();
    }
}

impl QueueHandle {
    /// The suspensions that are in force, the oldest first.
    #[must_use]
    pub fn suspensions(&self) -> Vec<Suspension> {
        let list = self.0.suspensions.now(self.0.clock.now_wall());
        list.iter().map(|suspension| Suspension::clone(suspension)).collect()
    }

    /// Ends suspensions, all where none is named; what they kept is due now. Returns them. It comes to its end also
    /// when nobody waits for that any more.
    ///
    /// # Errors
    /// When there is none of a number, or the change cannot be kept; then all are as they were.
    pub async fn resume(&self, numbers: Option<Vec<u32>>) -> Result<Vec<Suspension>, SuspensionsError> {
        let queue = self.clone();
        let resuming = tokio::spawn(async move { queue.resume_to_the_end(numbers.as_deref()).await });
        resuming.await.map_err(|_| SuspensionsError::Stopped)?
    }

    async fn resume_to_the_end(&self, numbers: Option<&[u32]>) -> Result<Vec<Suspension>, SuspensionsError> {
        let ended = self.0.suspensions.end(numbers, self.0.clock.now_wall()).await?;
        self.0.show_suspensions();
        for suspension in &ended {
            tracing::info!(number = suspension.number, "suspension ended by hand: {}", suspension.reason);
        }
        let numbers: Vec<u32> = ended.iter().map(|suspension| suspension.number).collect();
        self.0.make_due(&numbers).await;
        self.0.spool.flush().await.map_err(SuspensionsError::Spool)?;
        Ok(ended.iter().map(|suspension| Suspension::clone(suspension)).collect())
    }
}
