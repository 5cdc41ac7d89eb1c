//! Waiting for a fact instead of for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long a fact may take on a busy machine before its absence is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a fact that nobody announces is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until `look` finds something, and hands it over.
///
/// # Panics
/// After `limit`, with the name of what was expected.
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(LOOK_EVERY);
    }
}

/// [`within`] the usual [`PATIENCE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, look)
}

/// Waits until something holds.
pub fn holds(what: &str, mut fact: impl FnMut() -> bool) {
    until(what, || fact().then_some(()));
}
