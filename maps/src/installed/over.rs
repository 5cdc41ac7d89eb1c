//! What a set is installed over, and what came of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Checked, Edits, Manifest};
use crate::compile::Way;
use crate::set::Followed;

/// What may be known when a set is installed.
///
/// Files that nobody may write to by their mode are mapped: whoever names one here vouches that nobody writes to it in
/// any way while it is looked at. It may be removed, or another one be put in its place.
#[derive(Debug, Clone, Default)]
pub struct Over {
    /// The folder of an installed set, which may have some of the tables. Neither its files change any more, nor the
    /// texts that it names.
    pub base: Option<PathBuf>,
    /// BLAKE3 of files that do not change any more. It is believed of a table that the base has, and of a text whose edits
    /// are known; what is compiled is refused when it is another one.
    pub hashes: BTreeMap<PathBuf, [u8; 32]>,
    /// By which lines some of those differ from an earlier text.
    pub edits: BTreeMap<PathBuf, Arc<Edits>>,
    /// Tables that need not be read once more before they are used again.
    pub checked: Arc<Checked>,
    /// Who brings texts that are not in their places yet.
    pub later: Option<Arc<dyn Later>>,
}

/// Has texts that are put in their places only when somebody reads them: of most, what is known of their edits is enough.
pub trait Later: Debug + Send + Sync {
    /// Sees to it that a file is in its place, if it is one of those.
    ///
    /// # Errors
    /// It cannot be put there.
    fn bring(&self, file: &Path) -> io::Result<()>;
}

/// A set that was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What it holds.
    pub manifest: Manifest,
    /// How its files came to be.
    pub ways: Ways,
    /// How its aliases were proved; nothing without any.
    pub followed: Option<Followed>,
}

/// How many tables came to be how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways {
    /// Of all of their texts.
    pub compiled: usize,
    /// Of tables of the base, and the lines that changed.
    pub merged: usize,
    /// As the base has them, with what changed beside them.
    pub layered: usize,
    /// As the base has them.
    pub linked: usize,
}

impl Ways {
    pub(super) fn add(&mut self, way: Way) {
        match way {
            Way::Compiled => self.compiled += 1,
            Way::Merged => self.merged += 1,
            Way::Layered => self.layered += 1,
            Way::Linked => self.linked += 1,
        }
    }
}

impl AddAssign for Ways {
    fn add_assign(&mut self, other: Self) {
        self.compiled += other.compiled;
        self.merged += other.merged;
        self.layered += other.layered;
        self.linked += other.linked;
    }
}
