//! The places of one filter, and the connections to them that are kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::link::{Link, LinkError};
use super::{ClientMetrics, FilterOptions};

/// All that sessions with one filter share.
#[derive(Debug)]
pub struct Pool {
    options: FilterOptions,
    metrics: ClientMetrics,
    /// Where the next new connection is tried first, so that places share the load.
    next: AtomicUsize,
    /// Until when each place is asked last.
    shunned: Mutex<Vec<Option<Instant>>>,
    kept: Mutex<Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    place: usize,
    link: Link,
    since: Instant,
}

/// A link for one session.
#[derive(Debug)]
pub(super) struct Leased {
    pub(super) place: usize,
    pub(super) link: Link,
    /// It served another before: that it is gone says nothing about its place.
    pub(super) used: bool,
}

impl Pool {
    /// Connects nowhere yet.
    #[must_use]
    pub fn new(options: FilterOptions, metrics: ClientMetrics) -> Self {
        let shunned = Mutex::new(vec![None; options.places.len()]);
        Self { options, metrics, next: AtomicUsize::new(0), shunned, kept: Mutex::default() }
    }

    /// How it is set up.
    #[must_use]
    pub fn options(&self) -> &FilterOptions {
        &self.options
    }

    pub(super) fn metrics(&self) -> &ClientMetrics {
        &self.metrics
    }

    /// A link to a place that is not in `tried`; those that fail here come into it. `None` when none is left.
    pub(super) async fn lease(&self, tried: &mut Vec<usize>, deadline: Instant) -> Option<Leased> {
        if let Some(Kept { place, link, .. }) = self.take_kept(tried) {
            return Some(Leased { place, link, used: true });
        }
        while Instant::now() < deadline
            && let Some(place) = self.choose(tried)
        {
            let endpoint = self.options.places.get(place)?;
            match Link::open(endpoint, &self.options, deadline).await {
                Ok(link) => {
                    self.shun(place, None);
                    return Some(Leased { place, link, used: false });
                }
                Err(error) => {
                    self.failed(place, &error);
                    tried.push(place);
                    if !error.lets_others_try() {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// A place failed: it is asked last for a while, and what is kept of it is dropped. One that had only what others
    /// left of the message's time is not blamed.
    pub(super) fn failed(&self, place: usize, error: &LinkError) {
        let name = &*self.options.name;
        let endpoint = self.options.places.get(place).map(ToString::to_string);
        tracing::warn!(filter = name, place = endpoint, %error, "a filter failed");
        self.metrics.failed(name, error.cause());
        if !matches!(error, LinkError::Spent) {
            self.shun(place, Some(Instant::now() + self.options.times.shun));
            self.drop_kept(place);
        }
    }

    pub(super) fn drop_kept(&self, place: usize) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept| kept.place != place);
    }

    /// Keeps a link for the next session, or says goodbye.
    pub(super) async fn give_back(&self, leased: Leased) {
        let Leased { place, link, .. } = leased;
        let Some(mut link) = link.release(self.options.kept > 0).await else { return };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < self.options.kept && link.expect_silence().is_ok() {
            kept.push(Kept { place, link, since: Instant::now() });
        }
    }

    /// The newest of those kept, so that the others can grow old and go. One that was closed meanwhile, or on which
    /// something was said that nobody asked for, is dropped.
    fn take_kept(&self, tried: &[usize]) -> Option<Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < self.options.times.idle);
        loop {
            let found = kept.iter().rposition(|kept| !tried.contains(&kept.place))?;
            let mut found = kept.remove(found);
            if found.link.expect_silence().is_ok() {
                return Some(found);
            }
        }
    }

    /// In turn, and those that failed of late last.
    fn choose(&self, tried: &[usize]) -> Option<usize> {
        let count = self.options.places.len();
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_shunned =
            |place: &usize| shunned.get(*place).copied().flatten().is_some_and(|until| until > now);
        let left = (0..count).map(|step| (start.wrapping_add(step)) % count);
        left.filter(|place| !tried.contains(place)).min_by_key(is_shunned)
    }

    fn shun(&self, place: usize, until: Option<Instant>) {
        let mut shunned = self.shunned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shunned.get_mut(place) {
            *entry = until;
        }
    }
}
