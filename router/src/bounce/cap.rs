//! How many reports one domain may get in a window.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Domains that are counted apart; when there are more, all of them share what is left.
const MAX_DOMAINS: usize = 10_000;

/// Counts reports by domain, and starts anew with each window.
#[derive(Debug, Default)]
pub(super) struct Cap {
    started: Option<Instant>,
    counts: HashMap<String, u32>,
}

impl Cap {
    /// True when one more report may go to this domain, of so many in a window.
    pub(super) fn take(&mut self, domain: &str, now: Instant, limit: u32, window: Duration) -> bool {
        if self.started.is_none_or(|started| now.saturating_duration_since(started) >= window) {
            self.started = Some(now);
            self.counts.clear();
        }
        if !self.counts.contains_key(domain) && self.counts.len() >= MAX_DOMAINS {
            return false;
        }
        let count = self.counts.entry(domain.to_owned()).or_default();
        if *count >= limit {
            return false;
        }
        *count += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b3_a_domain_has_its_share_and_no_more() {
        let window = Duration::from_secs(3600);
        let mut cap = Cap::default();
        let now = Instant::now();
        let taken = (0..100_000).filter(|_| cap.take("victim.example", now, 3, window)).count();
        assert_eq!(taken, 3);
        assert!(cap.take("other.example", now, 3, window));
        assert!(!cap.take("victim.example", now + window / 2, 3, window));
        assert!(cap.take("victim.example", now + window, 3, window));
    }

    #[test]
    fn b3_many_domains_take_a_bounded_room() {
        let mut cap = Cap::default();
        let (now, window) = (Instant::now(), Duration::from_secs(3600));
        let names = (0..100_000).map(|number| format!("d{number}.example"));
        let taken = names.filter(|name| cap.take(name, now, 3, window)).count();
        assert_eq!((taken, cap.counts.len()), (MAX_DOMAINS, MAX_DOMAINS));
    }
}
