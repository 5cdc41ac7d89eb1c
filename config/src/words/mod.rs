//! The words that values are made of: how each is written, read and bounded.
//!
//! A [`Word`] is the type of one setting. It says what it is called in the reference, how it reads a value
//! and how it writes one, so that a setting's declaration needs no more than its name, default and a line.

mod net;
mod plain;
mod size;
mod tables;
mod time;

use std::path::Path;

pub use net::{Peer, read_hop};
pub use plain::Choice;
pub use size::Size;
pub use tables::Tables;

use crate::document::Node;
use crate::reference::Form;

/// The type of one setting's value.
pub trait Word: Sized {
    /// What it is called in the reference and in faults.
    const KIND: &'static str;

    /// How it is written.
    const FORM: Form = Form::Text(None);

    /// Reads it.
    ///
    /// # Errors
    /// What would be right, in words for an administrator.
    fn read(node: &Node) -> Result<Self, String>;

    /// Writes it as TOML.
    fn write(&self) -> String;

    /// Stands in for a value that is missing, so that all other faults are still found; it never gets out.
    fn blank() -> Self;

    /// A number to hold against bounds: a count, octets, milliseconds.
    fn measure(&self) -> u64 {
        0
    }

    /// All values there are, when they are few and named.
    fn choices() -> Vec<&'static str> {
        Vec::new()
    }

    /// The same, seen from the folder of the settings file: for paths.
    fn against(self, _folder: &Path) -> Self {
        self
    }
}

/// The text in a node, or what was found in its place.
pub(crate) fn text(node: &Node) -> Result<&str, String> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(format!("a text in quotes is expected, not {}", other.kind())),
    }
}

/// TOML's own quoting.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
