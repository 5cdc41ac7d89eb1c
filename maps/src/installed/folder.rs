//! The files of a set on their way into its folder: written, or taken from a set that has them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Artifact, Entry, Origin, Over, container, manifest};
use crate::artifact::{Bytes, Container, Exact, Install};
use crate::chain::Table;
use crate::compile::{Before, InMemory, Keep, Made, WriteSeek};
use crate::read;

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

    /// The names of those that need no reading back: their octets were proved where they come from.
    pub(super) fn proved(&self) -> BTreeSet<String> {
        let proved = self.written.iter().filter(|written| written.made.is_over);
        proved.map(|written| written.file.clone()).collect()
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
        let base = self.base.as_ref()?;
        let (old, table) = base.table(source, rules)?;
        let name = self.next_name();
        // Another name of the same file: where the file system has none, it is compiled.
        fs::hard_link(base.folder.join(&old.file), self.folder.join(&name)).ok()?;
        let made = Made { origin: old.origin.clone(), is_over: true };
        self.written.push(Written { file: name, made });
        Some(table)
    }

    fn before(&self, rules: &str) -> Option<Before> {
        let base = self.base.as_ref()?;
        let (old, text) = base.made_by(rules, |origin| origin.once)?;
        let exact = Exact::open(base.sound(old)?).ok()?;
        Some(Before { exact, text: read::settled(text).ok()? })
    }
}

// ---------------------------------------------------------------------------------------------------------

/// In memory, but for what an installed set has.
#[derive(Debug)]
pub(crate) struct Beside(Option<Base>);

impl Beside {
    pub(crate) fn new(over: &Over) -> Self {
        Self(over.base.as_deref().and_then(Base::open))
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
        self.0.as_ref()?.table(source, rules).map(|(_, table)| table)
    }
}

// ---------------------------------------------------------------------------------------------------------

/// A set that may have some of the tables.
#[derive(Debug)]
pub(super) struct Base {
    folder: PathBuf,
    /// What was made, and the file that it was made of.
    tables: Vec<(Artifact, PathBuf)>,
}

impl Base {
    /// None where there is no set that can be used.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let manifest = manifest(folder).ok()?;
        let mut open: Vec<Entry> = manifest.maps.into_values().flatten().collect();
        let mut tables = Vec::new();
        while let Some(entry) = open.pop() {
            open.extend(entry.members);
            tables.extend(entry.artifact.map(|artifact| (artifact, entry.source)));
        }
        Some(Self { folder: folder.to_owned(), tables })
    }

    fn made_by(&self, rules: &str, fits: impl Fn(&Origin) -> bool) -> Option<(&Artifact, &Path)> {
        let has = |origin: &Origin| origin.rules == rules && fits(origin);
        let found = self.tables.iter().find(|(artifact, _)| artifact.origin.as_ref().is_some_and(has));
        found.map(|(artifact, text)| (artifact, text.as_path()))
    }

    /// The table of a text that did not change.
    fn table(&self, source: &blake3::Hash, rules: &str) -> Option<(&Artifact, Table)> {
        let (artifact, _) = self.made_by(rules, |origin| origin.source == source.to_hex().as_str())?;
        Some((artifact, Table::open(self.sound(artifact)?).ok()?))
    }

    /// An artifact that is as it was when it was proved. The disk may have lost some of it since.
    fn sound(&self, artifact: &Artifact) -> Option<Container> {
        let container = container(artifact, &self.folder).ok()?;
        container.verify().ok()?;
        Some(container)
    }
}
