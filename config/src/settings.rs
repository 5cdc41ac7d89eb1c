//! What the settings of every daemon have in common: how they are loaded, and what there is to set.

use std::path::Path;

use crate::change::Effective;
use crate::check::Faults;
use crate::document::Document;
use crate::reader::{Reader, Section};
use crate::reference::Setting;

/// The settings of one daemon.
pub trait Settings: Sized {
    /// The daemon: `mx`, `router`, `milter`.
    const DAEMON: &'static str;

    /// Declares and reads each setting.
    fn read(root: &mut Section<'_>) -> Self;

    /// Puts back, in new settings, what a running daemon with these cannot take, and names it.
    fn hold(&self, now: &mut Self) -> Vec<String>;

    /// Reads a settings file. Relative paths in it are seen from its folder.
    ///
    /// # Errors
    /// Every fault there is, with file and line.
    fn load(path: &Path) -> Result<Self, Faults> {
        Self::load_whole(path).map(|(settings, _)| settings)
    }

    /// The same, and beside it what every single setting holds.
    ///
    /// # Errors
    /// As [`Self::load`].
    fn load_whole(path: &Path) -> Result<(Self, Effective), Faults> {
        Self::effective(&Document::load(path)?, path.parent())
    }

    /// Reads a text; `file` is the name that faults give it. Paths stay as they are.
    ///
    /// # Errors
    /// Every fault there is, with file and line.
    fn parse(file: &str, text: &str) -> Result<Self, Faults> {
        Self::from_document(&Document::parse(file, text)?, None)
    }

    /// Reads a document that was made of one file or of several; relative paths are seen from `folder`.
    ///
    /// # Errors
    /// Every fault there is, each with the file and line it came from.
    fn from_document(document: &Document, folder: Option<&Path>) -> Result<Self, Faults> {
        Self::effective(document, folder).map(|(settings, _)| settings)
    }

    /// The same, and beside it what every single setting holds, to compare it with what another file gives.
    ///
    /// # Errors
    /// As [`Self::from_document`].
    fn effective(document: &Document, folder: Option<&Path>) -> Result<(Self, Effective), Faults> {
        Reader::read(document, folder, Self::read).map(|(settings, values)| (settings, Effective(values)))
    }

    /// Every setting this daemon has, in the order in which they are read.
    #[must_use]
    fn reference() -> Vec<Setting> {
        Reader::settings(Self::read)
    }
}
