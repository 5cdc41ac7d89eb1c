//! Writing a container, section by section, without holding it.

use std::io::{self, Cursor, Seek, SeekFrom, Write};

use super::{
    ALIGN, CHECK, ENTRY, HEAD, Head, Kind, MAGIC, MOST_SECTIONS, Tag, VERSION, check_of, first_section,
};

/// Writes the sections in their order, then the head in front of them.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    kind: Kind,
    /// How many sections there is room for.
    room: usize,
    table: Vec<u8>,
    at: u64,
    /// Small writes come together here before they are hashed and written.
    buffer: Vec<u8>,
}

/// Octets that are hashed and written at once.
const BUFFER: usize = 256 << 10;

impl<W: Write + Seek> Writer<W> {
    /// Starts a file of exactly so many sections in an empty `out`.
    ///
    /// # Errors
    /// More than [`MOST_SECTIONS`], or what `out` says.
    pub fn new(mut out: W, kind: Kind, sections: usize) -> io::Result<Self> {
        if sections > MOST_SECTIONS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many sections"));
        }
        let at = first_section(sections);
        out.write_all(&vec![0; at])?;
        let buffer = Vec::with_capacity(BUFFER);
        Ok(Self { out, kind, room: sections, table: Vec::new(), at: at as u64, buffer })
    }

    /// Writes the next section; `fill` gives its octets.
    ///
    /// # Errors
    /// No room left in the table, or what `fill` or the output say.
    pub fn section<T>(
        &mut self,
        tag: Tag,
        fill: impl FnOnce(&mut SectionWriter<'_, W>) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.table.len() / ENTRY == self.room {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no room for another section"));
        }
        let padding = self.at.next_multiple_of(ALIGN as u64) - self.at;
        self.out.write_all(&[0; ALIGN][..padding as usize])?;
        let start = self.at + padding;
        self.buffer.clear();
        let hasher = blake3::Hasher::new();
        let mut section = SectionWriter { out: &mut self.out, buffer: &mut self.buffer, hasher, written: 0 };
        let result = fill(&mut section)?;
        section.pass_on()?;
        let (length, hash) = (section.written, section.hasher.finalize());
        self.at = start + length;
        self.table.extend(tag);
        self.table.extend([0; 4]);
        self.table.extend(start.to_le_bytes());
        self.table.extend(length.to_le_bytes());
        self.table.extend(hash.as_bytes());
        Ok(result)
    }

    /// Writes the head and gives the output back; it is not yet durable.
    ///
    /// # Errors
    /// A section is missing, or what the output says.
    pub fn finish(mut self, head: Head) -> io::Result<W> {
        if self.table.len() / ENTRY != self.room {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a section is missing"));
        }
        let mut octets = Vec::with_capacity(HEAD);
        octets.extend(MAGIC);
        octets.extend(VERSION.to_le_bytes());
        octets.push(self.kind as u8);
        octets.push(self.room as u8);
        octets.extend(head.flags.to_le_bytes());
        octets.extend([0; 4]);
        octets.extend(head.records.to_le_bytes());
        octets.extend(head.seed.to_le_bytes());
        octets.extend(self.at.to_le_bytes());
        debug_assert_eq!(octets.len(), CHECK.start);
        let check = check_of(&octets, &self.table);
        octets.extend(check);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&octets)?;
        self.out.write_all(&self.table)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Takes the octets of one section.
#[derive(Debug)]
pub struct SectionWriter<'a, W> {
    out: &'a mut W,
    buffer: &'a mut Vec<u8>,
    hasher: blake3::Hasher,
    written: u64,
}

impl<W: Write> SectionWriter<'_, W> {
    /// Octets of this section so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// True before the first octet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.hasher.update(self.buffer);
        self.out.write_all(self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for SectionWriter<'_, W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.write_all(octets)?;
        Ok(octets.len())
    }

    fn write_all(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.buffer.len() + octets.len() > BUFFER {
            self.pass_on()?;
        }
        if octets.len() > BUFFER {
            self.hasher.update(octets);
            self.out.write_all(octets)?;
            self.written += octets.len() as u64;
        } else {
            self.buffer.extend_from_slice(octets);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

/// A whole container of sections that lie in memory.
///
/// # Errors
/// More than [`MOST_SECTIONS`].
pub fn assemble(kind: Kind, head: Head, sections: &[(Tag, &[u8])]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Cursor::new(Vec::new()), kind, sections.len())?;
    for (tag, octets) in sections {
        writer.section(*tag, |section| section.write_all(octets))?;
    }
    Ok(writer.finish(head)?.into_inner())
}
