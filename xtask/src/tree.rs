//! The repository as files: where it is, and which sources it holds.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Failure;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo builds, and where our own downloads lie.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A file of the repository.
pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Its lines with their numbers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

/// Every file below `folder` (from the root) that ends in `.ending`, in order of their paths.
pub(crate) fn sources(folder: &str, ending: &str) -> Result<Vec<Source>, Failure> {
    let mut found = Vec::new();
    gather(&root(), &root().join(folder), ending, &mut found)?;
    found.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(found)
}

/// Reads one file of the repository.
pub(crate) fn read(path: &str) -> Result<String, Failure> {
    let path = root().join(path);
    fs::read_to_string(&path).map_err(Failure::file(&path))
}

fn gather(root: &Path, folder: &Path, ending: &str, found: &mut Vec<Source>) -> Result<(), Failure> {
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let entry = entry.map_err(Failure::file(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        if entry.file_type().map_err(Failure::file(&path))?.is_dir() {
            // Build output, and git's own.
            if name != "target" && !name.as_encoded_bytes().starts_with(b".") {
                gather(root, &path, ending, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
            let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
    Ok(())
}
