//! aliases(5): `name: target, target`, as postalias(1) reads it.
//!
//! [`Aliases`] goes through a file and gives each name with its targets, as words that the map's own grammar
//! reads further: what a target is, and what is added to one without a domain, is said there once for all
//! kinds of tables. A fault that the grammar finds goes back to its place by [`Alias::value_fault`].
//!
//! What differs from Postfix, on purpose:
//! - `|command` and `/file` are refused. Nothing here runs commands or writes mailboxes: deliver to a server
//!   that does.
//! - `:include:` is read when the map is compiled, and only from below the folder that the table's own file
//!   stands in. An included file that is missing is a fault of the set, not of each message.
//! - What postalias warns about and leaves out is a fault: a name with a domain, a line without a colon.
//! - `owner-name` is a name as any other; the envelope sender is left as it is.

mod include;
mod words;

use std::path::Path;
use std::sync::Arc;

use self::include::Includes;
use crate::alias::MAX_TARGETS;
use crate::compile::Source;
use crate::fault::{Fault, Wrong};
use crate::name::MapName;
use crate::source::{Line, Lines};

/// Opens an included file, by the name that it has from the folder of the table.
pub(crate) type Open<'a> = dyn FnMut(&Path) -> Result<Source, Fault> + 'a;

/// The entries of a file.
pub(crate) struct Aliases<'a> {
    source: &'a Source,
    lines: Lines<'a>,
    includes: Includes<'a>,
}

/// A name and what it stands for.
#[derive(Debug)]
pub(crate) struct Alias {
    /// A local part as it is written in addresses, with quotes where it needs them.
    pub(crate) key: String,
    /// Its targets, with commas between them.
    pub(crate) value: String,
    /// The line that the name stands in.
    pub(crate) line: u32,
    key_place: Place,
    targets: Vec<Target>,
}

/// One target on its way into a value.
#[derive(Debug)]
struct Target {
    text: String,
    place: Place,
}

/// Where something stands.
#[derive(Debug, Clone)]
struct Place {
    map: Option<MapName>,
    file: Arc<Path>,
    line: u32,
    column: u32,
}

impl Place {
    fn of(source: &Source, line: &Line<'_>, at: usize) -> Self {
        let (line, column) = line.place(at);
        Self::at(source, line, column)
    }

    fn at(source: &Source, line: u32, column: u32) -> Self {
        Self { map: source.map, file: Arc::clone(&source.file), line, column }
    }

    fn fault(&self, message: String) -> Fault {
        Fault { map: self.map, file: Arc::clone(&self.file), line: self.line, column: self.column, message }
    }
}

impl<'a> Aliases<'a> {
    /// Goes through the lines of a source; `open` reads what it includes.
    pub(crate) fn new(source: &'a Source, open: &'a mut Open<'a>) -> Self {
        Self { source, lines: Lines::new(&source.bytes), includes: Includes::new(source, open) }
    }

    fn read(&mut self, line: &Line<'_>) -> Result<Alias, Fault> {
        let here = |wrong: Wrong| Place::of(self.source, line, wrong.at).fault(wrong.what);
        let (name, value_at) = words::name(&line.text).map_err(here)?;
        let value = line.text.get(value_at..).unwrap_or_default();
        let key_place = Place::of(self.source, line, 0);
        let mut targets = Vec::new();
        for word in words::targets(value) {
            let word = word.map_err(|wrong| here(wrong.moved(value_at)))?;
            let place = Place::of(self.source, line, value_at + word.at);
            self.includes.add(&word, place, &mut targets)?;
            if targets.len() > MAX_TARGETS {
                return Err(key_place.fault(format!("`{name}` has more than {MAX_TARGETS} targets")));
            }
        }
        if targets.is_empty() {
            let wrong = Wrong::at(line.text.len(), format!("`{name}`: a target is expected"));
            return Err(here(wrong));
        }
        let value = targets.iter().map(|target| target.text.as_str()).collect::<Vec<_>>().join(JOINT);
        Ok(Alias { key: name.to_owned(), value, line: line.number(), key_place, targets })
    }
}

/// What stands between two targets of a value.
const JOINT: &str = ", ";

impl Iterator for Aliases<'_> {
    type Item = Result<Alias, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.lines.next()? {
            Ok(line) => self.read(&line),
            Err(bad) => Err(Place::at(self.source, bad.line, bad.column).fault(bad.what)),
        })
    }
}

impl Alias {
    /// What is wrong with the name.
    pub(crate) fn key_fault(&self, wrong: Wrong) -> Fault {
        self.key_place.fault(wrong.what)
    }

    /// What is wrong at an offset of the value, at the place that came from.
    pub(crate) fn value_fault(&self, wrong: Wrong) -> Fault {
        let mut end = 0;
        let part = self.targets.iter().find(|target| {
            end += target.text.len() + JOINT.len();
            wrong.at < end
        });
        part.map_or(&self.key_place, |target| &target.place).fault(wrong.what)
    }
}

#[cfg(test)]
mod tests;
