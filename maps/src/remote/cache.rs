//! What servers said of which key, and which keys could not be asked.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as Bounded;
use tokio::time::Instant;

use super::{FAILURE_KEPT, RemoteAnswer, RemoteOptions};

/// Octets of a key and its value that count as one entry.
const ENTRY: usize = 256;
/// Keys that could not be asked. They have a room of their own, so that an outage drives out no answer.
const MAX_FAILURES: usize = 1024;

/// How good an answer is that is not too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// As good as asking.
    Fresh,
    /// Good enough while it is asked for again.
    Ripe,
    /// Good only when nobody can be asked.
    Old,
}

#[derive(Debug, Clone)]
struct Learned {
    answer: RemoteAnswer,
    at: Instant,
}

#[derive(Debug, Clone)]
struct Failure {
    why: Arc<str>,
    until: Instant,
}

#[derive(Debug, Clone)]
struct ByOctets;

impl Weighter<Arc<str>, Learned> for ByOctets {
    fn weight(&self, key: &Arc<str>, learned: &Learned) -> u64 {
        let octets = key.len() + learned.answer.as_ref().map_or(0, |value| value.len());
        1 + (octets / ENTRY) as u64
    }
}

/// Bounded; keys that are asked often outlive a flood of others.
#[derive(Debug)]
pub(super) struct Cache {
    answers: Bounded<Arc<str>, Learned, ByOctets>,
    failures: Bounded<Arc<str>, Failure>,
}

impl Cache {
    pub(super) fn new(entries: usize) -> Self {
        Self {
            // A shard must have room for the largest answer: it has so for 32 of what is said here.
            answers: Bounded::with_weighter(entries / 16, entries as u64, ByOctets),
            failures: Bounded::new(MAX_FAILURES),
        }
    }

    /// An answer and how good it is; none when there is none that may be given at all.
    pub(super) fn get(
        &self,
        key: &str,
        now: Instant,
        options: &RemoteOptions,
    ) -> Option<(RemoteAnswer, Age)> {
        let learned = self.answers.get(key)?;
        let age = now.saturating_duration_since(learned.at);
        let ripe = options.fresh.saturating_mul(2);
        let age = if age <= options.fresh {
            Age::Fresh
        } else if age <= ripe.min(options.stale) {
            Age::Ripe
        } else if age <= options.stale {
            Age::Old
        } else {
            return None;
        };
        Some((learned.answer, age))
    }

    /// Why a key could not be asked a moment ago.
    pub(super) fn failure(&self, key: &str, now: Instant) -> Option<Arc<str>> {
        self.failures.get(key).filter(|failure| now < failure.until).map(|failure| failure.why)
    }

    pub(super) fn learned(&self, key: &Arc<str>, at: Instant, answer: RemoteAnswer) {
        self.failures.remove(key);
        self.answers.insert(Arc::clone(key), Learned { answer, at });
    }

    pub(super) fn failed(&self, key: &str, now: Instant, why: Arc<str>) {
        self.failures.insert(key.into(), Failure { why, until: now + FAILURE_KEPT });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_answer_ages() {
        let options = RemoteOptions {
            fresh: Duration::from_secs(10),
            stale: Duration::from_secs(100),
            ..RemoteOptions::default()
        };
        let cache = Cache::new(10);
        let start = Instant::now();
        cache.learned(&"a".into(), start, Some("1".into()));
        cache.learned(&"b".into(), start, None);
        for (seconds, age) in [
            (0, Some(Age::Fresh)),
            (10, Some(Age::Fresh)),
            (11, Some(Age::Ripe)),
            (20, Some(Age::Ripe)),
            (21, Some(Age::Old)),
            (100, Some(Age::Old)),
            (101, None),
        ] {
            let now = start + Duration::from_secs(seconds);
            assert_eq!(cache.get("a", now, &options), age.map(|age| (Some("1".into()), age)), "{seconds}");
            assert_eq!(cache.get("b", now, &options), age.map(|age| (None, age)), "{seconds}");
        }
        assert_eq!(cache.get("c", start, &options), None);
    }

    #[test]
    fn it_is_bounded_by_keys_and_octets() {
        let cache = Cache::new(1024);
        let now = Instant::now();
        for number in 0..20_000 {
            cache.learned(&format!("key{number}").into(), now, Some("v".into()));
            cache.failed(&format!("key{number}"), now, "gone".into());
        }
        assert!(cache.answers.weight() <= 1024 && cache.failures.len() <= MAX_FAILURES);
        let value: Arc<str> = "v".repeat(100_000).into();
        for number in 0..100 {
            let key = format!("large{number}").into();
            cache.learned(&key, now, Some(Arc::clone(&value)));
            let learned = cache.get(&key, now, &RemoteOptions::default());
            assert_eq!(learned, Some((Some(Arc::clone(&value)), Age::Fresh)), "who fetched must find it");
        }
        let octets: usize =
            cache.answers.iter().filter_map(|(_, learned)| learned.answer.map(|value| value.len())).sum();
        assert!(octets <= 1024 * ENTRY, "{octets}");
    }

    #[test]
    fn a_failure_is_forgotten() {
        let cache = Cache::new(10);
        let now = Instant::now();
        cache.failed("a", now, "gone".into());
        assert_eq!(cache.failure("a", now).as_deref(), Some("gone"));
        assert_eq!(cache.failure("a", now + FAILURE_KEPT), None);
        cache.learned(&"a".into(), now, None);
        assert_eq!(cache.failure("a", now), None);
    }
}
