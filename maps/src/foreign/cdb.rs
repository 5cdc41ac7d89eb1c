//! cdb: a head of 256 hash tables' places, then the records, then the tables.
//!
//! The records stand one after the other, in the order in which they were written, so the hash tables are not
//! needed; their sizes only prove that the file is whole. <https://cr.yp.to/cdb/cdb.txt>

use super::bytes::{Bytes, Order};
use super::{ForeignError, Kind, Visit};

/// Octets of the head.
const HEAD: usize = 2048;
/// Octets of a slot: a hash and a place.
const SLOT: usize = 8;

/// Whether a head stands there that fits the file's length: the tables follow the records, and end the file.
pub(super) fn recognise(bytes: &[u8]) -> bool {
    Tables::read(&new(bytes)).is_ok_and(|tables| {
        tables.slots.checked_mul(SLOT).and_then(|size| size.checked_add(tables.start)) == Some(bytes.len())
    })
}

pub(super) fn each(bytes: &[u8], visit: Visit<'_>) -> Result<(), ForeignError> {
    let bytes = new(bytes);
    let tables = Tables::read(&bytes)?;
    let (mut at, mut records) = (HEAD, 0);
    while at < tables.start {
        let key = bytes.usize32(at)?;
        let value = bytes.usize32(at + 4)?;
        let key = bytes.slice(at + 8, key)?;
        let value = bytes.slice(at + 8 + key.len(), value)?;
        visit(key, value).map_err(|what| bytes.damaged(at, what))?;
        at += 8 + key.len() + value.len();
        records += 1;
    }
    // A table has two slots for each of its records.
    if at != tables.start || tables.slots != 2 * records {
        return Err(bytes.damaged(at, "records and hash tables do not agree"));
    }
    Ok(())
}

/// What the head says of the hash tables.
struct Tables {
    /// Where the first one starts, and the records end.
    start: usize,
    /// Slots of all of them.
    slots: usize,
}

impl Tables {
    fn read(bytes: &Bytes<'_>) -> Result<Self, ForeignError> {
        let mut tables = Self { start: bytes.all.len(), slots: 0 };
        for at in (0..HEAD).step_by(8) {
            let (start, slots) = (bytes.usize32(at)?, bytes.usize32(at + 4)?);
            if start < HEAD || start > bytes.all.len() {
                return Err(bytes.damaged(at, "a hash table outside the file"));
            }
            tables.start = tables.start.min(start);
            tables.slots = tables.slots.saturating_add(slots);
        }
        Ok(tables)
    }
}

/// Always written in little-endian order.
fn new(bytes: &[u8]) -> Bytes<'_> {
    Bytes { all: bytes, order: Order::Little, kind: Kind::Cdb }
}
