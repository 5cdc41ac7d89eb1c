//! What a file of a site may be called: plain names below the site's folder, and nothing else.
//!
//! The letters are a few of ASCII, so there is no second spelling of a name, no drive, no way up and no
//! hidden file. Names that differ only in the size of letters are told apart nowhere: [`Path::folded`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest path in octets.
pub const LONGEST: usize = 255;

/// The most folders and the file's name in one path.
pub const DEEPEST: usize = 8;

/// A file's place below the folder of the site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path(String);

/// Why a path is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPath {
    /// Empty, or too long.
    #[error("a path has 1 to {LONGEST} octets, not {0}")]
    Length(usize),
    /// More folders than anybody needs.
    #[error("a path has at most {DEEPEST} parts, not {0}")]
    Depth(usize),
    /// `//`, a slash at either end, or a part that begins with a dot.
    #[error("each part of a path begins with a letter, a digit or one of \"_+@-\": {0:?} does not")]
    Part(String),
    /// A letter outside the set.
    #[error("a path is made of letters, digits and \"._+@-\" of ASCII, not {0:?}")]
    Letter(char),
}

impl Path {
    /// The path as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path in small letters: two files of a site must differ in this.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl TryFrom<String> for Path {
    type Error = NoPath;

    fn try_from(text: String) -> Result<Self, NoPath> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(NoPath::Length(text.len()));
        }
        let legal = |letter: char| letter.is_ascii_alphanumeric() || "/._+@-".contains(letter);
        if let Some(letter) = text.chars().find(|letter| !legal(*letter)) {
            return Err(NoPath::Letter(letter));
        }
        let depth = text.split('/').count();
        if depth > DEEPEST {
            return Err(NoPath::Depth(depth));
        }
        match text.split('/').find(|part| part.is_empty() || part.starts_with('.')) {
            Some(part) => Err(NoPath::Part(part.to_owned())),
            None => Ok(Self(text)),
        }
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn y5_only_plain_names_below_the_folder() {
        for good in ["site.toml", "maps/transport", "hosts/mx1.example.net.toml", "a/b/c/d/e/f/g/h", "x+y@z_"]
        {
            assert_eq!(Path::try_from(good.to_owned()).unwrap().as_str(), good);
        }
        let deep = "a/".repeat(DEEPEST) + "a";
        let long = "a".repeat(300);
        let bad = [
            "",
            ".",
            "..",
            "../../etc/x",
            "/abs",
            "a/../b",
            "a/../../b",
            "a/./b",
            "a//b",
            "a/",
            "C:\\x",
            "C:x",
            "a\\b",
            "a\0b",
            "a\nb",
            "a b",
            ".git",
            "a/.hidden",
            "caf\u{e9}",
            "cafe\u{301}",
            "~x",
            "%2e%2e",
            &deep,
            &long,
        ];
        for path in bad {
            assert!(Path::try_from(path.to_owned()).is_err(), "{path:?}");
        }
    }
}
