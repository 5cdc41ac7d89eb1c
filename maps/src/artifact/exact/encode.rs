//! Records in the order of their hashes, written as a file: the one way an exact map is made.

use std::io::{self, Seek, Write};

use super::cell::{Builder, Record};
use super::hash::bucket_of;
use super::values::Order;
use super::{BEHIND, CELLS, ENDS, VALUES};
use crate::artifact::container::{Head, Kind, SectionWriter, Tag, Writer};

/// A record on its way into a file.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
    /// The value's number before [`Order`].
    pub(super) value: u32,
    pub(super) line: u32,
}

/// What is known before the first record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) records: u64,
    pub(super) buckets: u64,
    /// How many numbers values may have.
    pub(super) values: usize,
}

/// What kind of file it becomes, and the sections that such a one has behind those of every table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) kind: Kind,
    pub(super) more: &'a [(Tag, &'a [u8])],
}

impl Shape<'_> {
    /// A table by itself.
    pub(super) const TABLE: Self = Self { kind: Kind::Exact, more: &[] };
}

/// Writes the file: `entries` in order of (hash, key), and the text of each value's number.
pub(super) fn encode<'a, 'v, W: Write + Seek, E: From<io::Error>>(
    out: W,
    (plan, shape): (Plan, Shape<'_>),
    entries: impl Iterator<Item = Result<Entry<'a>, E>>,
    text: impl Fn(u32) -> Result<&'v str, E>,
) -> Result<W, E> {
    let mut file = Writer::new(out, shape.kind, 4 + shape.more.len())?;
    let mut order = Order::new(plan.values);
    let mut failed = None;
    let behind = file.section(CELLS, |section| {
        let mut open = Buckets::new(section, plan.buckets);
        for entry in entries {
            match entry {
                Ok(entry) => open.push(&entry, order.number(entry.value))?,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        open.finish()
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    file.section(BEHIND, |section| section.write_all(&behind))?;
    drop(behind);
    let texts = || order.before().iter().map(|number| text(*number));
    let mut ends = Vec::with_capacity(order.before().len() * END);
    let mut end = 0_u64;
    for value in texts() {
        end += value?.len() as u64;
        ends.extend_from_slice(&end.to_le_bytes()[..END]);
    }
    if end >> (8 * END) != 0 {
        return Err(too_large("the values").into());
    }
    file.section(ENDS, |section| section.write_all(&ends))?;
    file.section(VALUES, |section| {
        texts().filter_map(Result::ok).try_for_each(|value| section.write_all(value.as_bytes()))
    })?;
    for (tag, octets) in shape.more {
        file.section(*tag, |section| section.write_all(octets))?;
    }
    Ok(file.finish(Head { flags: 0, records: plan.records, seed: plan.seed })?)
}

/// Octets of a value's end.
pub(super) const END: usize = 5;

fn too_large(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("{what} of this map are more than the format holds"))
}

/// Fills the section of cells, and keeps what lies behind them.
struct Buckets<'s, 'w, W> {
    section: &'s mut SectionWriter<'w, W>,
    buckets: u64,
    /// The one that is being filled.
    bucket: u64,
    open: Builder,
    behind: Vec<u8>,
}

impl<'s, 'w, W: Write> Buckets<'s, 'w, W> {
    fn new(section: &'s mut SectionWriter<'w, W>, buckets: u64) -> Self {
        Self { section, buckets, bucket: 0, open: Builder::default(), behind: Vec::new() }
    }

    fn push(&mut self, entry: &Entry<'_>, value: u32) -> io::Result<()> {
        let bucket = bucket_of(entry.hash, self.buckets);
        while self.bucket < bucket {
            self.close()?;
        }
        let record = Record { key: entry.key, value, line: entry.line };
        self.open.push(entry.hash, record);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let cell = self.open.finish(0, &mut self.behind).ok_or_else(|| too_large("the records"))?;
        self.bucket += 1;
        self.section.write_all(&cell)
    }

    /// Writes what is left; gives what lies behind the cells.
    fn finish(mut self) -> io::Result<Vec<u8>> {
        while self.bucket < self.buckets {
            self.close()?;
        }
        Ok(self.behind)
    }
}
