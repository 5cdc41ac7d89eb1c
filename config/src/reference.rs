//! Every setting there is, as its declaration says it: what the reference and the check of unknown keys
//! are made of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `limits.sessions`; `[]` stands behind a list of tables, `NAME` for a name of the site's choice.
    pub path: String,
    /// What is written: `time`, `size`, `count`, `network`…
    pub kind: &'static str,
    /// How a value is written.
    pub form: Form,
    /// Whether it is one of these, or more.
    pub shape: Shape,
    /// All values, when they are few and named.
    pub choices: Vec<&'static str>,
    /// What holds when no file says anything, as TOML.
    pub default: Option<String>,
    /// Whether a file must say it.
    pub needed: bool,
    /// The smallest value, as TOML.
    pub least: Option<String>,
    /// The largest value, as TOML.
    pub most: Option<String>,
    /// Whether a running daemon takes a new value.
    pub change: Change,
    /// What it does, in a line.
    pub doc: &'static str,
}

/// How a value is written, for programs that look at a file while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text; of this pattern, if one says what fits.
    Text(Option<&'static str>),
    /// A text, or a list of them.
    Texts,
    /// A whole number from zero to this one.
    Number(u64),
    /// True or false.
    Flag,
}

/// How many values a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// An array.
    List,
    /// A table of values under names of the site's choice.
    ByName,
}

/// When a new value holds; what asks for more of people is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
        let kind = if self.choices.is_empty() {
            self.kind.to_owned()
        } else {
            format!("one of {}", self.choices.join(", "))
        };
        let mut words = match self.shape {
            Shape::One => kind,
            Shape::List => format!("list of {kind}"),
            Shape::ByName => format!("table of name = {kind}"),
        };
        if let Some(least) = &self.least {
            words.push_str(&format!(", at least {least}"));
        }
        if let Some(most) = &self.most {
            words.push_str(&format!(", at most {most}"));
        }
        words
    }
}
