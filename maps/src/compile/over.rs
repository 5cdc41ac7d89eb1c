//! Tables of files that an earlier set has: those that did not change are taken as they are, those of text that
//! changed a little are made of what is there and what changed.
//!
//! A large table keeps its file, and a few changes become one beside it; when they are many, one is made of both. Whatever is
//! surprising on the way ends it, and the table is compiled of its text: so the answers are those of a compiler in any
//! case, and what is wrong with a text is told by the one who reads all of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Before, Compiler, Keep, Made, Read, Source, Way, changed};
use crate::artifact::exact::MergeError;
use crate::artifact::exact::layered::Since;
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
        let changed = changed::by(&table, &edits, &mut self.grammar.twin())?;
        Some((file, self.over(&table, changed, Origin { source, rules, once: true })?))
    }

    /// The table of a text that changed in some lines.
    pub(super) fn over_before(&mut self, source: &Source, word: &str) -> Option<Layered> {
        let origin = self.origin(source, word)?;
        let Before { table, text } = self.keep.before(&origin.rules)?;
        let changed = changed::between(&table, &text, &source.bytes, &mut self.grammar.twin())?;
        self.over(&table, changed, Origin { once: true, ..origin })
    }

    /// Keeps what an earlier table becomes.
    fn over(&mut self, table: &Layered, changed: Since<'static>, origin: Origin) -> Option<Layered> {
        let since = table.since_base(changed).ok()?;
        let origin = Some(origin);
        // A disk that is full is so for a compiler, too, which says it.
        if since.are_few(table.base()) {
            let made = Made { origin: origin.clone(), way: Way::Layered };
            let changes = since.encode(table.base()).ok()?;
            // Not every file system has links: then one file is made of both.
            if let Ok(layered) = self.keep.beside(made, table.base(), &changes) {
                return Some(layered);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Bytes;
    use crate::compile::{InMemory, WriteSeek};
    use crate::fault::Fault;
    use crate::grammar::{Grammar, Words};
    use crate::name::MapName;
    use crate::options::MapOptions;
    use crate::remote::Remotes;
    use crate::spec::TableSpec;

    struct Text(String);

    impl Read for Text {
        fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
            let (hash, bytes) = (blake3::hash(self.0.as_bytes()), self.0.clone().into_bytes());
            Ok(Source { map, file: file.into(), bytes: bytes.into(), hash: Some(hash) })
        }
    }

    /// Has a table, and cannot make a link to it.
    struct NoLinks {
        before: Option<Before>,
        ways: Vec<Way>,
    }

    impl Keep for NoLinks {
        fn keep(
            &mut self,
            made: Made,
            write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
        ) -> io::Result<Bytes> {
            self.ways.push(made.way);
            InMemory.keep(made, write)
        }

        fn before(&mut self, _rules: &str) -> Option<Before> {
            self.before.take()
        }
    }

    fn table(text: &str, before: Option<Before>) -> (Table, Vec<Way>) {
        let (map, words, remotes) =
            (MapName::VirtualAlias, Words::default(), Remotes::unmetered(&MapOptions::default().remote));
        let (mut read, mut keep) = (Text(text.to_owned()), NoLinks { before, ways: Vec::new() });
        let mut compiler = Compiler {
            map: Some(map),
            read: &mut read,
            keep: &mut keep,
            grammar: Grammar::new(map, &words),
            remotes: &remotes,
            allow_dead_rules: false,
        };
        let table = compiler.table(&TableSpec::parse("alias").unwrap()).unwrap().table;
        (table, keep.ways)
    }

    #[test]
    fn what_cannot_stand_beside_a_table_is_merged_into_it() {
        let users = |from: u32| -> String {
            (from..20_000).map(|number| format!("user{number:05}@example.org box@example.net\n")).collect()
        };
        let (Table::Exact(old), ways) = table(&users(0), None) else { panic!("of whole keys") };
        assert_eq!(ways, [Way::Compiled]);
        let before = Before { table: old, text: users(0).into_bytes().into() };
        let (merged, ways) = table(&users(1), Some(before));
        assert_eq!(ways, [Way::Merged]);
        let identity = |table: &Table| table.containers().map(Container::identity).collect::<Vec<_>>();
        assert_eq!(identity(&merged), identity(&table(&users(1), None).0));
    }
}
