//! Every setting there is, as its declaration says it: what the reference and the check of unknown keys
//! are made of.

use std::fmt;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `limits.sessions`; `[]` stands behind a list of tables, `NAME` for a name of the site's choice.
    pub path: String,
    /// What is written: `time`, `size`, `count`, `network`…
    pub kind: &'static str,
    /// Whether it is a list of these.
    pub list: bool,
    /// All values, when they are few and named.
    pub choices: Vec<&'static str>,
    /// What holds when no file says anything, as TOML.
    pub default: Option<String>,
    /// The smallest value, as TOML.
    pub least: Option<String>,
    /// The largest value, as TOML.
    pub most: Option<String>,
    /// Whether a running daemon takes a new value.
    pub change: Change,
    /// What it does, in a line.
    pub doc: &'static str,
}

/// When a new value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At once, for what starts from then on.
    Live,
    /// After a restart.
    Restart,
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Live => "live",
            Self::Restart => "restart",
        })
    }
}

impl Setting {
    /// `time, at least "1s"`, `one of "auto", "text"`, `list of network`.
    #[must_use]
    pub fn kind_in_words(&self) -> String {
        let mut words = if self.list { format!("list of {}", self.kind) } else { self.kind.to_owned() };
        if !self.choices.is_empty() {
            words = format!("one of {}", self.choices.join(", "));
        }
        if let Some(least) = &self.least {
            words.push_str(&format!(", at least {least}"));
        }
        if let Some(most) = &self.most {
            words.push_str(&format!(", at most {most}"));
        }
        words
    }
}
