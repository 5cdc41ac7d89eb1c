//! What hosts said last about themselves. It is kept in memory: after a restart each host says it again soon.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use switchyard_mapsync_protocol::status::Status;

/// The most hosts of one environment.
pub(crate) const HOSTS: usize = 20_000;

/// The hosts of one environment.
#[derive(Debug, Default)]
pub(crate) struct Fleet(Mutex<BTreeMap<String, Word>>);

/// A host's last word, and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) status: Status,
    pub(crate) came: Instant,
}

/// A status that is not kept: there are as many hosts as may be.
#[derive(Debug, thiserror::Error)]
#[error("{HOSTS} hosts are known here, and no more may be")]
pub(crate) struct TooMany;

impl Fleet {
    /// Keeps a status. One that is older than what is known, because it came late, changes nothing.
    pub(crate) fn hear(&self, status: Status, now: Instant) -> Result<(), TooMany> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = hosts.len() >= HOSTS;
        match hosts.get_mut(&status.host) {
            // A host that lost its memory begins anew: its clock tells that this is no late one.
            Some(word) if status.nonce <= word.status.nonce && status.at <= word.status.at => {}
            Some(word) => *word = Word { status, came: now },
            None if full => return Err(TooMany),
            None => drop(hosts.insert(status.host.clone(), Word { status, came: now })),
        }
        Ok(())
    }

    /// All hosts, by name.
    pub(crate) fn all(&self) -> Vec<Word> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::Timestamp;

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
}
