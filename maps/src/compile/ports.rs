//! Where texts come from, and where artifacts go.

use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::artifact::{Bytes, Exact, Layered};
use crate::chain::Table;
use crate::fault::Fault;
use crate::installed::{Edits, Origin};
use crate::name::MapName;
use crate::set::Earlier;
use crate::source::Lines;

/// A table's text, and where it came from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) map: Option<MapName>,
    pub(crate) file: Arc<Path>,
    pub(crate) bytes: Bytes,
    /// BLAKE3 of the octets, where somebody wants to know what tables are made of.
    pub(crate) hash: Option<blake3::Hash>,
}

/// Gives the octets of the files that tables name.
pub(crate) trait Read {
    /// Reads one, or says why not.
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault>;

    /// The place of a file, and the hash of what stands there, where that is known or wanted.
    fn hash(&mut self, _file: &Path) -> Option<(Arc<Path>, blake3::Hash)> {
        None
    }

    /// The place of a file, the hash of what stands there, and by which lines it differs from an earlier text, where
    /// that is known.
    fn edits(&mut self, _file: &Path) -> Option<(Arc<Path>, blake3::Hash, Arc<Edits>)> {
        None
    }
}

/// Where artifacts go, and come back to be asked.
pub(crate) trait Keep {
    /// Keeps what `write` writes.
    fn keep(
        &mut self,
        made: Made,
        write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
    ) -> io::Result<Bytes>;

    /// Keeps once more what an earlier set made of this.
    fn again(&mut self, _source: &blake3::Hash, _rules: &str) -> Option<Table> {
        None
    }

    /// What an earlier set made by these rules, of another text.
    fn before(&mut self, _rules: &str) -> Option<Before> {
        None
    }

    /// What an earlier set made by these rules of a text of this hash, each key of it standing there once.
    fn made_of(&mut self, _source: &[u8; 32], _rules: &str) -> Option<Layered> {
        None
    }

    /// Keeps the file of a table that an earlier set has once more, and beside it a file of changes.
    fn beside(&mut self, _made: Made, _base: &Exact, _changes: &[u8]) -> io::Result<Layered> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What was proved of an earlier set's aliases.
    fn earlier(&mut self) -> Option<Earlier> {
        None
    }
}

/// How an artifact comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    /// What it is made of, where that is one file.
    pub(crate) origin: Option<Origin>,
    pub(crate) way: Way,
}

/// How a table comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Read and checked from its first line to its last.
    Compiled,
    /// Made of an earlier one that was proved, and of changes that were.
    Merged,
    /// An earlier one that was proved, with changes beside it.
    Layered,
    /// An earlier one that was proved, under one more name.
    Linked,
}

/// A table of whole keys that an earlier set made, and the text that it was made of.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) table: Layered,
    pub(crate) text: Bytes,
}

/// A file, or memory.
pub(crate) trait WriteSeek: Write + Seek {}
impl<W: Write + Seek> WriteSeek for W {}

/// In this process's memory.
#[derive(Debug)]
pub(crate) struct InMemory;

impl Keep for InMemory {
    fn keep(
        &mut self,
        _made: Made,
        write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>,
    ) -> io::Result<Bytes> {
        let mut memory = io::Cursor::new(Vec::new());
        write(&mut memory)?;
        Ok(Bytes::kept(memory.into_inner()))
    }
}

impl Source {
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines::new(&self.bytes)
    }
}

/// Texts in place of files: the file of a map's table is called as the map.
#[derive(Debug)]
pub(crate) struct Texts<'a>(pub(crate) &'a [(MapName, &'a str)]);

impl Read for Texts<'_> {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        let text = self.0.iter().find(|(name, _)| Some(*name) == map).map(|(_, text)| *text);
        Ok(Source {
            map,
            file: file.into(),
            bytes: text.unwrap_or_default().as_bytes().to_vec().into(),
            hash: None,
        })
    }
}
