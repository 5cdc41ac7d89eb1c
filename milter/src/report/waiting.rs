//! Reports that could not be sent: each waits longer from time to time, so that none is tried at every look, and
//! those behind it have their turn.
//!
//! After each look what has changed is written into the ledger, and a restart goes on from there.

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
pub(super) struct Waiting {
    waits: HashMap<Due, Wait>,
    /// It is not what the ledger has.
    changed: bool,
}

/// One wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    /// Seconds since 1970.
    pub(super) until: u64,
    /// Seconds.
    pub(super) long: u64,
}

impl Waiting {
    /// Those that the ledger has.
    pub(super) fn of(kept: Vec<(Due, Wait)>) -> Self {
        Self { waits: kept.into_iter().take(MOST).collect(), changed: false }
    }

    /// All of them, if they changed since this was asked last.
    pub(super) fn changed(&mut self) -> Option<Vec<(Due, Wait)>> {
        std::mem::take(&mut self.changed)
            .then(|| self.waits.iter().map(|(due, wait)| (due.clone(), *wait)).collect())
    }

    /// Those that wait on.
    pub(super) fn until(&mut self, now: u64) -> HashSet<Due> {
        // A clock that was ahead lets nothing wait for years.
        let latest = now.saturating_add(LONGEST);
        for wait in self.waits.values_mut().filter(|wait| wait.until > latest) {
            wait.until = latest;
            self.changed = true;
        }
        let before = self.waits.len();
        self.waits.retain(|_, wait| now < wait.until.saturating_add(REMEMBERED));
        self.changed |= self.waits.len() != before;
        self.waits.iter().filter(|(_, wait)| now < wait.until).map(|(due, _)| due.clone()).collect()
    }

    /// One could not be sent.
    pub(super) fn put_off(&mut self, due: Due, now: u64) {
        if self.waits.len() >= MOST && !self.waits.contains_key(&due) {
            return;
        }
        self.changed = true;
        let long = self.waits.get(&due).map_or(SHORTEST, |wait| wait.long.saturating_mul(2).min(LONGEST));
        self.waits.insert(due, Wait { until: now.saturating_add(long), long });
    }

    /// One is gone.
    pub(super) fn forget(&mut self, due: &Due) {
        self.changed |= self.waits.remove(due).is_some();
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
    fn only_what_changed_is_to_be_written() {
        let mut waiting = Waiting::of(vec![(due("a.example"), Wait { until: 10, long: 300 })]);
        assert_eq!((waiting.changed(), waiting.until(9).len()), (None, 1));
        waiting.forget(&due("none.example"));
        assert_eq!(waiting.changed(), None);
        waiting.put_off(due("a.example"), 20);
        let kept = vec![(due("a.example"), Wait { until: 620, long: 600 })];
        assert_eq!((waiting.changed(), waiting.changed()), (Some(kept), None));
        waiting.forget(&due("a.example"));
        assert_eq!(waiting.changed(), Some(vec![]));
    }

    #[test]
    fn what_is_gone_is_forgotten_and_what_nobody_tries_any_more_too() {
        let mut waiting = Waiting::default();
        waiting.put_off(due("a.example"), 0);
        waiting.put_off(due("b.example"), 0);
        waiting.forget(&due("a.example"));
        assert_eq!(waiting.until(1), HashSet::from([due("b.example")]));
        assert!(waiting.until(SHORTEST + REMEMBERED).is_empty());
        assert_eq!(waiting.waits.len(), 0);
    }
}
