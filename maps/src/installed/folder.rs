//! The files of a set on their way into its folder: written, or taken from a set that has them.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Artifact, Checked, Entry, Origin, Over, Proof, Ways, beside, hex, manifest, table};
use crate::artifact::{Bytes, Container, Exact, Install, Layered};
use crate::chain::Table;
use crate::compile::{Before, InMemory, Keep, Made, Way, WriteSeek};
use crate::name::MapName;
use crate::read;
use crate::set::{Earlier, EarlierTable};

/// Artifacts as files of a folder, numbered in the order they are made.
pub(super) struct Folder<'a> {
    folder: &'a Path,
    base: Option<Base>,
    pub(super) written: Vec<Written>,
}

/// One of them.
pub(super) struct Written {
    /// Its name.
    pub(super) file: String,
    pub(super) made: Made,
}

impl<'a> Folder<'a> {
    pub(super) fn new(folder: &'a Path, base: Option<Base>) -> Self {
        Self { folder, base, written: Vec::new() }
    }

    /// The names of those that are yet to be read back.
    pub(super) fn compiled(&self) -> BTreeSet<String> {
        let compiled = self.written.iter().filter(|written| written.made.way == Way::Compiled);
        compiled.map(|written| written.file.clone()).collect()
    }

    pub(super) fn ways(&self) -> Ways {
        let mut ways = Ways::default();
        self.written.iter().for_each(|written| ways.add(written.made.way));
        ways
    }

    fn next_name(&self) -> String {
        format!("{}.swm", self.written.len())
    }
}

impl Keep for Folder<'_> {
    fn keep(
        &mut self,
        made: Made,
        write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
    ) -> io::Result<Bytes> {
        let name = self.next_name();
        let file = self.folder.join(&name);
        let mut install = Install::create(&file)?;
        write(&mut install)?;
        install.commit()?;
        self.written.push(Written { file: name, made });
        Bytes::open(&file)
    }

    fn again(&mut self, source: &blake3::Hash, rules: &str) -> Option<Table> {
        let name = self.next_name();
        let base = self.base.as_mut()?;
        let (old, table) = base.table(source, rules)?;
        // Another name of the same file: where the file system has none, it is compiled. The table comes last.
        let beside = self.folder.join(beside(&name));
        if let Some(changes) = &old.changes {
            fs::hard_link(base.folder.join(&changes.file), &beside).ok()?;
        }
        if fs::hard_link(base.folder.join(&old.file), self.folder.join(&name)).is_err() {
            let _ = fs::remove_file(&beside);
            return None;
        }
        let made = Made { origin: old.origin, way: Way::Linked };
        self.written.push(Written { file: name, made });
        Some(table)
    }

    fn before(&mut self, rules: &str) -> Option<Before> {
        let base = self.base.as_mut()?;
        let Old { artifact, text } = base.made_by(rules, |origin| origin.once)?;
        let (text, hash) = read::settled(&text).ok()?;
        // It may be another one by now, or not yet in its place: then nobody knows of which lines the table was made.
        if artifact.origin.as_ref()?.source != hash.to_hex().as_str() {
            return None;
        }
        let Table::Exact(table) = base.sound(&artifact)? else { return None };
        Some(Before { table, text })
    }

    fn made_of(&mut self, source: &[u8; 32], rules: &str) -> Option<Layered> {
        let base = self.base.as_mut()?;
        let source = hex(source);
        let Old { artifact, .. } = base.made_by(rules, |origin| origin.once && origin.source == source)?;
        let Table::Exact(table) = base.sound(&artifact)? else { return None };
        Some(table)
    }

    fn beside(&mut self, made: Made, base: &Exact, changes: &[u8]) -> io::Result<Layered> {
        let name = self.next_name();
        let identity = hex(&base.container().identity());
        let of_base =
            self.base.as_ref().and_then(|base| base.file(&identity)).ok_or(io::ErrorKind::NotFound)?;
        let beside = self.folder.join(beside(&name));
        let table = lay(changes, &beside, [&of_base, &self.folder.join(&name)]);
        match table {
            Ok(_) => self.written.push(Written { file: name, made }),
            // It may be there or not.
            Err(_) => drop(fs::remove_file(&beside)),
        }
        table
    }

    fn earlier(&mut self) -> Option<Earlier> {
        self.base.as_mut()?.earlier()
    }
}

/// Writes what changed since a table was made, and gives that its new name when all is well. Whoever made the changes
/// asked the table: of what is written it is only seen that it can be read.
fn lay(changes: &[u8], beside: &Path, [old, new]: [&Path; 2]) -> io::Result<Layered> {
    let mut install = Install::create(beside)?;
    install.write_all(changes)?;
    install.commit()?;
    let written = Bytes::open(beside)?;
    if *written != *changes {
        return Err(io::Error::other("what was written is not what is read"));
    }
    let open = |octets| Container::open(octets).map_err(io::Error::other);
    let base = Exact::open(open(Bytes::open(old)?)?).map_err(io::Error::other)?;
    let table = Layered::with(base, open(written)?).map_err(io::Error::other)?;
    fs::hard_link(old, new)?;
    Ok(table)
}

// ---------------------------------------------------------------------------------------------------------

/// In memory, but for what an installed set has.
#[derive(Debug)]
pub(crate) struct Beside(Option<Base>);

impl Beside {
    pub(crate) fn new(over: &Over) -> Self {
        Self(Base::open(over))
    }
}

impl Keep for Beside {
    fn keep(
        &mut self,
        made: Made,
        write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
    ) -> io::Result<Bytes> {
        InMemory.keep(made, write)
    }

    fn again(&mut self, source: &blake3::Hash, rules: &str) -> Option<Table> {
        self.0.as_mut()?.table(source, rules).map(|(_, table)| table)
    }

    fn earlier(&mut self) -> Option<Earlier> {
        self.0.as_mut()?.earlier()
    }
}

// ---------------------------------------------------------------------------------------------------------

/// A set that may have some of the tables.
#[derive(Debug)]
pub(super) struct Base {
    folder: PathBuf,
    tables: Vec<Old>,
    /// Its aliases' tables, and what was proved of them.
    aliases: Option<(Proof, Vec<Entry>)>,
    /// The artifacts that were read back.
    sound: BTreeSet<String>,
    /// Those that need not be.
    checked: Arc<Checked>,
}

/// One of them.
#[derive(Debug, Clone)]
struct Old {
    artifact: Artifact,
    /// The file that it was made of.
    text: PathBuf,
}

impl Base {
    /// None where there is no set that can be used.
    pub(super) fn open(over: &Over) -> Option<Self> {
        let folder = over.base.as_deref()?;
        let manifest = manifest(folder).ok()?;
        let aliases = manifest.aliases.zip(manifest.maps.get(MapName::VirtualAlias.as_str()).cloned());
        let mut open: Vec<Entry> = manifest.maps.into_values().flatten().collect();
        let mut tables = Vec::new();
        while let Some(entry) = open.pop() {
            open.extend(entry.members);
            let text = entry.source;
            tables.extend(entry.artifact.map(|artifact| Old { artifact, text }));
        }
        let (sound, checked) = (BTreeSet::new(), Arc::clone(&over.checked));
        Some(Self { folder: folder.to_owned(), tables, aliases, sound, checked })
    }

    /// What was proved of its aliases. A table is there to be compared if it was of use to the next one, and so read
    /// back: one that was not has nothing much in common with that.
    fn earlier(&mut self) -> Option<Earlier> {
        let (proof, entries) = self.aliases.take()?;
        let of_entry = |entry: Entry| {
            let artifact = entry.artifact.as_ref();
            let sound = artifact.filter(|artifact| self.sound.contains(&artifact.file));
            let exact = match sound.and_then(|artifact| table(artifact, &self.folder, Bytes::open).ok()) {
                Some(Table::Exact(exact)) => Some(exact),
                _ => None,
            };
            let identity = artifact.map(Artifact::identities).unwrap_or_default();
            EarlierTable { spec: entry.table, identity, exact }
        };
        Some(Earlier { proof, tables: entries.into_iter().map(of_entry).collect() })
    }

    fn made_by(&self, rules: &str, fits: impl Fn(&Origin) -> bool) -> Option<Old> {
        let has = |origin: &Origin| origin.rules == rules && fits(origin);
        self.tables.iter().find(|old| old.artifact.origin.as_ref().is_some_and(has)).cloned()
    }

    /// The table of a text that did not change.
    fn table(&mut self, source: &blake3::Hash, rules: &str) -> Option<(Artifact, Table)> {
        let Old { artifact, .. } = self.made_by(rules, |origin| origin.source == source.to_hex().as_str())?;
        let table = self.sound(&artifact)?;
        Some((artifact, table))
    }

    /// Where the file of this identity is.
    fn file(&self, identity: &str) -> Option<PathBuf> {
        let old = self.tables.iter().find(|old| old.artifact.identity == identity)?;
        Some(self.folder.join(&old.artifact.file))
    }

    /// The files of an artifact, as its table has their containers.
    fn files(&self, artifact: &Artifact) -> Vec<PathBuf> {
        let changes = artifact.changes.iter().map(|changes| &changes.file);
        [&artifact.file].into_iter().chain(changes).map(|file| self.folder.join(file)).collect()
    }

    /// An artifact that is as it was when it was proved. The disk may have lost some of it since: that is told once.
    fn sound(&mut self, artifact: &Artifact) -> Option<Table> {
        let open = |file: &Path| match self.checked.has(file) {
            true => Bytes::open(file),
            false => Bytes::open_through(file, |_| Ok::<_, io::Error>(())),
        };
        let whole = table(artifact, &self.folder, open).and_then(|table| {
            let files = self.files(artifact);
            for (file, container) in
                files.iter().zip(table.containers()).filter(|(file, _)| !self.checked.has(file))
            {
                container.verify().map_err(|bad| format!("{}: {bad}", artifact.file))?;
                self.checked.note(file);
            }
            Ok(table)
        });
        match whole {
            Ok(table) => {
                self.sound.insert(artifact.file.clone());
                Some(table)
            }
            Err(why) => {
                let set = self.folder.display();
                tracing::warn!(%set, why, "a table of this set is damaged, and of no use to the next one");
                self.tables.retain(|old| old.artifact.file != artifact.file);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
