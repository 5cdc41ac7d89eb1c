//! How far a run has come, on a terminal only.

use indicatif::ProgressBar;

use crate::progress;

/// A bar with the last behaviour's name behind it.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Of so many.
    pub(super) fn of(total: usize) -> Self {
        Self(progress::bar(total as u64, "{bar:30} {pos}/{len} {wide_msg}"))
    }

    /// One has ended.
    pub(super) fn one_more(&self, name: &str) {
        self.0.set_message(name.to_owned());
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
