//! Where the tables of a set come from when they are read anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::Bytes;
use crate::compile::{Read, Source};
use crate::fault::Fault;
use crate::installed::{Edits, Over};
use crate::name::MapName;
use crate::options::MapOptions;
use crate::read::{self, Unread};

/// The files of the folder, as they are now.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    options: &'a MapOptions,
    /// Each file that was asked for.
    asked: BTreeSet<PathBuf>,
    /// Where hashes are wanted: what is known of them.
    over: Option<&'a Over>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(options: &'a MapOptions) -> Self {
        Self { options, asked: BTreeSet::new(), over: None }
    }

    /// For who wants to know what tables are made of.
    pub(crate) fn over(options: &'a MapOptions, over: &'a Over) -> Self {
        Self { over: Some(over), ..Self::new(options) }
    }

    pub(super) fn asked(self) -> BTreeSet<PathBuf> {
        self.asked
    }

    /// The octets of a file, and their hash where it is wanted.
    fn octets(&self, file: &Path) -> Result<(Bytes, Option<blake3::Hash>), Unread> {
        let Some(over) = self.over else { return Ok((read::whole(file)?.into(), None)) };
        if let Some(later) = &over.later {
            later.bring(file)?;
        }
        if let Some(known) = over.hashes.get(file) {
            // What a table is said to be made of for ever is looked at once.
            let (octets, hash) = read::settled(file)?;
            return if hash == *known { Ok((octets, Some(hash))) } else { Err(Unread::Other) };
        }
        let octets = read::whole(file)?;
        let hash = blake3::hash(&octets);
        Ok((octets.into(), Some(hash)))
    }
}

impl Read for Files<'_> {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        let file: Arc<Path> = self.options.path(file).into();
        self.asked.insert(file.to_path_buf());
        match self.octets(&file) {
            Ok((bytes, hash)) => Ok(Source { map, file, bytes, hash }),
            Err(unread @ Unread::Line(line)) => {
                Err(Fault { map, file, line, column: 1, message: unread.to_string() })
            }
            Err(unread) => Err(Fault::of_file(map, file, unread.to_string())),
        }
    }

    fn hash(&mut self, file: &Path) -> Option<(Arc<Path>, blake3::Hash)> {
        let (file, over) = (self.options.path(file), self.over?);
        self.asked.insert(file.clone());
        let hash = match over.hashes.get(&file) {
            Some(hash) => (*hash).into(),
            // Worth a look: it is compiled a hundred times slower than it is read.
            None if over.base.is_some() => blake3::hash(&read::whole(&file).ok()?),
            None => return None,
        };
        Some((file.into(), hash))
    }

    fn edits(&mut self, file: &Path) -> Option<(Arc<Path>, blake3::Hash, Arc<Edits>)> {
        let (file, over) = (self.options.path(file), self.over?);
        let (edits, hash) = (over.edits.get(&file)?, over.hashes.get(&file)?);
        self.asked.insert(file.clone());
        Some((file.into(), (*hash).into(), Arc::clone(edits)))
    }
}
