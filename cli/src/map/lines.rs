//! Many lines of data, written in large pieces: a table may have millions.

use std::fmt::{Display, Write as _};
use std::io;
use std::ops::ControlFlow;

use serde_json::json;
use switchyard_maps::listing::Entry;

use super::which::Table;
use crate::output::Output;

/// Octets that are gathered before they are written.
const PIECE: usize = 64 * 1024;

/// Lines on their way out.
pub(super) struct DataLines<'a> {
    output: &'a mut Output,
    piece: String,
    /// Why nothing more goes out.
    failed: Option<io::Error>,
}

impl<'a> DataLines<'a> {
    pub(super) fn to(output: &'a mut Output) -> Self {
        Self { output, piece: String::with_capacity(PIECE + 1024), failed: None }
    }

    /// One line more; breaks off once nobody reads on.
    pub(super) fn line(&mut self, line: impl Display) -> ControlFlow<()> {
        // Writing to a String can't fail.
        let _ = writeln!(self.piece, "{line}");
        if self.piece.len() < PIECE {
            return ControlFlow::Continue(());
        }
        self.write()
    }

    /// An entry as text: a key, a tab and its value.
    pub(super) fn plain(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        match entry.value {
            "" => self.line(entry.key),
            value => self.line(format_args!("{}\t{value}", entry.key)),
        }
    }

    /// An entry as a line of JSON.
    pub(super) fn json(&mut self, table: &Table, entry: &Entry<'_>) -> ControlFlow<()> {
        let file = table.file().map(|file| file.display().to_string());
        self.line(json!({
            "map": table.map.map(|map| map.as_str()),
            "table": table.spec.to_string(),
            "key": entry.key,
            "value": entry.value,
            "file": file,
            "line": entry.line,
        }))
    }

    fn write(&mut self) -> ControlFlow<()> {
        match self.output.data(&self.piece) {
            Ok(()) => {
                self.piece.clear();
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Writes what is left.
    pub(super) fn end(mut self) -> io::Result<()> {
        if self.failed.is_none() {
            let _failed_or_not = self.write();
        }
        self.failed.map_or(Ok(()), Err)
    }
}
