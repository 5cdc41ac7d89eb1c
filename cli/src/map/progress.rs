//! How far a long reading has come, on a terminal only, and only once it is long.

use indicatif::{ProgressBar, ProgressStyle};

/// Entries between two looks at the clock.
const STEP: u64 = 100_000;

/// A count that is shown while it grows.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    name: String,
    count: u64,
}

impl Progress {
    /// Counts entries of `name`.
    pub(super) fn start(name: &str) -> Self {
        Self { bar: None, name: name.to_owned(), count: 0 }
    }

    /// One entry has been read.
    pub(super) fn one_more(&mut self) {
        self.count += 1;
        if !self.count.is_multiple_of(STEP) {
            return;
        }
        // Hidden by itself where standard error is no terminal.
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} entries, {per_sec}");
            let bar = ProgressBar::new_spinner().with_message(self.name.clone());
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        bar.set_position(self.count);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Something that takes its time, without a count.
pub(super) struct Waiting(ProgressBar);

impl Waiting {
    /// Says what is waited for, from now on.
    pub(super) fn for_(what: &str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Self(bar)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
