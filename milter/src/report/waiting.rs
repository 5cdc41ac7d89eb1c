//! Reports that could not be sent: each waits longer from time to time, so that none is tried at every look, and
//! those behind it have their turn.
//!
//! In memory only: after a restart all of them are tried at once, and wait anew.

use std::collections::{HashMap, HashSet};

use super::ledger::Due;

/// Seconds that the first wait takes; each takes twice as long as the one before.
const SHORTEST: u64 = 5 * 60;
/// And the last.
const LONGEST: u64 = 6 * 3600;
/// Reports that wait; what finds no room is tried at the next look.
const MOST: usize = 20_000;
/// For as long after its wait is over is known how long the last one was: by then it was tried, or is gone.
const REMEMBERED: u64 = 24 * 3600;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Waiting(HashMap<Due, Wait>);

/// One wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    until: u64,
    long: u64,
}

impl Waiting {
    /// Those that wait on.
    pub(super) fn until(&mut self, now: u64) -> HashSet<Due> {
        self.0.retain(|_, wait| now < wait.until.saturating_add(REMEMBERED));
        self.0.iter().filter(|(_, wait)| now < wait.until).map(|(due, _)| due.clone()).collect()
    }

    /// One could not be sent.
    pub(super) fn put_off(&mut self, due: Due, now: u64) {
        if self.0.len() >= MOST && !self.0.contains_key(&due) {
            return;
        }
        let long = self.0.get(&due).map_or(SHORTEST, |wait| wait.long.saturating_mul(2).min(LONGEST));
        self.0.insert(due, Wait { until: now.saturating_add(long), long });
    }

    /// One is gone.
    pub(super) fn forget(&mut self, due: &Due) {
        self.0.remove(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(domain: &str) -> Due {
        Due { begin: 0, domain: domain.into() }
    }

    #[test]
    fn each_wait_is_twice_as_long_as_the_one_before_up_to_the_longest() {
        let (mut waiting, mut now, mut waits) = (Waiting::default(), 1_000_000, Vec::new());
        for _ in 0..9 {
            waiting.put_off(due("a.example"), now);
            let begin = now;
            while waiting.until(now).contains(&due("a.example")) {
                now += 60;
            }
            waits.push((now - begin) / 60);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320, 360, 360]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_what_nobody_tries_any_more_too() {
        let mut waiting = Waiting::default();
        waiting.put_off(due("a.example"), 0);
        waiting.put_off(due("b.example"), 0);
        waiting.forget(&due("a.example"));
        assert_eq!(waiting.until(1), HashSet::from([due("b.example")]));
        assert!(waiting.until(SHORTEST + REMEMBERED).is_empty());
        assert_eq!(waiting.0.len(), 0);
    }
}
