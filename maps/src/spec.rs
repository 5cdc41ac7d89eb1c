//! The word by which the settings name a table, as Postfix writes it: `hash:transport`, `inline:{a=b}`.
//!
//! | word | table |
//! |---|---|
//! | `transport`, `texthash:transport`, `hash:`, `btree:`, `lmdb:`, `cdb:`, `dbm:`, `sdbm:` | a text as postmap(1) reads it |
//! | `aliases:aliases` | a text as postalias(1) reads it |
//! | `cidr:clients`, `regexp:…`, `pcre:…`, or `cidr:{ {rule}, {rule} }` | rules asked in their order |
//! | `inline:{ key=value, {key = value with, commas} }` | a few entries |
//! | `static:value`, `static:{a value}` | one answer for every key |
//! | `fail:reason` | "unavailable" for every key |
//! | `unionmap:{ table, table }` | what all of them find, joined by commas |
//! | `randmap:{ value, {a value}, value * 3 }` | one of them by chance; `* 3` is found three times as often |
//! | `socketmap:inet:host:port:name`, `socketmap:unix:/path:name`, `tcp:host:port` | a server |
//!
//! A daemon reads the text that an admin edits, never the database that postmap(1) made of it: the text has
//! lines to name in a fault, and cannot be older than itself. `hash:` and its like say which database Postfix
//! would read; here they all mean the text beside it.
//!
//! [`TableSpec::parse`] reads a word, `Display` writes one that reads back to the same.

mod display;
mod endpoint;
mod parse;
mod split;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub use endpoint::Endpoint;
pub use split::words;

/// Octets of a word.
pub const MAX_WORD: usize = 1 << 20;
/// How deep a `unionmap:` may stand in another.
pub const MAX_NESTING: usize = 8;
/// The largest weight in a `randmap:`.
pub const MAX_WEIGHT: u32 = 1_000_000;

/// One table of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableSpec {
    /// Keys and values, as postmap(1) reads them.
    Text {
        /// The word before the colon.
        kind: TextKind,
        /// The text, in the folder of the maps.
        file: PathBuf,
    },
    /// aliases(5), as postalias(1) reads them.
    Aliases {
        /// The text, in the folder of the maps.
        file: PathBuf,
    },
    /// Networks: cidr_table(5).
    Cidr(Rules),
    /// POSIX regular expressions: regexp_table(5).
    Regexp(Rules),
    /// Perl's regular expressions: pcre_table(5).
    Pcre(Rules),
    /// A few entries in the settings themselves, in their order.
    Inline(Vec<Pair>),
    /// This answer for every key.
    Static(String),
    /// No answer for any key, for this reason.
    Fail(String),
    /// All of these are asked, and what they find is joined by commas.
    Union(Vec<TableSpec>),
    /// One of these by chance, whatever the key.
    Random(Vec<Choice>),
    /// A server that speaks socketmap_table(5).
    Socketmap {
        /// Where it listens.
        endpoint: Endpoint,
        /// Which of its tables is asked.
        name: String,
    },
    /// A server that speaks tcp_table(5).
    Tcp(Endpoint),
}

/// The word before the file of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the words are Postfix's own, and all mean the same here")]
pub enum TextKind {
    /// No word at all.
    Plain,
    Texthash,
    Hash,
    Btree,
    Lmdb,
    Cdb,
    Dbm,
    Sdbm,
}

/// The rules of a table that is asked rule by rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// A file of them, in the folder of the maps.
    File(PathBuf),
    /// The rules themselves, a line each.
    Inline(Vec<String>),
}

/// An entry of an `inline:` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// As written; never empty.
    pub key: String,
    /// As written, without the blanks around it; never empty.
    pub value: String,
}

/// A value of a `randmap:` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Never empty.
    pub value: String,
    /// How often it is taken, beside the weights of the others; at least 1.
    pub weight: u32,
}

impl TableSpec {
    /// Reads a word of the settings.
    ///
    /// # Errors
    /// With the place and what was expected there.
    pub fn parse(word: &str) -> Result<Self, BadSpec> {
        parse::spec(word).map_err(|wrong| BadSpec { at: wrong.at, what: wrong.what })
    }

    /// The tables to ask, one after another: those of a `unionmap:` for it, and itself for any other.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Self> {
        match self {
            Self::Union(members) => members.iter().flat_map(Self::leaves).collect(),
            _ => vec![self],
        }
    }

    /// The file that it is read from, as written; a `unionmap:` has those of its [`Self::leaves`].
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Text { file, .. } | Self::Aliases { file } => Some(file),
            Self::Cidr(Rules::File(file))
            | Self::Regexp(Rules::File(file))
            | Self::Pcre(Rules::File(file)) => Some(file),
            _ => None,
        }
    }

    /// Whether it is asked for parts of a key (`@domain`, `.parent`, a user without a domain) or only for the
    /// whole of it, as Postfix does with patterns and servers. A `unionmap:` does as the first of its tables.
    #[must_use]
    pub fn takes_partial_keys(&self) -> bool {
        match self {
            Self::Text { .. } | Self::Aliases { .. } | Self::Inline(_) | Self::Static(_) => true,
            Self::Union(members) => members.first().is_some_and(Self::takes_partial_keys),
            Self::Cidr(_)
            | Self::Regexp(_)
            | Self::Pcre(_)
            | Self::Fail(_)
            | Self::Random(_)
            | Self::Socketmap { .. }
            | Self::Tcp(_) => false,
        }
    }
}

impl std::str::FromStr for TableSpec {
    type Err = BadSpec;
    fn from_str(word: &str) -> Result<Self, BadSpec> {
        Self::parse(word)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// A word that names no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadSpec {
    /// In octets from the start of the word.
    pub at: usize,
    /// What is wrong, and what was expected.
    pub what: String,
}

impl From<BadSpec> for crate::fault::Wrong {
    fn from(bad: BadSpec) -> Self {
        Self::at(bad.at, bad.what)
    }
}

// ---------------------------------------------------------------------------------------------------------

impl TextKind {
    /// Those with a word.
    const NAMED: [Self; 7] =
        [Self::Texthash, Self::Hash, Self::Btree, Self::Lmdb, Self::Cdb, Self::Dbm, Self::Sdbm];

    /// The word before the colon; empty for none.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Texthash => "texthash",
            Self::Hash => "hash",
            Self::Btree => "btree",
            Self::Lmdb => "lmdb",
            Self::Cdb => "cdb",
            Self::Dbm => "dbm",
            Self::Sdbm => "sdbm",
        }
    }
}

impl fmt::Display for TextKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
