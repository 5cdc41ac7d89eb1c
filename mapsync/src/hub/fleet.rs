//! What hosts said last about themselves, here or at another hub, and how soon each came to use what was released. It is
//! kept in memory: after a restart each host says it again soon, and other hubs pass on what they know (`sharing`).

mod pace;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::status::Status;
use tokio::sync::watch;

pub(crate) use self::pace::Pace;
use self::pace::Use;

/// The most hosts of one environment.
pub(crate) const HOSTS: usize = 20_000;

/// Generations whose way to the hosts is remembered.
const USES: usize = 24;

/// How long a host may be silent until it is not listed any more: it was taken down, or somebody knows by then.
const FORGOTTEN: Duration = Duration::from_secs(7 * 86_400);

/// How often those are looked for.
const SWEEP: Duration = Duration::from_secs(600);

/// Above what the word of a host is old that is heard at all: hosts speak every few seconds.
const LATE: Duration = Duration::from_secs(60);

/// The hosts of one environment.
#[derive(Debug)]
pub(crate) struct Fleet {
    run: u64,
    hosts: Mutex<Hosts>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Hosts {
    words: BTreeMap<String, Word>,
    changes: u64,
    uses: VecDeque<Use>,
    swept: Option<Instant>,
}

/// A host's last word, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) status: Status,
    came: Instant,
    /// How old it was by then: a hub passes on what it heard before.
    age: Duration,
    /// The run of the hub that passed it on; none for what the host said here.
    from: Option<u64>,
    /// When the host said something here last, whatever it was.
    here: Option<Instant>,
    /// The how manieth word of all hosts it is.
    change: u64,
}

/// Words to be passed on.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) words: Vec<Word>,
    /// All words up to this one are told with them.
    pub(crate) place: u64,
    /// There are later ones.
    pub(crate) more: bool,
}

/// A status that is not kept: there are as many hosts as may be.
#[derive(Debug, thiserror::Error)]
#[error("{HOSTS} hosts are known here, and no more may be")]
pub(crate) struct TooMany;

impl Default for Fleet {
    fn default() -> Self {
        // Below 2^53, so that every reader of JSON has it whole; 0 is no run.
        let run = fastrand::u64(1..1 << 53);
        Self { run, hosts: Mutex::default(), changes: watch::Sender::default() }
    }
}

impl Fleet {
    /// By what other hubs know that the count of words has begun anew.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// Keeps what a host says here. What is older than what is known, because it came late, changes nothing.
    pub(crate) fn hear(&self, status: Status, now: Instant) -> Result<(), TooMany> {
        self.take(status, Duration::ZERO, None, now)
    }

    /// Keeps what a host said so long ago at another hub, if nothing newer is known.
    pub(crate) fn hear_of(
        &self,
        status: Status,
        age: Duration,
        run: u64,
        now: Instant,
    ) -> Result<(), TooMany> {
        self.take(status, age, Some(run), now)
    }

    fn take(&self, status: Status, age: Duration, from: Option<u64>, now: Instant) -> Result<(), TooMany> {
        let mut hosts = self.lock();
        hosts.forget(now);
        if age > FORGOTTEN {
            return Ok(());
        }
        let is_here = from.is_none();
        let is_full = hosts.words.len() >= HOSTS && !hosts.words.contains_key(&status.host);
        // Who speaks here is there for certain.
        if is_full && !(is_here && hosts.make_room()) {
            return Err(TooMany);
        }
        let known = hosts.words.get_mut(&status.host);
        let here = if is_here { Some(now) } else { known.as_ref().and_then(|known| known.here) };
        let before = match known {
            Some(known) if known.overtakes(&status, age, from, now) => {
                known.here = here;
                return Ok(());
            }
            known => known.map(|known| known.status.progress.active),
        };
        hosts.changes += 1;
        // Of a host that was not known before nobody knows since when it has it.
        if let (Some(before), Some(now_active)) = (before, status.progress.active)
            && before != Some(now_active)
            && let Some(way) = hosts.uses.back_mut()
            && way.head == now_active
            && way.took.len() < HOSTS
        {
            way.took.push(now.saturating_duration_since(way.since).saturating_sub(age));
        }
        let change = hosts.changes;
        hosts.words.insert(status.host.clone(), Word { status, came: now, age, from, here, change });
        drop(hosts);
        self.changes.send_replace(change);
        Ok(())
    }

    /// A release is shown from now on. One more of the same generation begins its time anew, for it means other hosts.
    pub(crate) fn released(&self, head: HeadRef, sequence: u64, now: Instant) {
        let mut hosts = self.lock();
        match hosts.uses.back_mut() {
            Some(way) if way.sequence == sequence => {}
            Some(way) if way.head == head => (way.sequence, way.since) = (sequence, now),
            _ => {
                hosts.uses.push_back(Use { head, sequence, since: now, took: Vec::new() });
                if hosts.uses.len() > USES {
                    hosts.uses.pop_front();
                }
            }
        }
    }

    /// How many hosts there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().words.len()
    }

    /// All hosts, by name.
    pub(crate) fn all(&self) -> Vec<Word> {
        self.since(0).0
    }

    /// The hosts of which something was heard after so many words, by name, and how many words there are now.
    pub(crate) fn since(&self, change: u64) -> (Vec<Word>, u64) {
        let hosts = self.lock();
        let newer = hosts.words.values().filter(|word| word.change > change);
        (newer.cloned().collect(), hosts.changes)
    }

    /// How many words there are.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How the last generations came to the hosts, oldest first; those that came to none are left out.
    pub(crate) fn paces(&self) -> Vec<Pace> {
        self.lock().uses.iter().filter_map(Use::pace).collect()
    }

    /// What came after so many words, the oldest first and at most so many, but what this run passed on itself.
    pub(crate) fn page(&self, after: u64, without: u64, most: usize) -> Page {
        let hosts = self.lock();
        let is_news = |word: &&Word| word.change > after && word.from != Some(without);
        let mut words: Vec<&Word> = hosts.words.values().filter(is_news).collect();
        words.sort_unstable_by_key(|word| word.change);
        let more = words.len() > most;
        words.truncate(most);
        let place = words.last().filter(|_| more).map_or(hosts.changes, |word| word.change);
        Page { words: words.into_iter().cloned().collect(), place, more }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hosts {
    /// Takes those off the list that were silent for very long.
    fn forget(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.saturating_duration_since(swept) < SWEEP) {
            return;
        }
        self.swept = Some(now);
        self.words.retain(|_, word| word.age(now) <= FORGOTTEN);
    }

    /// Takes one off the list of which only another hub speaks.
    fn make_room(&mut self) -> bool {
        let passed_on = self.words.iter().find(|(_, word)| word.here.is_none());
        let name = passed_on.map(|(name, _)| name.clone());
        name.and_then(|name| self.words.remove(&name)).is_some()
    }
}

impl Word {
    /// How long ago the host said it.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.came).saturating_add(self.age)
    }

    /// How long ago it said anything here; none if only other hubs hear it.
    pub(crate) fn silent_here(&self, now: Instant) -> Option<Duration> {
        self.here.map(|here| now.saturating_duration_since(here))
    }

    /// Whether one of such an age is not to take its place.
    fn overtakes(&self, status: &Status, age: Duration, from: Option<u64>, now: Instant) -> bool {
        // What is said here is as late as can be, and nothing that was said so long ago is later: the host's clock was
        // ahead when it said that.
        if from.is_none() && self.age(now) > LATE {
            return false;
        }
        let (nonce, at) = (status.nonce > self.status.nonce, status.at >= self.status.at);
        match (nonce, at) {
            (true, true) => false,
            (false, _) if status.at <= self.status.at => true,
            // A host that lost its memory, or whose clock was set, begins anew: what it says here is its last word, and
            // of what hubs pass on the later one is.
            _ => from.is_some() && age >= self.age(now),
        }
    }
}

#[cfg(test)]
mod tests;
