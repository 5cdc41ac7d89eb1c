//! Where texts come from, and where artifacts go.

use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::artifact::Bytes;
use crate::fault::Fault;
use crate::name::MapName;
use crate::source::Lines;

/// A table's text, and where it came from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) map: Option<MapName>,
    pub(crate) file: Arc<Path>,
    pub(crate) bytes: Vec<u8>,
}

/// Gives the octets of the files that tables name.
pub(crate) trait Read {
    /// Reads one, or says why not.
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault>;
}

/// Where artifacts go, and come back to be asked.
pub(crate) trait Keep {
    /// Keeps what `write` writes.
    fn keep(&mut self, write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>) -> io::Result<Bytes>;
}

/// A file, or memory.
pub(crate) trait WriteSeek: Write + Seek {}
impl<W: Write + Seek> WriteSeek for W {}

/// In this process's memory.
#[derive(Debug)]
pub(crate) struct InMemory;

impl Keep for InMemory {
    fn keep(&mut self, write: &mut dyn FnMut(&mut dyn WriteSeek) -> io::Result<()>) -> io::Result<Bytes> {
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
        Ok(Source { map, file: file.into(), bytes: text.unwrap_or_default().as_bytes().to_vec() })
    }
}
