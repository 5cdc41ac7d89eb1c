//! How long each stage of a push took, for the one who waits for it.

use std::fmt;
use std::time::{Duration, Instant};

/// The stages that are over, and since when the next one goes on.
#[derive(Debug)]
pub(super) struct Stages {
    began: Instant,
    over: Vec<(&'static str, Duration)>,
}

impl Stages {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), over: Vec::new() }
    }

    /// A stage is over: what was done in it.
    pub(super) fn done(&mut self, what: &'static str) {
        self.over.push((what, self.began.elapsed()));
        self.began = Instant::now();
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (what, time)) in self.over.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(formatter, "{comma}{what} in {time:.2?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_told_in_one_line() {
        let over = vec![("checked", Duration::from_millis(310)), ("brought", Duration::from_secs(2))];
        let stages = Stages { began: Instant::now(), over };
        assert_eq!(stages.to_string(), "checked in 310.00ms, brought in 2.00s");
        let mut stages = Stages::begin();
        stages.done("checked");
        assert_eq!(stages.over.len(), 1);
    }
}
