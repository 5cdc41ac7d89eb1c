//! A table asked by itself, as `postmap -q` asks one: no map, no order of keys, the value as it stands there.

use std::path::Path;
use std::sync::Arc;

use crate::artifact::Corrupt;
use crate::chain::{Chain, Pending, Table, Why};
use crate::compile::{Compiler, InMemory};
use crate::fault::Faults;
use crate::grammar::{Grammar, Words};
use crate::key;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{Files, chain};
use crate::spec::TableSpec;

/// A table by itself.
#[derive(Debug)]
pub struct RawTable(Chain);

/// What a table says to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawAnswer {
    /// The value, and where it stands.
    Found {
        /// As it stands there, or with what a pattern put into it.
        value: String,
        /// The file, or the word of a table that has none.
        file: Arc<Path>,
        /// From 1; 0 when there is no line.
        line: u32,
    },
    /// It does not know the key.
    NotFound,
    /// Why it cannot say.
    Unavailable(Arc<str>),
}

/// An entry of a table of whole keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEntry<'a> {
    /// In lower case.
    pub key: &'a str,
    /// As it stands there.
    pub value: &'a str,
    /// From 1.
    pub line: u32,
}

impl RawTable {
    /// Reads a table; its file is looked for in `folder`.
    ///
    /// # Errors
    /// With everything that is wrong with it.
    pub fn open(table: &TableSpec, folder: &Path) -> Result<Self, Faults> {
        let options = MapOptions { folder: folder.to_owned(), ..MapOptions::default() };
        let remotes = Remotes::unmetered(&options.remote);
        let words = Words::default();
        let mut compiler = Compiler {
            map: None,
            read: &mut Files::new(&options),
            keep: &mut InMemory,
            grammar: Grammar::raw(&words),
            remotes: &remotes,
            // Asked as it is; whether a rule makes sense is for the map to say.
            allow_dead_rules: true,
        };
        chain(std::slice::from_ref(table), |table| compiler.table(table)).map(Self)
    }

    /// Asks for a key. A table that a server answers needs a runtime, and may have to be asked again: see
    /// [`Self::ask`].
    #[must_use]
    pub fn query(&self, key: &str) -> RawAnswer {
        match self.look(key) {
            Ok(answer) => answer,
            Err(_) => RawAnswer::Unavailable("its server has not been asked yet".into()),
        }
    }

    /// Asks for a key, and waits for a server's answer where one is needed.
    pub async fn ask(&self, key: &str) -> RawAnswer {
        for _ in 0..MAX_ROUNDS {
            match self.look(key) {
                Ok(answer) => return answer,
                Err(pending) => {
                    // What came of it is known to the next look.
                    let _ = pending.remote.fetch(&pending.key).await;
                }
            }
        }
        self.query(key)
    }

    fn look(&self, key: &str) -> Result<RawAnswer, Pending> {
        match self.0.asking().whole(&key::fold(key), key) {
            Ok(Some(hit)) => {
                let (file, line) = (Arc::clone(hit.file), hit.line);
                Ok(RawAnswer::Found { value: hit.text.into_owned(), file, line })
            }
            Ok(None) => Ok(RawAnswer::NotFound),
            Err(Why::Unavailable(why)) => Ok(RawAnswer::Unavailable(why)),
            Err(Why::Unknown(pending)) => Err(pending),
        }
    }

    /// How many keys or rules it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its entries in the order of their lines; none for a table that has no keys of its own.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn entries(&self) -> Result<Vec<RawEntry<'_>>, Corrupt> {
        let mut entries = Vec::new();
        for member in &self.0.members {
            if let Table::Exact(exact) = &member.table {
                for entry in exact.iter() {
                    let (key, value, line) = entry?;
                    entries.push(RawEntry { key, value, line });
                }
            }
        }
        entries.sort_by_key(|entry| (entry.line, entry.key));
        Ok(entries)
    }
}

/// How often a table is looked at again: a union of servers asks one after another.
const MAX_ROUNDS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(word: &str, key: &str) -> String {
        let table = RawTable::open(&TableSpec::parse(word).unwrap(), Path::new("/")).unwrap();
        match table.query(key) {
            RawAnswer::Found { value, .. } => value,
            RawAnswer::NotFound => "-".to_owned(),
            RawAnswer::Unavailable(why) => format!("! {why}"),
        }
    }

    #[test]
    fn a_table_is_asked_as_it_stands() {
        assert_eq!(ask("inline:{ {Key = Some Value}, {other = a, b} }", "kEY"), "Some Value");
        assert_eq!(ask("inline:{ key=x }", "nokey"), "-");
        assert_eq!(ask("static:yes", "anything"), "yes");
        assert_eq!(ask("fail:closed", "anything"), "! fail:closed: closed");
        assert_eq!(ask("unionmap:{ inline:{a=1}, inline:{a=2, b=3} }", "a"), "1,2");
        assert_eq!(ask("cidr:{ {192.0.2.0/24 inside} }", "192.0.2.7"), "inside");
    }
}
