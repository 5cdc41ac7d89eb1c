//! Opening a container: the head now, the sections when somebody asks.

use std::ops::Range;

use super::{
    ALIGN, CHECK, ENTRY, HEAD, Head, Kind, MAGIC, MOST_SECTIONS, Tag, VERSION, check_of, first_section,
};
use crate::artifact::Bytes;

/// Why a file is no map of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArtifact {
    /// Not even a head.
    #[error("{0} octets are too few for a compiled map")]
    Short(usize),
    /// Another format.
    #[error("not a compiled map: it does not start with \"swm1\"")]
    Magic,
    /// Written by an older or a newer program, or for the other end of numbers.
    #[error("format version {0} where version {VERSION} is read; compile the map again")]
    Version(u16),
    /// Any octet of the head or the table is not what was written.
    #[error("the head is damaged: its check does not fit")]
    Head,
    /// The head's check fits, and yet its fields contradict one another.
    #[error("the head says what no compiler writes: {0}")]
    Layout(&'static str),
    /// Cut off, or something hangs behind it.
    #[error("{found} octets where the head says {said}")]
    Length {
        /// In the head.
        said: u64,
        /// The file's own.
        found: u64,
    },
    /// A map, but of another kind than the caller's.
    #[error("a map of kind {found:?} where kind {wanted:?} is expected")]
    Kind {
        /// The caller's.
        wanted: Kind,
        /// The file's.
        found: Kind,
    },
    /// A section this kind must have is not there.
    #[error("section {} is missing", name(.0))]
    Missing(Tag),
    /// A section's octets are not what was written.
    #[error("section {} is damaged: its hash does not fit", name(.0))]
    Damaged(Tag),
    /// A section's content breaks a rule of its kind.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// A place in a section where its content is not what the kind's compiler writes.
///
/// A file that was [verified](Container::verify) never comes to this; whoever asks one that does must answer
/// "cannot know", not "no such key".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("section {} is corrupt at octet {at}: {what}", name(.section))]
pub struct Corrupt {
    /// The section.
    pub section: Tag,
    /// From the section's start.
    pub at: u64,
    /// What does not hold.
    pub what: &'static str,
}

fn name(tag: &Tag) -> String {
    tag.escape_ascii().to_string()
}

#[derive(Debug, Clone)]
struct Section {
    tag: Tag,
    range: Range<usize>,
    hash: [u8; 32],
}

/// A compiled map whose head has been read and found in order.
#[derive(Debug)]
pub struct Container {
    bytes: Bytes,
    kind: Kind,
    head: Head,
    sections: Vec<Section>,
    identity: [u8; 32],
}

impl Container {
    /// Reads head and table, whatever the file's length.
    ///
    /// # Errors
    /// What of them is wrong, or that the file is not as long as they say.
    pub fn open(bytes: Bytes) -> Result<Self, BadArtifact> {
        let short = || BadArtifact::Short(bytes.len());
        let head = bytes.first_chunk::<HEAD>().ok_or_else(short)?;
        let mut fields = Fields(head);
        if fields.take() != MAGIC {
            return Err(BadArtifact::Magic);
        }
        let version = u16::from_le_bytes(fields.take());
        if version != VERSION {
            return Err(BadArtifact::Version(version));
        }
        let [kind, count] = fields.take();
        let count = usize::from(count);
        if count > MOST_SECTIONS {
            return Err(BadArtifact::Layout("too many sections"));
        }
        let table = bytes.get(HEAD..HEAD + count * ENTRY).ok_or_else(short)?;
        if head.get(CHECK) != Some(&check_of(&head[..CHECK.start], table)) {
            return Err(BadArtifact::Head);
        }
        let kind = Kind::of(kind).ok_or(BadArtifact::Layout("an unknown kind"))?;
        let flags = u32::from_le_bytes(fields.take());
        if fields.take() != [0; 4] {
            return Err(BadArtifact::Layout("reserved octets are not zero"));
        }
        let records = fields.number();
        let seed = fields.number();
        let said = fields.number();
        let found = bytes.len() as u64;
        if said != found {
            return Err(BadArtifact::Length { said, found });
        }
        let sections = read_table(table, bytes.len())?;
        let identity = *blake3::hash(&bytes[..HEAD + count * ENTRY]).as_bytes();
        Ok(Self { kind, head: Head { flags, records, seed }, sections, identity, bytes })
    }

    /// What the sections mean.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the head says beside the sections.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The whole file.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The BLAKE3 hash of head and table. The table holds the sections' hashes, so that two verified files with
    /// the same identity are the same file: a manifest can name a file by it and check that without reading it.
    #[must_use]
    pub fn identity(&self) -> [u8; 32] {
        self.identity
    }

    /// A section's octets, not yet [verified](Self::verify).
    #[must_use]
    pub fn section(&self, tag: &Tag) -> Option<&[u8]> {
        self.bytes.get(self.range(tag)?)
    }

    /// Where a section stands in [`Self::bytes`].
    #[must_use]
    pub fn range(&self, tag: &Tag) -> Option<Range<usize>> {
        self.sections.iter().find(|section| section.tag == *tag).map(|section| section.range.clone())
    }

    /// The same map, its octets lying elsewhere; for [`Bytes::huge_copy`].
    ///
    /// # Errors
    /// The octets are not the same map's.
    pub fn reopen(&self, bytes: Bytes) -> Result<Self, BadArtifact> {
        let other = Self::open(bytes)?;
        if other.identity == self.identity { Ok(other) } else { Err(BadArtifact::Head) }
    }

    /// Reads every octet and compares the sections' hashes; about a second for four gigabytes.
    ///
    /// # Errors
    /// The first section that is not as it was written.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        let mut end = HEAD + self.sections.len() * ENTRY;
        for Section { tag, range, hash } in &self.sections {
            let padding = self.bytes.get(end..range.start).unwrap_or_default();
            let octets = self.bytes.get(range.clone()).unwrap_or_default();
            if padding.iter().any(|octet| *octet != 0) || blake3::hash(octets) != *hash {
                return Err(BadArtifact::Damaged(*tag));
            }
            end = range.end;
        }
        Ok(())
    }
}

/// Sections stand one after the other from the table's end to the file's, without gaps but for alignment.
fn read_table(table: &[u8], length: usize) -> Result<Vec<Section>, BadArtifact> {
    let mut sections: Vec<Section> = Vec::with_capacity(table.len() / ENTRY);
    let mut end = first_section(table.len() / ENTRY);
    for entry in table.as_chunks::<ENTRY>().0 {
        let mut fields = Fields(entry);
        let tag: Tag = fields.take();
        if fields.take() != [0; 4] {
            return Err(BadArtifact::Layout("reserved octets are not zero"));
        }
        let (start, size) = (fields.number(), fields.number());
        if sections.iter().any(|section| section.tag == tag) {
            return Err(BadArtifact::Layout("a section stands there twice"));
        }
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        if Some(start) != end.checked_next_multiple_of(ALIGN) {
            return Err(BadArtifact::Layout("a section is not where it belongs"));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        end = start
            .checked_add(size)
            .filter(|end| *end <= length)
            .ok_or(BadArtifact::Layout("a section ends behind the file"))?;
        sections.push(Section { tag, range: start..end, hash: fields.take() });
    }
    if end != length {
        return Err(BadArtifact::Layout("the file goes on behind its sections"));
    }
    Ok(sections)
}

/// Fields of a fixed size, taken from the front of octets that hold them all.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// Zeros when there is nothing left, which no caller comes to: heads and table lines are arrays.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *field
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}
