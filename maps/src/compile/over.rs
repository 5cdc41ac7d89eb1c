//! Tables of files that an earlier set has: those that did not change are taken as they are, those of text that
//! changed a little are made of what is there and what changed.
//!
//! A large table keeps its file, and a few changes become one beside it; when they are many, one is made of both. Whatever is
//! surprising on the way ends it, and the table is compiled of its text: so the answers are those of a compiler in any
//! case, and what is wrong with a text is told by the one who reads all of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::changed::Changed;
use super::{Before, Compiler, Keep, Made, Read, Source, Way};
use crate::artifact::exact::MergeError;
use crate::artifact::{Container, Exact, Layered};
use crate::chain::Table;
use crate::installed::Origin;

/// How texts are read: one more whenever the same text comes to other octets, or what was taken is refused. What was
/// made by another number is made anew. The tables of `maps/tests/golden.rs` say when.
pub(crate) const RULES: u8 = 1;

impl<R: Read, K: Keep> Compiler<'_, R, K> {
    /// What a table of this text is made of.
    pub(super) fn origin(&self, source: &Source, word: &str) -> Option<Origin> {
        let source = source.hash?.to_hex().to_string();
        Some(Origin { source, rules: self.rules_of(word), once: false })
    }

    /// All that decides what comes of a text, as one hash.
    fn rules_of(&self, word: &str) -> String {
        let mut hasher = blake3::Hasher::new();
        let (number, grammar) = (RULES.to_string(), self.grammar.rules());
        for part in [&*number, word, &grammar, if self.allow_dead_rules { "dead rules" } else { "" }] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The table of a file that did not change.
    pub(super) fn again(&mut self, name: &Path, word: &str) -> Option<(Arc<Path>, Table)> {
        let (file, hash) = self.read.hash(name)?;
        let rules = self.rules_of(word);
        Some((file, self.keep.again(&hash, &rules)?))
    }

    /// The table of a text of which somebody knows in what lines it differs from an earlier one: neither is read.
    pub(super) fn edited(&mut self, name: &Path, word: &str) -> Option<(Arc<Path>, Layered)> {
        let (file, source, edits) = self.read.edits(name)?;
        let (source, rules) = (source.to_hex().to_string(), self.rules_of(word));
        let table = self.keep.made_of(&edits.before, &rules)?;
        let changed = Changed::by(&table, &edits, &mut self.grammar.twin())?;
        Some((file, self.over(table, changed, Origin { source, rules, once: true })?))
    }

    /// The table of a text that changed in some lines.
    pub(super) fn over_before(&mut self, source: &Source, word: &str) -> Option<Layered> {
        let origin = self.origin(source, word)?;
        let Before { table, text } = self.keep.before(&origin.rules)?;
        let changed = Changed::between(&table, &text, &source.bytes, &mut self.grammar.twin())?;
        self.over(table, changed, Origin { once: true, ..origin })
    }

    /// Keeps what an earlier table becomes.
    fn over(&mut self, table: Layered, changed: Changed, origin: Origin) -> Option<Layered> {
        let since = table.since_base(changed.ops, changed.moved).ok()?;
        let origin = Some(origin);
        // A disk that is full is so for a compiler, too, which says it.
        if since.are_few(table.base()) {
            let made = Made { origin, way: Way::Layered };
            let changes = since.encode(table.base()).ok()?;
            return self.keep.beside(made, table.into_base(), &changes).ok();
        }
        let made = Made { origin, way: Way::Merged };
        let kept =
            self.keep.keep(made, &mut |mut out| since.merge(table.base(), &mut out).map(drop).map_err(as_io));
        Container::open(kept.ok()?).and_then(Exact::open).ok().map(Layered::from)
    }
}

fn as_io(error: MergeError) -> io::Error {
    match error {
        MergeError::Write(error) => error,
        error => io::Error::other(error),
    }
}
