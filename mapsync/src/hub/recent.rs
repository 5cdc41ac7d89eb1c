//! Octets that were asked for last, in memory: a thousand hosts that ask for the same do not read it a thousand
//! times. A file is named by its hash, so it never becomes another.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use switchyard_mapsync_protocol::hash::Hash;

/// The octets of some files.
#[derive(Debug)]
pub(crate) struct Recent {
    /// The one that was asked for last stands last.
    kept: Mutex<VecDeque<(Hash, Bytes)>>,
    most_files: usize,
    most_octets: usize,
}

impl Recent {
    /// Of so many files at most, and so many octets.
    pub(crate) fn new(most_files: usize, most_octets: usize) -> Self {
        Self { kept: Mutex::default(), most_files, most_octets }
    }

    /// A file's octets, if they are here.
    pub(crate) fn get(&self, hash: Hash) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(known, _)| *known == hash)?;
        let asked = kept.remove(place)?;
        let octets = asked.1.clone();
        kept.push_back(asked);
        Some(octets)
    }

    /// Forgets a file.
    pub(crate) fn forget(&self, hash: Hash) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _)| *known != hash);
    }

    /// Keeps them; what was not asked for longest makes room.
    pub(crate) fn keep(&self, hash: Hash, octets: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Two may have read it at once.
        kept.retain(|(known, _)| *known != hash);
        kept.push_back((hash, octets));
        let mut octets: usize = kept.iter().map(|(_, octets)| octets.len()).sum();
        while kept.len() > self.most_files || octets > self.most_octets {
            let Some((_, oldest)) = kept.pop_front() else { break };
            octets = octets.saturating_sub(oldest.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_makes_room() {
        let recent = Recent::new(2, 10);
        let [one, two, three] = [b"1", b"2", b"3"].map(|name| Hash::of(name));
        let is_here = |hash| recent.get(hash).is_some();
        recent.keep(one, Bytes::from_static(b"one"));
        recent.keep(two, Bytes::from_static(b"two"));
        assert_eq!(recent.get(one).as_deref(), Some(&b"one"[..]));
        recent.keep(three, Bytes::from_static(b"three"));
        assert!(is_here(one) && !is_here(two) && is_here(three));
        // By octets, too; and once though it is kept twice.
        recent.keep(three, Bytes::from_static(b"three"));
        assert!(is_here(one) && is_here(three));
        recent.keep(two, Bytes::from_static(b"ten octets"));
        assert!(!is_here(one) && is_here(two) && !is_here(three));
        recent.keep(one, Bytes::from_static(b"eleven octets"));
        assert!(!is_here(one) && !is_here(two));
        recent.keep(one, Bytes::from_static(b"one"));
        recent.keep(two, Bytes::from_static(b"two"));
        recent.forget(one);
        assert!(!is_here(one) && is_here(two));
    }
}
