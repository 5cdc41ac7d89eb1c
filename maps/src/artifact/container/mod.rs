//! The container every compiled map is kept in: a head, a table of sections, the sections.
//!
//! [`Writer`] makes one, [`Container`] opens one. Numbers are little-endian, sections start at multiples of
//! [`ALIGN`], and each has its BLAKE3 hash in the table; the head's own check covers the head and the table.
//! The layout, octet by octet, is in `docs/map-format.md`.

pub mod forge;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{BadArtifact, Container, Corrupt};
pub use writer::{SectionWriter, Writer, assemble};

/// A section's name.
pub type Tag = [u8; 4];

/// What a file starts with.
pub const MAGIC: [u8; 4] = *b"swm1";
/// The layout this program writes, and the only one it reads.
pub const VERSION: u16 = 4;
/// Where sections may start: a cache line.
pub const ALIGN: usize = 64;
/// More sections than any kind has.
pub const MOST_SECTIONS: usize = 16;

/// Octets of the head without the table.
const HEAD: usize = 64;
/// Where the head's check stands: after all other fields.
const CHECK: std::ops::Range<usize> = 40..64;
/// Octets of a line of the table.
const ENTRY: usize = 56;

/// What a file's sections mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Whole keys.
    Exact = 1,
    /// Networks.
    Cidr = 2,
    /// Regular expressions.
    Pattern = 3,
    /// What changed of a table of whole keys.
    Changes = 4,
}

impl Kind {
    fn of(number: u8) -> Option<Self> {
        [Self::Exact, Self::Cidr, Self::Pattern, Self::Changes].into_iter().find(|kind| *kind as u8 == number)
    }
}

/// What the head says beside the sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// The kind's own switches.
    pub flags: u32,
    /// How many entries the map has.
    pub records: u64,
    /// The key of the kind's hash function.
    pub seed: u64,
}

/// Where the sections start: after the head and the table, at the next multiple of [`ALIGN`].
fn first_section(sections: usize) -> usize {
    (HEAD + sections * ENTRY).next_multiple_of(ALIGN)
}

/// The head's check: the first octets of the BLAKE3 hash of everything else before the sections.
fn check_of(head: &[u8], table: &[u8]) -> [u8; 24] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(table);
    let mut check = [0; 24];
    hasher.finalize_xof().fill(&mut check);
    check
}
