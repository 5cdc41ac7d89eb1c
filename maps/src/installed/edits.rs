//! By which lines a text differs from the one that a table was made of: who laid the change over that text knows it,
//! and nobody need read the two texts to find it.

use std::fmt;

/// Lines that were taken out of a text, and put into it.
///
/// Whoever tells them vouches that they lead from a text of the named hash to the one they are told of, that no line
/// that stayed behind one of them goes on with an entry, and that neither text begins with a mark of its encoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Edits {
    /// BLAKE3 of the text before.
    pub(crate) before: [u8; 32],
    /// How many lines that has.
    pub(crate) lines: u32,
    /// From the first line on.
    pub(crate) edits: Vec<Edit>,
    /// What they hold, and may.
    octets: usize,
}

/// A line that changed, came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Where it stood, or the line that stood where it came; from 1.
    pub(crate) old: u32,
    /// Where it stands, or the line that stands where it went.
    pub(crate) new: u32,
    pub(crate) removed: Option<Box<[u8]>>,
    pub(crate) added: Option<Box<[u8]>>,
}

/// Nobody keeps more of a change than this: beyond, the texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more changed than is worth keeping")]
pub struct TooMuch;

impl Edits {
    /// Octets of lines that differ, and of what is noted of each.
    pub const MOST_OCTETS: usize = 64 << 20;

    /// None yet, of a text of this hash.
    #[must_use]
    pub fn of(before: [u8; 32]) -> Self {
        Self { before, lines: 0, edits: Vec::new(), octets: 0 }
    }

    /// Adds the next one: a line of the text before, counted from 1, where one of the text after is, and the octets of
    /// each that is there, with or without their ends.
    ///
    /// # Errors
    /// There are too many.
    pub fn push(
        &mut self,
        (old, new): (u64, u64),
        removed: Option<&[u8]>,
        added: Option<&[u8]>,
    ) -> Result<(), TooMuch> {
        let of = |line: Option<&[u8]>| line.map_or(0, <[u8]>::len);
        self.octets = self.octets.saturating_add(size_of::<Edit>() + of(removed) + of(added));
        if self.octets > Self::MOST_OCTETS {
            return Err(TooMuch);
        }
        let [old, new] = [old, new].map(|line| u32::try_from(line).map_err(|_| TooMuch));
        let [removed, added] = [removed, added].map(|line| line.map(Box::from));
        self.edits.push(Edit { old: old?, new: new?, removed, added });
        Ok(())
    }

    /// How many octets they take.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// Says how many lines the text before has.
    ///
    /// # Errors
    /// There are too many.
    pub fn end(&mut self, lines: u64) -> Result<(), TooMuch> {
        self.lines = u32::try_from(lines).map_err(|_| TooMuch)?;
        Ok(())
    }
}

/// They may be many.
impl fmt::Debug for Edits {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} edits of {} lines", self.edits.len(), self.lines)
    }
}
