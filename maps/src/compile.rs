//! From text to tables: every line read, every value checked, all faults at once.

use std::path::Path;
use std::sync::Arc;

use crate::chain::{Member, Table};
use crate::exact::{self, Exact, ExactBuilder};
use crate::fault::{Fault, Faults, Wrong};
use crate::grammar::Grammar;
use crate::name::{MapName, Values};
use crate::random::Weighted;
use crate::source::{self, Line, Lines};
use crate::spec::{Choice, Pair, TableSpec};
use crate::text::aliases::Aliases;

/// A table's text, and where it came from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) map: Option<MapName>,
    pub(crate) file: Arc<Path>,
    pub(crate) bytes: Arc<[u8]>,
}

impl Source {
    fn fault(&self, (line, column): (u32, u32), message: String) -> Fault {
        Fault { map: self.map, file: Arc::clone(&self.file), line, column, message }
    }

    /// A file cut short or half-way through being written must not read as "there is nobody here".
    fn empty(&self) -> Fault {
        self.fault((0, 0), "the file is empty; if that is meant, write a comment into it".to_owned())
    }
}

/// Reads the sources of tables.
pub(crate) trait Read {
    /// The octets of a file that a table names.
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault>;
}

/// Makes a table of what the settings say.
pub(crate) fn table(
    map: Option<MapName>,
    spec: &TableSpec,
    read: &mut impl Read,
    grammar: &mut Grammar<'_>,
) -> Result<Member, Faults> {
    let word: Arc<str> = spec.to_string().into();
    let mut file: Arc<Path> = Path::new(&*word).into();
    let mut open = |name: &Path| -> Result<Source, Fault> {
        let source = read.read(map, name)?;
        file = Arc::clone(&source.file);
        Ok(source)
    };
    let table = match spec {
        TableSpec::Text { file, .. } => Table::Exact(exact(&open(file)?, grammar)?),
        TableSpec::Aliases { file } => {
            let source = open(file)?;
            Table::Exact(aliases(&source, read, grammar)?)
        }
        TableSpec::Fail(reason) => Table::Fail(reason.as_str().into()),
        TableSpec::Static(value) => Table::Static(written(map, &word, value, grammar)?.into()),
        TableSpec::Inline(pairs) => Table::Exact(inline(map, &word, pairs, grammar)?),
        TableSpec::Random(choices) => {
            let weigh = |choice: &Choice| Ok((written(map, &word, &choice.value, grammar)?, choice.weight));
            Table::Random(Weighted::new(choices.iter().map(weigh).collect::<Result<_, Fault>>()?))
        }
        TableSpec::Union(specs) => {
            let member = |spec| table(map, spec, read, grammar);
            Table::Union(specs.iter().map(member).collect::<Result<_, _>>()?)
        }
        TableSpec::Cidr(_)
        | TableSpec::Regexp(_)
        | TableSpec::Pcre(_)
        | TableSpec::Socketmap { .. }
        | TableSpec::Tcp(_) => return Err(whole(map, &word, "is no table of this map").into()),
    };
    Ok(Member { table, file, spec: word, takes_parts: spec.takes_partial_keys() })
}

/// A value that stands in the settings themselves.
fn written(
    map: Option<MapName>,
    word: &str,
    value: &str,
    grammar: &mut Grammar<'_>,
) -> Result<String, Fault> {
    let written = grammar.value("", value).map(std::borrow::Cow::into_owned);
    written.map_err(|wrong| whole(map, word, &wrong.what))
}

/// The entries of an `inline:` table: as written, the last one wins there too.
fn inline(
    map: Option<MapName>,
    word: &str,
    pairs: &[Pair],
    grammar: &mut Grammar<'_>,
) -> Result<Exact, Faults> {
    let mut builder = ExactBuilder::default();
    let mut faults = Faults::default();
    for pair in pairs {
        let added = grammar.key(&pair.key).and_then(|key| {
            let value = grammar.value(&key, &pair.value)?;
            builder.push(&key, &value, 0).map_err(|error| Wrong::new(error.to_string()))
        });
        if let Err(wrong) = added {
            faults.push(whole(map, word, &wrong.what));
        }
    }
    match builder.finish() {
        Ok(exact) if faults.is_empty() => return Ok(exact),
        Ok(_) => {}
        Err(duplicates) => {
            for duplicate in duplicates {
                let what = format!("`{}` stands there twice, with different values", duplicate.key);
                faults.push(whole(map, word, &what));
            }
        }
    }
    Err(faults)
}

/// A fault of a word of the settings.
fn whole(map: Option<MapName>, word: &str, what: &str) -> Fault {
    Fault { map, file: Path::new(word).into(), line: 0, column: 0, message: what.to_owned() }
}

/// Reads the lines of a text table.
fn exact(source: &Source, grammar: &mut Grammar<'_>) -> Result<Exact, Faults> {
    let mut builder = ExactBuilder::default();
    let mut faults = Faults::default();
    if source.bytes.is_empty() {
        faults.push(source.empty());
    }
    for line in Lines::new(&source.bytes) {
        let line = match line {
            Ok(line) => line,
            Err(bad) => {
                faults.push(source.fault((bad.line, bad.column), bad.what));
                continue;
            }
        };
        if let Err(wrong) = add(&line, grammar, &mut builder) {
            faults.push(source.fault(line.place(wrong.at), wrong.what));
        }
    }
    finish(builder, source, faults)
}

fn add(line: &Line<'_>, grammar: &mut Grammar<'_>, builder: &mut ExactBuilder) -> Result<(), Wrong> {
    let entry = source::split(&line.text)?;
    let key = grammar.key(entry.key)?;
    let value = grammar.value(&key, entry.value).map_err(|wrong| wrong.moved(entry.value_at))?;
    builder.push(&key, &value, line.number()).map_err(|error| Wrong::new(error.to_string()))
}

/// Reads the names of an aliases(5) file, and what they stand for where the map asks for that.
fn aliases(source: &Source, read: &mut impl Read, grammar: &mut Grammar<'_>) -> Result<Exact, Faults> {
    let mut builder = ExactBuilder::default();
    let mut faults = Faults::default();
    if source.bytes.is_empty() {
        faults.push(source.empty());
    }
    let is_list = source.map.is_some_and(|map| map.values() == Values::Nothing);
    let mut open = |name: &Path| read.read(source.map, name);
    for alias in Aliases::new(source, &mut open) {
        let added = alias.and_then(|alias| {
            let key = grammar.key(&alias.key).map_err(|wrong| alias.key_fault(wrong))?;
            let value = if is_list { "" } else { &alias.value };
            let value = grammar.value(&key, value).map_err(|wrong| alias.value_fault(wrong))?;
            let too_large = |error: exact::TooLarge| alias.key_fault(Wrong::new(error.to_string()));
            builder.push(&key, &value, alias.line).map_err(too_large)
        });
        if let Err(fault) = added {
            faults.push(fault);
        }
    }
    finish(builder, source, faults)
}

fn finish(builder: ExactBuilder, source: &Source, mut faults: Faults) -> Result<Exact, Faults> {
    let exact = match builder.finish() {
        Ok(exact) => Some(exact),
        Err(duplicates) => {
            for duplicate in duplicates {
                let message = format!(
                    "`{}` stands in line {} already, with another value",
                    duplicate.key, duplicate.first_line
                );
                faults.push(source.fault((duplicate.second_line, 1), message));
            }
            None
        }
    };
    match exact {
        Some(exact) if faults.is_empty() => Ok(exact),
        _ => Err(faults),
    }
}

/// Texts in place of files: the file of a map's table is called as the map.
#[derive(Debug)]
pub(crate) struct Texts<'a>(pub(crate) &'a [(MapName, &'a str)]);

impl Read for Texts<'_> {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        let text = self.0.iter().find(|(name, _)| Some(*name) == map).map(|(_, text)| *text);
        Ok(Source { map, file: file.into(), bytes: text.unwrap_or_default().as_bytes().into() })
    }
}
