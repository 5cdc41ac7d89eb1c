//! `:include:` — a list of targets in a file of its own.

use std::path::{Component, Path, PathBuf};

use super::words::{self, Kind, Word};
use super::{Open, Place, Target};
use crate::alias::MAX_TARGETS;
use crate::compile::Source;
use crate::fault::{Fault, Wrong};
use crate::source::Lines;

/// Octets of an included file.
const MAX_FILE: usize = 16 << 20;
/// Files that include files.
const MAX_DEPTH: usize = 8;
/// Files that one table includes, each as often as it is named.
const MAX_FILES: usize = 10_000;

/// Reads included files for one table.
pub(super) struct Includes<'a> {
    folder: PathBuf,
    open: &'a mut Open<'a>,
    opened: usize,
}

impl<'a> Includes<'a> {
    pub(super) fn new(source: &Source, open: &'a mut Open<'a>) -> Self {
        let folder = source.file.parent().map(Path::to_path_buf).unwrap_or_default();
        Self { folder, open, opened: 0 }
    }

    /// Adds what a word stands for.
    pub(super) fn add(
        &mut self,
        word: &Word<'_>,
        place: Place,
        targets: &mut Vec<Target>,
    ) -> Result<(), Fault> {
        self.add_at(word, place, targets, 0)
    }

    fn add_at(
        &mut self,
        word: &Word<'_>,
        place: Place,
        targets: &mut Vec<Target>,
        depth: usize,
    ) -> Result<(), Fault> {
        match &word.kind {
            Kind::Address(text) => targets.push(Target { text: text.clone().into_owned(), place }),
            Kind::Include(file) => {
                let source = self.source(file, depth).map_err(|what| place.fault(what))?;
                self.lines(&source, targets, depth + 1)?;
            }
        }
        Ok(())
    }

    fn source(&mut self, file: &str, depth: usize) -> Result<Source, String> {
        if depth == MAX_DEPTH {
            return Err(format!("`:include:{file}`: files that include files more than {MAX_DEPTH} deep"));
        }
        if self.opened == MAX_FILES {
            return Err(format!("`:include:{file}`: more than {MAX_FILES} included files"));
        }
        self.opened += 1;
        let name = self.below(file)?;
        let source = (self.open)(&name).map_err(|fault| format!("`:include:{file}`: {}", fault.message))?;
        if source.bytes.len() > MAX_FILE {
            return Err(format!("`:include:{file}`: larger than {MAX_FILE} octets"));
        }
        Ok(source)
    }

    /// A file of the site, by its whole name.
    fn below(&self, file: &str) -> Result<PathBuf, String> {
        let inside = Path::new(file).strip_prefix(&self.folder).unwrap_or(Path::new(file));
        let mut path = self.folder.clone();
        for part in inside.components() {
            match part {
                Component::Normal(name) => path.push(name),
                Component::CurDir => {}
                _ => {
                    return Err(format!(
                        "`:include:{file}`: only files below the folder of this one are included"
                    ));
                }
            }
        }
        Ok(path)
    }

    /// Each line of an included file holds targets as a line of aliases does.
    fn lines(&mut self, source: &Source, targets: &mut Vec<Target>, depth: usize) -> Result<(), Fault> {
        for line in Lines::new(&source.bytes) {
            let line = line.map_err(|bad| Place::at(source, bad.line, bad.column).fault(bad.what))?;
            for word in words::targets(&line.text) {
                let at = |wrong: Wrong| Place::of(source, &line, wrong.at).fault(wrong.what);
                let word = word.map_err(at)?;
                let place = Place::of(source, &line, word.at);
                if targets.len() > MAX_TARGETS {
                    return Err(place.fault(format!("more than {MAX_TARGETS} targets for one name")));
                }
                self.add_at(&word, place, targets, depth)?;
            }
        }
        Ok(())
    }
}
