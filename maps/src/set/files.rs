//! Where the tables of a set come from when they are read anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::{Read, Source};
use crate::fault::Fault;
use crate::name::MapName;
use crate::options::MapOptions;
use crate::read::{self, Unread};

/// The files of the folder, as they are now.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    options: &'a MapOptions,
    /// Each file that was asked for.
    pub(super) asked: BTreeSet<PathBuf>,
}

impl<'a> Files<'a> {
    pub(crate) fn new(options: &'a MapOptions) -> Self {
        Self { options, asked: BTreeSet::new() }
    }
}

impl Read for Files<'_> {
    fn read(&mut self, map: Option<MapName>, file: &Path) -> Result<Source, Fault> {
        let file: Arc<Path> = self.options.path(file).into();
        self.asked.insert(file.to_path_buf());
        match read::whole(&file) {
            Ok(bytes) => Ok(Source { map, file, bytes }),
            Err(unread @ Unread::Line(line)) => {
                Err(Fault { map, file, line, column: 1, message: unread.to_string() })
            }
            Err(unread) => Err(Fault::of_file(map, file, unread.to_string())),
        }
    }
}
