//! How many connections a destination may have at once, and when it is held for dead: pure.
//!
//! Postfix's way: start small, one more after each success while all are in use, one less after each failure
//! to reach it; when a whole window of failures came without a success, it is dead for a while, and its mail is
//! deferred without an attempt.

use std::time::{Duration, Instant};

/// Concurrency of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowOptions {
    /// Connections at first.
    pub initial: u32,
    /// Connections at most.
    pub limit: u32,
    /// How long a destination that nobody could reach is left alone.
    pub dead_for: Duration,
}

impl Default for WindowOptions {
    fn default() -> Self {
        Self { initial: 5, limit: 20, dead_for: Duration::from_secs(300) }
    }
}

/// What one attempt tells of its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feedback {
    /// Somebody there answered, with yes or with no.
    Reached,
    /// Nobody there could be spoken to.
    Unreached,
    /// Nothing: it came to no attempt.
    Untried,
}

/// The window of one destination.
#[derive(Debug, Clone)]
pub struct Window {
    size: u32,
    /// In failures since the last success, each weighing one of the window at its time.
    failed_cohorts: f64,
    dead_until: Option<Instant>,
    died: Option<Instant>,
    /// From when on its failures are too old to count.
    failures_until: Option<Instant>,
}

impl Window {
    /// The window of a destination that nothing is known of.
    #[must_use]
    pub fn new(options: &WindowOptions) -> Self {
        Self {
            size: options.initial.clamp(1, options.limit.max(1)),
            failed_cohorts: 0.0,
            dead_until: None,
            died: None,
            failures_until: None,
        }
    }

    /// Stays within another limit.
    pub fn fit(&mut self, options: &WindowOptions) {
        self.size = self.size.min(options.limit.max(1));
    }

    /// Connections that it may have now.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// True while it is left alone.
    #[must_use]
    pub fn is_dead(&self, now: Instant) -> bool {
        self.dead_until.is_some_and(|until| now < until)
    }

    /// Forgets that it was dead when somebody asked for an attempt, at `asked`; what happened since then counts.
    pub fn revive_for(&mut self, asked: Instant) {
        if self.died.is_some_and(|died| died <= asked) {
            self.revive();
        }
    }

    /// Forgets that it was dead: somebody asked for an attempt now.
    pub fn revive(&mut self) {
        self.dead_until = None;
        self.died = None;
        self.failed_cohorts = 0.0;
        self.failures_until = None;
    }

    /// True when there is nothing to remember, whatever the time.
    #[must_use]
    pub fn failures_forgotten(&self) -> bool {
        self.dead_until.is_none() && self.failed_cohorts == 0.0
    }

    /// True when there is nothing to remember: a few failures of long ago, at a destination that nobody asked for
    /// since, are not.
    #[must_use]
    pub fn is_forgettable(&self, now: Instant) -> bool {
        !self.is_dead(now) && self.failures_until.is_none_or(|until| now >= until)
    }

    /// Learns from an attempt, of `in_use` going on. True when the destination is dead from now on.
    pub fn learn(&mut self, feedback: Feedback, in_use: u32, now: Instant, options: &WindowOptions) -> bool {
        match feedback {
            Feedback::Untried => {}
            Feedback::Reached => {
                self.revive();
                // A window that is not used up has shown nothing about a larger one.
                if in_use >= self.size && self.size < options.limit {
                    self.size += 1;
                }
            }
            Feedback::Unreached => {
                self.failed_cohorts += 1.0 / f64::from(self.size);
                self.failures_until = Some(now + options.dead_for);
                self.size = self.size.saturating_sub(1).max(1);
                if self.failed_cohorts >= 0.999 {
                    self.failed_cohorts = 0.0;
                    self.size = options.initial.clamp(1, options.limit.max(1));
                    self.dead_until = Some(now + options.dead_for);
                    self.died = Some(now);
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_its_limit_while_it_is_used_up() {
        let (options, now) = (WindowOptions::default(), Instant::now());
        let mut window = Window::new(&options);
        assert_eq!(window.size(), 5);
        window.learn(Feedback::Reached, 3, now, &options);
        assert_eq!(window.size(), 5, "three of five in use show nothing");
        for _ in 0..100 {
            let size = window.size();
            window.learn(Feedback::Reached, size, now, &options);
        }
        assert_eq!(window.size(), 20);
        window.learn(Feedback::Unreached, 20, now, &options);
        assert_eq!(window.size(), 19);
        let options = WindowOptions { limit: 3, ..options };
        window.fit(&options);
        window.learn(Feedback::Reached, 3, now, &options);
        assert_eq!(window.size(), 3);
    }

    #[test]
    fn it_dies_of_a_window_of_failures_and_comes_back() {
        let options = WindowOptions { initial: 3, ..WindowOptions::default() };
        let now = Instant::now();
        let mut window = Window::new(&options);
        let mut failures = 0;
        while !window.learn(Feedback::Unreached, 1, now, &options) {
            failures += 1;
            assert!(failures < 3, "a window of failures is at most three");
        }
        assert!(window.is_dead(now) && !window.is_forgettable(now));
        assert!(!window.is_dead(now + options.dead_for));
        assert!(window.is_forgettable(now + options.dead_for));
        window.revive_for(now - Duration::from_secs(1));
        assert!(window.is_dead(now), "it died after somebody asked");
        window.revive_for(now);
        assert!(!window.is_dead(now));
    }

    #[test]
    fn failures_of_long_ago_keep_no_destination() {
        let (options, now) = (WindowOptions::default(), Instant::now());
        let mut window = Window::new(&options);
        assert!(!window.learn(Feedback::Unreached, 1, now, &options));
        assert!(!window.is_forgettable(now));
        assert!(window.is_forgettable(now + options.dead_for));
    }

    #[test]
    fn one_success_wipes_the_failures_out() {
        let (options, now) = (WindowOptions::default(), Instant::now());
        let mut window = Window::new(&options);
        for _ in 0..50 {
            assert!(!window.learn(Feedback::Unreached, 1, now, &options));
            window.learn(Feedback::Reached, 1, now, &options);
        }
        window.learn(Feedback::Untried, 1, now, &options);
        assert!(window.is_forgettable(now));
    }
}
