//! A set from its folder: in constant time, since it was verified when it was installed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Entry, manifest, table};
use crate::artifact::Bytes;
use crate::chain::{Member, Table};
use crate::compile::{Compiler, InMemory, Read, Source};
use crate::fault::{Fault, Faults};
use crate::grammar::{Grammar, Words, filled, write};
use crate::name::{MapName, Values};
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{Known, MapSet, Slot, Slots, Verified, chain};
use crate::spec::TableSpec;

/// Opens the set in a folder. A map that is damaged answers "unavailable"; one that the manifest does not name
/// is absent.
pub(crate) fn open(folder: &Path, options: &MapOptions, remotes: &Remotes) -> (Verified<MapSet>, Faults) {
    let mut all = Faults::default();
    let mut slots: Slots = MapName::ALL.map(|_| Slot::Absent);
    let mut proven = None;
    match manifest(folder) {
        Ok(manifest) => {
            let words = Words::new(options);
            proven =
                blake3::Hash::from_hex(&manifest.digest).ok().map(|hash| Known::Digest(*hash.as_bytes()));
            for map in MapName::ALL {
                let Some(entries) = manifest.maps.get(map.as_str()) else { continue };
                let mut opener = Opener { map, folder, words: &words, remotes };
                slots[map as usize] = match chain(entries, |entry| opener.member(entry)) {
                    Ok(chain) => Slot::Ready(chain),
                    Err(faults) => Slot::refused(faults, &mut all),
                };
            }
        }
        Err(fault) => {
            // Nobody knows what the set would have held.
            let why: Arc<str> = fault.to_string().into();
            slots = MapName::ALL.map(|_| Slot::Unavailable(Arc::clone(&why)));
            all.push(fault);
        }
    }
    (Verified::proven(MapSet::of_slots(slots, options, proven.as_ref(), &mut all)), all)
}

struct Opener<'a> {
    map: MapName,
    folder: &'a Path,
    words: &'a Words,
    remotes: &'a Remotes,
}

impl Opener<'_> {
    fn member(&mut self, entry: &Entry) -> Result<Member, Faults> {
        let fault = |what: String| Fault::of_file(Some(self.map), entry.source.as_path().into(), what);
        let spec =
            TableSpec::parse(&entry.table).map_err(|bad| fault(format!("`{}`: {bad}", entry.table)))?;
        let named = |table| Member {
            table,
            file: entry.source.as_path().into(),
            spec: entry.table.as_str().into(),
            takes_parts: spec.takes_partial_keys(),
        };
        let member = match (&entry.artifact, &spec) {
            (Some(artifact), _) => {
                let table = table(artifact, self.folder, Bytes::open).map_err(fault)?;
                // In memory before it is asked; a kernel that cannot does so when it is.
                table.containers().for_each(|container| drop(container.bytes().populate()));
                named(table)
            }
            (None, TableSpec::Union(_)) => {
                let members = entry.members.iter().map(|entry| self.member(entry));
                named(Table::Union(members.collect::<Result<_, _>>()?))
            }
            (
                None,
                TableSpec::Static(_)
                | TableSpec::Fail(_)
                | TableSpec::Random(_)
                | TableSpec::Socketmap { .. }
                | TableSpec::Tcp(_),
            ) => {
                let grammar = Grammar::new(self.map, self.words);
                let (read, keep) = (&mut NoFiles, &mut InMemory);
                let (map, remotes) = (Some(self.map), self.remotes);
                Compiler { map, read, keep, grammar, remotes, allow_dead_rules: true }.table(&spec)?
            }
            (None, _) => return Err(fault(format!("`{}` has no file in the set", entry.table)).into()),
        };
        self.check_values(&member)?;
        Ok(member)
    }

    /// The values were checked when the set was made, perhaps by other settings: a pool or a filter may be unknown
    /// here, and mail that nobody filters must not come of it.
    fn check_values(&self, member: &Member) -> Result<(), Faults> {
        if !matches!(self.map.values(), Values::Route | Values::Access) {
            return Ok(());
        }
        let patterns = matches!(member.table, Table::Pattern(_));
        let wrong = |value: &str| {
            let text = if patterns { filled(value).into() } else { Cow::Borrowed(value) };
            let wrong = write(self.map, "", &text, self.words).err()?;
            Some(format!("`{value}`: {}", wrong.what))
        };
        // The last ones are those of what changed, which nobody looked at before.
        let numbers = (0..u32::try_from(member.table.values()).unwrap_or(u32::MAX)).rev().take(MAX_CHECKED);
        let wrong =
            numbers.filter_map(|number| Some((number, wrong(member.table.value(number)?)?))).collect();
        match first_used(&member.table, &wrong) {
            Some(what) => {
                Err(Fault::of_file(Some(self.map), Arc::clone(&member.file), what.to_owned()).into())
            }
            None => Ok(()),
        }
    }
}

/// One of these values that something leads to. A table with changes beside it has some that no key leads to any more.
fn first_used<'a>(table: &Table, values: &'a BTreeMap<u32, String>) -> Option<&'a str> {
    let any = values.values().next()?;
    let used = match table.exact() {
        // What cannot be read may lead anywhere.
        Some(exact) => exact.numbered().find_map(|entry| match entry {
            Ok((_, value, _)) => values.get(&value),
            Err(_) => Some(any),
        })?,
        None => any,
    };
    Some(used)
}

/// Different values of a table that are looked at when a set is opened; more than any site has.
const MAX_CHECKED: usize = 1 << 16;

/// A set on disk has its tables in artifacts.
struct NoFiles;

impl Read for NoFiles {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        Err(Fault::of_file(map, file.into(), "is not in the set".to_owned()))
    }
}
