//! Sources to tables: every line read, every value typed, all faults at once.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use switchyard_smtp::address::{Domain, Mailbox};

use crate::alias;
use crate::entry::Route;
use crate::fault::{Fault, Faults, Wrong};
use crate::key;
use crate::lookup::{self, Rules};
use crate::loops::Loops;
use crate::name::MapName;
use crate::options::MapOptions;
use crate::source::{self, Line, Lines};
use crate::table::{Hit, Table};

/// A map's text, and where it came from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) map: MapName,
    pub(crate) file: Arc<Path>,
    pub(crate) bytes: Vec<u8>,
}

impl Source {
    fn fault(&self, (line, column): (u32, u32), message: String) -> Fault {
        Fault { map: self.map, file: Arc::clone(&self.file), line, column, message }
    }
}

/// A map that was read without a fault.
#[derive(Debug)]
pub(crate) struct Compiled<V> {
    pub(crate) file: Arc<Path>,
    pub(crate) table: Table,
    pub(crate) values: V,
}

/// What the values of one kind of map are.
trait Values {
    /// Reads a value and gives it a number.
    fn read(&mut self, key: &str, value: &str) -> Result<u32, Wrong>;
    /// True when both numbers mean the same, so that the line may stand twice.
    fn same(&self, one: u32, other: u32) -> bool;
}

/// Reads all lines into a table.
fn fill(source: &Source, values: &mut impl Values) -> Result<Table, Faults> {
    let mut table = Table::default();
    let mut faults = Faults::default();
    if source.bytes.is_empty() {
        // A file cut short or half-way through being written must not read as "there is nobody here".
        faults.push(
            source.fault((0, 0), "the file is empty; if that is meant, write a comment into it".to_owned()),
        );
    }
    for line in Lines::new(&source.bytes) {
        let line = match line {
            Ok(line) => line,
            Err(bad) => {
                faults.push(source.fault((bad.line, bad.column), bad.what));
                continue;
            }
        };
        if let Err(wrong) = add(source.map, &line, values, &mut table) {
            faults.push(source.fault(line.place(wrong.at), wrong.what));
        }
    }
    if faults.is_empty() { Ok(table) } else { Err(faults) }
}

fn add(map: MapName, line: &Line<'_>, values: &mut impl Values, table: &mut Table) -> Result<(), Wrong> {
    let entry = source::split(&line.text)?;
    let key = key::read(map, entry.key)?;
    let value = values.read(&key, entry.value).map_err(|wrong| wrong.moved(entry.value_at))?;
    match table.find(&key) {
        Some(hit) if values.same(hit.value, value) => Ok(()),
        Some(hit) => Err(Wrong::new(format!(
            "`{}` stands in line {} already, with another value",
            entry.key, hit.line
        ))),
        None => table
            .insert(&key, Hit { value, line: line.number() })
            .map_err(|_| Wrong::new("the map is too large: its keys take more than 4 GiB")),
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The routes of a transport map; a site has few.
#[derive(Debug, Default)]
pub(crate) struct Routes(Vec<Route>);

impl Routes {
    pub(crate) fn get(&self, value: u32) -> Option<&Route> {
        self.0.get(value as usize)
    }
}

struct ReadRoutes<'a> {
    pools: &'a BTreeSet<String>,
    numbers: HashMap<Box<str>, u32>,
    routes: Vec<Route>,
}

impl Values for ReadRoutes<'_> {
    fn read(&mut self, _key: &str, value: &str) -> Result<u32, Wrong> {
        if let Some(number) = self.numbers.get(value) {
            return Ok(*number);
        }
        let route = Route::read(value, self.pools)?;
        let number = number(self.routes.len())?;
        self.routes.push(route);
        self.numbers.insert(value.into(), number);
        Ok(number)
    }

    fn same(&self, one: u32, other: u32) -> bool {
        self.routes.get(one as usize) == self.routes.get(other as usize)
    }
}

fn number(index: usize) -> Result<u32, Wrong> {
    u32::try_from(index).map_err(|_| Wrong::new("the map is too large: more values than 32 bits count"))
}

/// Compiles a transport map.
pub(crate) fn transport(source: &Source, options: &MapOptions) -> Result<Compiled<Routes>, Faults> {
    let mut values = ReadRoutes { pools: &options.pools, numbers: HashMap::new(), routes: Vec::new() };
    let table = fill(source, &mut values)?;
    Ok(Compiled { file: Arc::clone(&source.file), table, values: Routes(values.routes) })
}

// ---------------------------------------------------------------------------------------------------------

/// The checked texts of an alias map, one after another.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    texts: String,
    /// Where each text ends, and the next starts.
    ends: Vec<u32>,
}

impl Aliases {
    /// A checked text; empty for the mark of a virtual alias domain.
    pub(crate) fn get(&self, value: u32) -> Option<&str> {
        let value = value as usize;
        let start = match value.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.texts.get(start..*self.ends.get(value)? as usize)
    }
}

struct ReadAliases<'a> {
    origin: Option<&'a Domain>,
    aliases: Aliases,
}

impl Values for ReadAliases<'_> {
    fn read(&mut self, key: &str, value: &str) -> Result<u32, Wrong> {
        let text = match alias::read(value, self.origin) {
            Ok(text) => text,
            // virtual(5): `virtual-alias.domain anything`, where the right-hand side does not matter.
            Err(_) if !value.is_empty() && marks_a_domain(key) => String::new(),
            Err(wrong) => return Err(wrong),
        };
        let number = number(self.aliases.ends.len())?;
        self.aliases.texts.push_str(&text);
        let end = u32::try_from(self.aliases.texts.len())
            .map_err(|_| Wrong::new("the map is too large: its values take more than 4 GiB"))?;
        self.aliases.ends.push(end);
        Ok(number)
    }

    fn same(&self, one: u32, other: u32) -> bool {
        self.aliases.get(one) == self.aliases.get(other)
    }
}

fn marks_a_domain(key: &str) -> bool {
    !key.contains('@') && key.contains('.') && Domain::parse(key).is_ok()
}

/// Compiles a virtual alias map, and follows each alias to its end.
pub(crate) fn virtual_alias(
    source: &Source,
    options: &MapOptions,
    rules: &Rules,
) -> Result<Compiled<Aliases>, Faults> {
    let mut values = ReadAliases { origin: options.origin.as_ref(), aliases: Aliases::default() };
    let table = fill(source, &mut values)?;
    let compiled = Compiled { file: Arc::clone(&source.file), table, values: values.aliases };

    let ask = |mailbox: &Mailbox| compiled.targets(mailbox, rules).and_then(|(_, targets)| targets);
    let mut loops = Loops::new(ask);
    let mut faults = Faults::default();
    let answers = |local: &str, host: &str| lookup::answers(&compiled.table, local, host, rules);
    for (key, hit) in compiled.table.iter() {
        // Most aliases end where they point: that is seen without making addresses of them.
        if !alias::leads_on(compiled.values.get(hit.value).unwrap_or_default(), answers) {
            continue;
        }
        let local_domains = options.origin.iter().chain(&options.local_domains);
        if let Some(message) = loops.follow(key, local_domains) {
            faults.push(source.fault((hit.line, 1), message));
        }
    }
    if faults.is_empty() { Ok(compiled) } else { Err(faults) }
}

impl Compiled<Aliases> {
    /// The line that answers for an address, and what it stands for; no addresses when the text is damaged.
    pub(crate) fn targets(&self, mailbox: &Mailbox, rules: &Rules) -> Option<(Hit, Option<Vec<Mailbox>>)> {
        let (hit, matched) = lookup::address(&self.table, mailbox, rules)?;
        match self.values.get(hit.value) {
            // The mark of a virtual alias domain is no user.
            Some("") => None,
            text => Some((hit, text.and_then(|text| alias::targets(text, mailbox, matched, rules)))),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The values of a list: what stands behind a key there says nothing.
struct Nothing(MapName);

impl Values for Nothing {
    fn read(&mut self, _key: &str, value: &str) -> Result<u32, Wrong> {
        // Any word may stand there (postmap wants one), but a second key would be lost without a word.
        let second = match self.0 {
            MapName::RelayDomains => value.contains('.'),
            _ => value.contains('@'),
        };
        if second { Err(Wrong::new("one entry a line is expected")) } else { Ok(0) }
    }

    fn same(&self, _one: u32, _other: u32) -> bool {
        true
    }
}

/// Compiles a list: keys that are there or not.
pub(crate) fn list(source: &Source) -> Result<Compiled<()>, Faults> {
    let table = fill(source, &mut Nothing(source.map))?;
    Ok(Compiled { file: Arc::clone(&source.file), table, values: () })
}
