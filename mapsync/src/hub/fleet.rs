//! What hosts said last about themselves, and how soon each came to use what was released. It is kept in memory: after
//! a restart each host says it again soon.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::status::Status;
use tokio::sync::watch;

/// The most hosts of one environment.
pub(crate) const HOSTS: usize = 20_000;

/// Generations whose way to the hosts is remembered.
const USES: usize = 24;

/// The hosts of one environment.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    hosts: Mutex<Hosts>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Hosts {
    words: BTreeMap<String, Word>,
    changes: u64,
    uses: VecDeque<Use>,
}

/// A host's last word, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) status: Status,
    pub(crate) came: Instant,
    /// The how manieth word of all hosts it is.
    change: u64,
}

/// A generation on its way from its release to the hosts.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    head: HeadRef,
    /// The newest release that names it, and since when it is shown.
    sequence: u64,
    since: Instant,
    /// How long it took each host, in the order in which they said so.
    took: Vec<Duration>,
}

/// How a generation came to the hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) generation: u64,
    pub(crate) hosts: usize,
    pub(crate) first: Duration,
    pub(crate) median: Duration,
    /// Nineteen of twenty were no slower.
    pub(crate) most: Duration,
    pub(crate) last: Duration,
}

/// A status that is not kept: there are as many hosts as may be.
#[derive(Debug, thiserror::Error)]
#[error("{HOSTS} hosts are known here, and no more may be")]
pub(crate) struct TooMany;

impl Fleet {
    /// Keeps a status. One that is older than what is known, because it came late, changes nothing.
    pub(crate) fn hear(&self, status: Status, now: Instant) -> Result<(), TooMany> {
        let mut hosts = self.lock();
        let full = hosts.words.len() >= HOSTS;
        let before = match hosts.words.get(&status.host) {
            // A host that lost its memory begins anew: its clock tells that this is no late one.
            Some(word) if status.nonce <= word.status.nonce && status.at <= word.status.at => return Ok(()),
            Some(word) => Some(word.status.progress.active),
            None if full => return Err(TooMany),
            None => None,
        };
        hosts.changes += 1;
        // Of a host that was not known before nobody knows since when it has it.
        if let (Some(before), Some(now_active)) = (before, status.progress.active)
            && before != Some(now_active)
            && let Some(way) = hosts.uses.back_mut()
            && way.head == now_active
            && way.took.len() < HOSTS
        {
            way.took.push(now.saturating_duration_since(way.since));
        }
        let change = hosts.changes;
        hosts.words.insert(status.host.clone(), Word { status, came: now, change });
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    fn pace(&self) -> Option<Pace> {
        let mut took = self.took.clone();
        took.sort_unstable();
        let at = |part: usize| took.get((took.len() * part).div_ceil(100).saturating_sub(1)).copied();
        Some(Pace {
            generation: self.head.generation,
            hosts: took.len(),
            first: *took.first()?,
            median: at(50)?,
            most: at(95)?,
            last: *took.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::Timestamp;
    use switchyard_mapsync_protocol::hash::Hash;

    use super::*;
    use crate::hub::testing::status;

    #[test]
    fn the_newest_word_counts_and_there_is_room_for_so_many_hosts() {
        let (fleet, now) = (Fleet::default(), Instant::now());
        let hear =
            |host: &str, nonce, at| fleet.hear(Status { nonce, at: Timestamp(at), ..status(host) }, now);
        let nonces = || fleet.all().iter().map(|word| word.status.nonce).collect::<Vec<_>>();
        hear("mx1", 5, 100).unwrap();
        hear("mx1", 4, 99).unwrap();
        assert_eq!(nonces(), [5], "it came late");
        hear("mx1", 1, 200).unwrap();
        assert_eq!(nonces(), [1], "it lost its memory");
        for host in 1..HOSTS {
            hear(&format!("host{host}"), 1, 1).unwrap();
        }
        assert!(hear("one-more", 1, 1).is_err());
        assert!(hear("mx1", 2, 201).is_ok());
    }

    #[test]
    fn who_looks_hears_of_those_that_changed_and_how_soon_a_release_was_in_use() {
        let (fleet, start) = (Fleet::default(), Instant::now());
        let of = |generation| HeadRef { generation, hash: Hash::of(&[0]) };
        let say = |host: &str, at: u64, active: Option<u64>| {
            let mut status = Status { nonce: at, at: Timestamp(at), ..status(host) };
            status.progress.active = active.map(of);
            fleet.hear(status, start + Duration::from_millis(at)).unwrap();
        };
        for host in ["mx1", "mx2", "mx3"] {
            say(host, 1, None);
        }
        let (all, seen) = fleet.since(0);
        assert_eq!((all.len(), seen), (3, 3));
        fleet.released(of(7), 1, start + Duration::from_millis(100));
        assert!(fleet.paces().is_empty());
        say("mx2", 150, Some(7));
        say("mx1", 200, Some(7));
        say("mx2", 210, Some(7));
        // One that was not known may have had it for long.
        say("mx4", 220, Some(7));
        let names = |words: &[Word]| words.iter().map(|word| word.status.host.clone()).collect::<Vec<_>>();
        assert_eq!(names(&fleet.since(seen).0), ["mx1", "mx2", "mx4"]);
        let ms = Duration::from_millis;
        let pace =
            Pace { generation: 7, hosts: 2, first: ms(50), median: ms(50), most: ms(100), last: ms(100) };
        assert_eq!(fleet.paces(), [pace]);
        // The rest is meant later, by another release.
        fleet.released(of(7), 2, start + ms(1000));
        fleet.released(of(7), 2, start + ms(1005));
        say("mx3", 1010, Some(7));
        assert_eq!(fleet.paces()[0].first, ms(10));
        for generation in 8..100 {
            fleet.released(of(generation), generation, start);
        }
        assert!(fleet.paces().is_empty(), "only the last ones are remembered");
    }
}
