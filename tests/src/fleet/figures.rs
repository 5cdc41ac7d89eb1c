//! What was measured, beside what it is to be at most.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// How much it is.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it is to be at most, where that was said.
    pub goal: Option<f64>,
}

impl Figure {
    /// One without a goal.
    #[must_use]
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, goal: None }
    }

    /// The same, with a goal.
    #[must_use]
    pub fn at_most(self, goal: f64) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

/// How long hosts took, over some pushes.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// They began together and came one by one.
    pub fn add(&mut self, start: Instant, came: &[Instant]) {
        self.0.extend(came.iter().map(|at| at.saturating_duration_since(start)));
        self.0.sort_unstable();
    }

    /// So many of a hundred were as fast or faster, in milliseconds.
    #[must_use]
    pub fn percentile(&self, part: usize) -> f64 {
        let place = (self.0.len() * part).div_ceil(100).saturating_sub(1);
        self.0.get(place).map_or(0.0, Duration::as_secs_f64) * 1000.0
    }
}

/// For people.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{:<68}{:>12}{:>12}", "", "figure", "at most");
    for Figure { what, value, unit, goal } in figures {
        let number = |value: f64| if value < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") };
        let _ = write!(text, "{what:<68}{:>9} {unit:<3}", number(*value));
        match goal {
            Some(goal) => {
                let verdict = if value <= goal { "met" } else { "MISSED" };
                let _ = writeln!(text, "{:>10}  {verdict}", number(*goal));
            }
            None => text.push('\n'),
        }
    }
    text
}

/// For programs.
#[must_use]
pub fn json(figures: &[Figure]) -> Value {
    let figure = |Figure { what, value, unit, goal }: &Figure| json!({"what": what, "value": value, "unit": unit, "at_most": goal});
    json!({"figures": figures.iter().map(figure).collect::<Vec<_>>()})
}
