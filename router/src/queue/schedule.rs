//! When a message is tried again, when its sender is warned, and when it is given up: pure arithmetic.
//!
//! Backoff doubles from `minimal_backoff` to `maximal_backoff`, spread by a chance that is handed in, so that
//! what failed together does not come back together. Ages start at the arrival's wall time, but every deadline
//! is a reading of the monotonic clock: setting the wall clock moves none of them.

use std::time::{Duration, Instant, SystemTime};

/// Retry and lifetime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// The first wait.
    pub minimal_backoff: Duration,
    /// The longest wait.
    pub maximal_backoff: Duration,
    /// How long a message is tried (RFC 5321 §4.5.4.1: at least 4–5 days).
    pub queue_lifetime: Duration,
    /// How long a report is tried.
    pub bounce_queue_lifetime: Duration,
    /// After which age the sender is told of a delay; zero for never.
    pub delay_warning_time: Duration,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self {
            minimal_backoff: Duration::from_secs(300),
            maximal_backoff: Duration::from_secs(4000),
            queue_lifetime: 5 * DAY,
            bounce_queue_lifetime: 5 * DAY,
            delay_warning_time: Duration::from_secs(4 * 3600),
        }
    }
}

/// The deadlines of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// An attempt that fails from here on is the last.
    pub expires: Instant,
    /// An attempt that fails from here on is told to the sender; `None` for never.
    pub warns: Option<Instant>,
}

/// The two readings of a clock.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Instant,
    /// For the disk and for people.
    pub wall: SystemTime,
}

impl Now {
    /// What a time on the disk, before which a message is spared, comes to by the monotonic clock: no later than for
    /// a suspension that ends now, whatever the wall says.
    pub(super) fn spared(&self, until: SystemTime) -> Instant {
        self.monotonic + until.duration_since(self.wall).unwrap_or_default().min(DAY)
    }

    /// What the wall shows at a moment to come; none for one that has passed.
    pub(super) fn wall_at(&self, moment: Instant) -> Option<SystemTime> {
        let left = moment.checked_duration_since(self.monotonic)?;
        self.wall.checked_add(left)
    }
}

impl ScheduleOptions {
    /// Until when a message is not given up whose suspension ends now: a day, where messages live so long.
    #[must_use]
    pub fn spared_until(&self, is_report: bool, now: Now) -> Instant {
        now.monotonic + self.lifetime(is_report).min(DAY)
    }

    fn lifetime(&self, is_report: bool) -> Duration {
        if is_report { self.bounce_queue_lifetime } else { self.queue_lifetime }
    }

    /// How long to wait after the `attempts`th attempt; `chance` is in 0..1.
    #[must_use]
    pub fn backoff(&self, attempts: u32, chance: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(20);
        let longest = self.maximal_backoff.max(self.minimal_backoff);
        // A spread by a third above, so that even the longest wait is one of many.
        let base = self.minimal_backoff.saturating_mul(1 << doublings).min(longest.mul_f64(0.75));
        base.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 3.0).clamp(self.minimal_backoff, longest)
    }

    /// The deadlines of a message that arrived at `arrival`, by the wall.
    #[must_use]
    pub fn deadlines(&self, arrival: SystemTime, is_report: bool, now: Now) -> Deadlines {
        let lifetime = self.lifetime(is_report);
        // A clock set back makes the arrival lie ahead: then the message is new.
        let age = now.wall.duration_since(arrival).unwrap_or_default();
        let left = if age > lifetime.saturating_add(DAY) {
            // No message stays so long over its lifetime: the host was off, or the clock jumped. Nothing is
            // given up in a crowd because of that.
            lifetime.min(DAY)
        } else {
            lifetime.saturating_sub(age)
        };
        let warning = self.delay_warning_time;
        let warns = (!warning.is_zero()).then(|| now.monotonic + warning.saturating_sub(age));
        Deadlines { expires: now.monotonic + left.min(FAR), warns }
    }

    /// When a message that waits on the disk until `next_attempt`, by the wall, is due: never later than the
    /// longest wait from now, whatever the clock says.
    #[must_use]
    pub fn due(&self, next_attempt: SystemTime, now: Now) -> Instant {
        let wait = next_attempt.duration_since(now.wall).unwrap_or_default();
        now.monotonic + wait.min(self.maximal_backoff.max(self.minimal_backoff))
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// Nothing lives longer, so that adding to an `Instant` never overflows.
const FAR: Duration = Duration::from_secs(86_400 * 3650);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR: Duration = Duration::from_secs(86_400 * 365);

    fn now() -> Now {
        Now { monotonic: Instant::now(), wall: SystemTime::UNIX_EPOCH + 56 * YEAR }
    }

    #[test]
    fn backoff_doubles_to_its_ceiling() {
        let options = ScheduleOptions::default();
        for (attempts, low, high) in [
            (0, 300, 400),
            (1, 300, 400),
            (2, 600, 800),
            (3, 1200, 1600),
            (4, 2400, 3200),
            (5, 3000, 4000),
            (u32::MAX, 3000, 4000),
        ] {
            assert_eq!(options.backoff(attempts, 0.0), Duration::from_secs(low), "{attempts}");
            let longest = options.backoff(attempts, 1.0).as_secs_f64();
            assert!((longest - f64::from(high)).abs() < 0.001, "{attempts}: {longest}");
        }
    }

    #[test]
    fn deadlines_count_from_the_arrival() {
        let (options, now) = (ScheduleOptions::default(), now());
        let fresh = options.deadlines(now.wall, false, now);
        assert_eq!(fresh.expires - now.monotonic, 5 * DAY);
        assert_eq!(fresh.warns.map(|warns| warns - now.monotonic), Some(4 * Duration::from_secs(3600)));
        let old = options.deadlines(now.wall - 3 * DAY, false, now);
        assert_eq!((old.expires - now.monotonic, old.warns), (2 * DAY, Some(now.monotonic)));
        let report = ScheduleOptions { bounce_queue_lifetime: DAY, ..options };
        assert_eq!(report.deadlines(now.wall, true, now).expires - now.monotonic, DAY);
        let silent = ScheduleOptions { delay_warning_time: Duration::ZERO, ..options };
        assert_eq!(silent.deadlines(now.wall, false, now).warns, None);
    }

    #[test]
    fn h4_a_jump_of_the_clock_gives_nothing_up() {
        let (options, now) = (ScheduleOptions::default(), now());
        // Started with a clock a day behind, or ten years ahead.
        assert_eq!(options.deadlines(now.wall + DAY, false, now).expires - now.monotonic, 5 * DAY);
        assert_eq!(options.deadlines(now.wall - 10 * YEAR, false, now).expires - now.monotonic, DAY);
        // A retry that the disk has for tomorrow, or for ten years from now, is near all the same.
        for wall in [now.wall + DAY, now.wall + 10 * YEAR] {
            assert_eq!(options.due(wall, now) - now.monotonic, options.maximal_backoff);
        }
        assert_eq!(options.due(now.wall - 10 * YEAR, now), now.monotonic);
    }

    proptest! {
        #[test]
        fn backoff_stays_in_its_bounds(attempts: u32, chance in 0.0..1.0, minimal in 1_u64..10_000, maximal in 1_u64..100_000) {
            let options = ScheduleOptions {
                minimal_backoff: Duration::from_secs(minimal),
                maximal_backoff: Duration::from_secs(maximal),
                ..ScheduleOptions::default()
            };
            let wait = options.backoff(attempts, chance);
            prop_assert!(wait >= options.minimal_backoff);
            prop_assert!(wait <= options.maximal_backoff.max(options.minimal_backoff));
            prop_assert!(options.backoff(attempts.saturating_add(1), chance) >= wait);
        }

        #[test]
        fn no_time_panics(arrival in 0_u64..=u64::MAX / 4, wall in 0_u64..=u64::MAX / 4) {
            let at = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(SystemTime::UNIX_EPOCH);
            let now = Now { monotonic: Instant::now(), wall: at(wall) };
            let options = ScheduleOptions::default();
            let deadlines = options.deadlines(at(arrival), false, now);
            prop_assert!(deadlines.expires >= now.monotonic);
            prop_assert!(options.due(at(arrival), now) >= now.monotonic);
        }
    }
}
