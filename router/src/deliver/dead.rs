//! Addresses that nobody answered at a moment ago: they are tried last for a while, never left out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::hosts::{Candidate, Place};

/// Addresses remembered at most; the oldest is forgotten for a new one.
const MAX_DEAD: usize = 1000;

/// Remembers failures to connect.
#[derive(Debug, Default)]
pub(super) struct DeadHosts {
    until: Mutex<HashMap<Place, Instant>>,
}

impl DeadHosts {
    /// Nobody answered there; it is tried last for so long.
    pub(super) fn bury(&self, place: &Place, now: Instant, wait: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX_DEAD && !until.contains_key(place) {
            until.retain(|_, end| *end > now);
            if let Some(oldest) = until.iter().min_by_key(|(_, end)| **end).map(|(place, _)| place.clone())
                && until.len() >= MAX_DEAD
            {
                until.remove(&oldest);
            }
        }
        until.insert(place.clone(), now + wait);
    }

    /// Somebody answered there.
    pub(super) fn revive(&self, place: &Place) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if !until.is_empty() {
            until.remove(place);
        }
    }

    /// Puts those that are held for dead behind the others.
    pub(super) fn put_last(&self, candidates: &mut [Candidate], now: Instant) {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if !until.is_empty() {
            candidates.sort_by_key(|candidate| until.get(&candidate.place).is_some_and(|end| *end > now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_smtp::address::Host;

    fn candidate(port: u16) -> Candidate {
        let place = Place::Tcp(([127, 0, 0, 1], port).into());
        Candidate { place, name: Host::parse("a.example").unwrap(), filtered: false }
    }

    #[test]
    fn the_dead_are_tried_last_and_are_few() {
        let dead = DeadHosts::default();
        let now = Instant::now();
        let mut list = vec![candidate(1), candidate(2), candidate(3)];
        let wait = Duration::from_secs(60);
        dead.bury(&candidate(1).place, now, wait);
        dead.put_last(&mut list, now);
        assert_eq!(list, [candidate(2), candidate(3), candidate(1)]);
        list.sort_by(|one, other| one.place.cmp(&other.place));
        dead.put_last(&mut list, now + Duration::from_secs(60));
        assert_eq!(list[0], candidate(1));
        dead.revive(&candidate(1).place);
        for port in 0..3000 {
            dead.bury(&candidate(port).place, now, wait);
        }
        assert_eq!(dead.until.lock().unwrap().len(), MAX_DEAD);
    }
}
