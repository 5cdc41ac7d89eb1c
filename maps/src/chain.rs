//! The tables of one map, asked in turn: the first that knows a key answers.
//!
//! For each form of a key ([`lookup`](crate::lookup)) all tables are asked, in the order of the settings, as
//! Postfix does. A table that cannot say ends the question: the ones behind it might say the contrary.

mod table;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::artifact::Layered;
use crate::artifact::exact::Near;
use crate::cidr;
use crate::remote::{Peek, Remote};
use crate::trace::MapTrace;

pub(crate) use table::Table;

/// An answer, or why there is none.
pub(crate) type Found<T> = Result<T, Why>;

/// Why a table cannot say.
#[derive(Debug, Clone)]
pub(crate) enum Why {
    /// It is damaged, failing or set to fail; for the log.
    Unavailable(Arc<str>),
    /// A server has not been asked yet.
    Unknown(Pending),
}

/// A question that a server is yet to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) remote: Remote,
    pub(crate) key: String,
}

/// What a key leads to.
#[derive(Debug, Clone)]
pub(crate) struct Hit<'a> {
    /// The value, as its map's [grammar](crate::grammar) wrote it when it was compiled, or with what a pattern
    /// put into it.
    pub(crate) text: Cow<'a, str>,
    /// Which of the table's different values it is; none when a pattern made it.
    pub(crate) number: Option<u32>,
    /// Which table of the map.
    pub(crate) member: usize,
    pub(crate) file: &'a Arc<Path>,
    pub(crate) line: u32,
}

/// How much of what was asked a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of it.
    Whole,
    /// A part: tables of patterns are not asked, since a pattern sees parts by itself.
    Part,
}

/// One table, and where it comes from.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) table: Table,
    /// Its file, or the word of the settings that it is.
    pub(crate) file: Arc<Path>,
    /// As the settings name it.
    pub(crate) spec: Arc<str>,
    /// Whether it is asked for parts of keys too.
    pub(crate) takes_parts: bool,
}

impl Member {
    fn find(&self, key: &str, given: &str, near: &Near<'_>, member: usize) -> Found<Option<Hit<'_>>> {
        let hit = |text, number, line| Hit { text, number, member, file: &self.file, line };
        match &self.table {
            Table::Exact(exact) => {
                let damaged = |_| self.unavailable("the table is damaged");
                let Some(found) = exact.find_near(key, near).map_err(damaged)? else { return Ok(None) };
                let text = exact.value(found.value).map_err(damaged)?;
                Ok(Some(hit(text.into(), Some(found.value), found.line)))
            }
            Table::Static(text) => Ok(Some(hit((**text).into(), Some(0), 0))),
            Table::Fail(reason) => Err(self.unavailable(reason)),
            Table::Union(members) => self.find_all(members, key, given, near, member),
            Table::Cidr(cidr) => {
                let Some(address) = cidr::address(key) else { return Ok(None) };
                let damaged = |_| self.unavailable("the table is damaged");
                let Some(found) = cidr.find(address).map_err(damaged)? else { return Ok(None) };
                let text = cidr.value(found.value).map_err(damaged)?;
                Ok(Some(hit(text.into(), Some(found.value), found.line)))
            }
            Table::Pattern(patterns) => {
                let found = patterns.find(given).map_err(|_| self.unavailable("the table is damaged"))?;
                Ok(found.map(|found| hit(found.text, found.number, found.line)))
            }
            Table::Remote(remote) => match remote.peek(given) {
                Peek::Answer(text) | Peek::Stale(text) => {
                    Ok(text.map(|text| hit(text.to_string().into(), None, 0)))
                }
                Peek::Unavailable(why) => Err(self.unavailable(&why)),
                Peek::Unknown => Err(Why::Unknown(Pending { remote: remote.clone(), key: given.to_owned() })),
            },
            Table::Random(values) => {
                let (number, text) = values.draw(fastrand::u64(..));
                Ok(Some(hit(text.into(), Some(number), 0)))
            }
        }
    }

    /// Postfix's unionmap: every table is asked, and one that cannot say makes the whole unable to.
    fn find_all<'a>(
        &'a self,
        members: &'a [Self],
        key: &str,
        given: &str,
        near: &Near<'_>,
        member: usize,
    ) -> Found<Option<Hit<'a>>> {
        let mut all: Option<Hit<'a>> = None;
        for each in members {
            let Some(hit) = each.find(key, given, near, member)? else { continue };
            match &mut all {
                None => all = Some(Hit { number: None, ..hit }),
                Some(all) => {
                    let text = all.text.to_mut();
                    text.push(',');
                    text.push_str(&hit.text);
                }
            }
        }
        Ok(all)
    }

    /// What the answers of the table hang on.
    pub(crate) fn digest(&self, hasher: &mut blake3::Hasher) {
        hasher.update(self.spec.as_bytes());
        // Places are told with the file.
        hasher.update(self.file.as_os_str().as_encoded_bytes());
        match &self.table {
            Table::Union(members) => members.iter().for_each(|member| member.digest(hasher)),
            table => {
                table.containers().for_each(|container| {
                    hasher.update(&container.identity());
                });
            }
        }
    }

    fn unavailable(&self, why: &str) -> Why {
        Why::Unavailable(format!("{}: {why}", self.spec).into())
    }
}

/// The tables of a map, in the order they are asked.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) members: Vec<Member>,
}

impl Chain {
    /// To be asked, without a trace.
    pub(crate) fn asking(&self) -> Asking<'_, 'static> {
        self.traced(None)
    }

    /// To be asked, each question noted.
    pub(crate) fn traced<'a>(&'a self, trace: Option<MapTrace<'a>>) -> Asking<'a, 'static> {
        Asking { chain: self, trace, near: Near::default() }
    }

    /// How many keys its tables have.
    pub(crate) fn len(&self) -> usize {
        self.members.iter().map(|member| member.table.len()).sum()
    }

    /// What one of its tables says, without those before it: nothing where it is not here; none where it cannot say.
    /// One that says what no admin wrote stands for itself, by its name.
    pub(crate) fn alone(&self, spec: &str, key: &str, given: &str) -> Option<Option<String>> {
        let Some(member) = self.member(spec) else { return Some(None) };
        if !member.table.is_written() {
            return Some(Some(spec.to_owned()));
        }
        let found = member.find(key, given, &Near::default(), 0).ok()?;
        Some(found.map(|hit| hit.text.into_owned()))
    }

    /// The table of this name.
    pub(crate) fn member(&self, spec: &str) -> Option<&Member> {
        self.members.iter().find(|member| *member.spec == *spec)
    }

    /// The tables of whole keys, each with its file.
    pub(crate) fn exact(&self) -> impl Iterator<Item = (&Layered, &Member)> {
        self.members.iter().filter_map(|member| Some((member.table.exact()?, member)))
    }
}

/// Keys of a table that the processor's cache may well hold.
const FITS_A_CACHE: u64 = 100_000;

/// A chain that is being asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asking<'a, 'k> {
    chain: &'a Chain,
    trace: Option<MapTrace<'a>>,
    near: Near<'k>,
}

impl<'a> Asking<'a, '_> {
    /// Asks all that is to be asked about: tables of keys by the one form that keys have, patterns and servers
    /// by what was `given`.
    pub(crate) fn whole(&self, key: &str, given: &str) -> Found<Option<Hit<'a>>> {
        self.ask(key, given, Form::Whole)
    }

    /// Says which keys may be asked now, so that large tables wait for memory once and not once a key.
    pub(crate) fn about<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Asking<'a, 'k> {
        let mut near = Near::default();
        let mut large = self.chain.exact().filter(|(exact, _)| exact.len() > FITS_A_CACHE).peekable();
        if large.peek().is_some() {
            near = Near::of(keys);
            large.for_each(|(exact, _)| exact.bring_near(&mut near));
        }
        Asking { chain: self.chain, trace: self.trace, near }
    }

    /// Asks for a part of it.
    pub(crate) fn part(&self, key: &str) -> Found<Option<Hit<'a>>> {
        self.ask(key, key, Form::Part)
    }

    fn ask(&self, key: &str, given: &str, form: Form) -> Found<Option<Hit<'a>>> {
        for (number, member) in self.chain.members.iter().enumerate() {
            if form == Form::Part && !member.takes_parts {
                continue;
            }
            let found = member.find(key, given, &self.near, number);
            if let Some(trace) = self.trace {
                trace.note(member, (key, given), &found);
            }
            if let Some(hit) = found? {
                return Ok(Some(hit));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
impl Chain {
    /// One table of keys and values, a line each.
    pub(crate) fn of_lines(lines: &[(&str, &str)]) -> Self {
        let mut builder = crate::artifact::ExactBuilder::new();
        for (line, (key, value)) in (1..).zip(lines) {
            builder.push(key, value, line).expect("a small table");
        }
        let bytes = builder.finish().expect("different keys").to_bytes().expect("memory");
        let container = crate::artifact::Container::open(bytes.into()).expect("a container");
        let table = Table::open(container, None).expect("a table");
        let (file, spec) = (Path::new("test").into(), "test".into());
        Self { members: vec![Member { table, file, spec, takes_parts: true }] }
    }
}

#[cfg(test)]
mod tests;
