//! `if` … `endif`: what is open at a line.

use crate::fault::Wrong;

/// How deep blocks may nest: nobody reads more, and a lookup's work is bounded by it.
pub(crate) const DEEPEST: usize = 100;

/// The open blocks, the innermost last.
#[derive(Debug)]
pub(crate) struct Blocks<B> {
    open: Vec<(u32, B)>,
}

impl<B> Blocks<B> {
    pub(crate) fn new() -> Self {
        Self { open: Vec::new() }
    }

    /// Opens a block at a line.
    pub(crate) fn open(&mut self, line: u32, block: B) -> Result<(), Wrong> {
        if self.open.len() == DEEPEST {
            return Err(Wrong::new(format!("blocks nest more than {DEEPEST} deep")));
        }
        self.open.push((line, block));
        Ok(())
    }

    /// Closes the innermost block.
    pub(crate) fn close(&mut self) -> Result<B, Wrong> {
        let open = self.open.pop();
        open.map(|(_, block)| block).ok_or_else(|| Wrong::new("`endif` without an `if` before it"))
    }

    /// The innermost block.
    pub(crate) fn innermost(&self) -> Option<&B> {
        self.open.last().map(|(_, block)| block)
    }

    /// The innermost block, to be changed.
    pub(crate) fn innermost_mut(&mut self) -> Option<&mut B> {
        self.open.last_mut().map(|(_, block)| block)
    }

    /// The open blocks, the outermost first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &B> {
        self.open.iter().map(|(_, block)| block)
    }

    /// The lines of the blocks that are still open.
    pub(crate) fn lines(&self) -> impl Iterator<Item = u32> {
        self.open.iter().map(|(line, _)| *line)
    }
}
