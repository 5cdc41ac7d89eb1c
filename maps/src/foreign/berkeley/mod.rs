//! Berkeley DB: a meta page, then pages of one size, written in the order of the machine that made them.
//!
//! Read as versions 4 to 6 of the library lay them out (hash 8 to 10, btree 8 to 10), without checksums,
//! encryption, duplicates or databases within the file: Postfix writes none of them.

mod btree;
mod hash;

use super::bytes::{Bytes, Order, Pages};
use super::{ForeignError, Kind, Visit};

const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;
/// Octets of a page's head; the places of its items follow.
const HEAD: usize = 26;
const OVERFLOW_PAGE: u8 = 7;

/// The access method and the order of numbers, when it is such a file at all.
pub(super) fn recognise(bytes: &[u8]) -> Option<(Kind, Order)> {
    let of = |order| {
        // The kind is not known yet, and no error is told.
        let magic = Bytes { all: bytes, order, kind: Kind::Hash }.u32(12).ok()?;
        match magic {
            HASH_MAGIC => Some((Kind::Hash, order)),
            BTREE_MAGIC => Some((Kind::Btree, order)),
            _ => None,
        }
    };
    of(Order::Little).or_else(|| of(Order::Big))
}

pub(super) fn each(bytes: &[u8], visit: Visit<'_>) -> Result<(), ForeignError> {
    let (kind, order) = recognise(bytes).ok_or(ForeignError::Unknown)?;
    let bytes = Bytes { all: bytes, order, kind };
    let version = bytes.u32(16)?;
    if !(8..=10).contains(&version) {
        return Err(bytes.unsupported(format!("version {version}")));
    }
    let size = bytes.usize32(20)?;
    if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
        return Err(bytes.damaged(20, "no page size"));
    }
    if bytes.u8(24)? != 0 {
        return Err(bytes.unsupported("encryption"));
    }
    if bytes.u8(26)? != 0 {
        return Err(bytes.unsupported("a checksum of pages, or a database in parts"));
    }
    if bytes.u32(48)? & FLAGS != 0 {
        return Err(bytes.unsupported("more than one value to a key, or more than one database"));
    }
    let file = File { pages: Pages::new(bytes, size) };
    match kind {
        Kind::Btree => btree::each(file, visit),
        _ => hash::each(file, visit),
    }
}

/// Of the meta page: duplicates, databases within the file, record numbers, fixed lengths, compression.
const FLAGS: u32 = 0xff;

/// A file, by its pages.
struct File<'a> {
    pages: Pages<'a>,
}

/// A page's head.
struct Page {
    /// Where in the file.
    at: usize,
    next: usize,
    items: usize,
    kind: u8,
}

impl<'a> File<'a> {
    fn enter(&mut self, number: usize) -> Result<Page, ForeignError> {
        let at = self.pages.enter(number)?;
        let bytes = &self.pages.bytes;
        Ok(Page {
            at,
            next: bytes.usize32(at + 16)?,
            items: usize::from(bytes.u16(at + 20)?),
            kind: bytes.u8(at + 25)?,
        })
    }

    /// Where an item starts in its page.
    fn place(&self, page: &Page, item: usize) -> Result<usize, ForeignError> {
        let at = HEAD + 2 * item;
        self.pages.within(page.at, at, 2)?;
        self.pages.bytes.u16(page.at + at).map(usize::from)
    }

    /// An item that fits no page: its first page and length, at `at` in the file.
    fn overflow(&mut self, at: usize) -> Result<Vec<u8>, ForeignError> {
        let bytes = self.pages.bytes;
        let (mut number, length) = (bytes.usize32(at)?, bytes.usize32(at + 4)?);
        let mut value = Vec::new();
        while value.len() < length {
            let page = self.enter(number)?;
            // An overflow page has its length where others have the end of their free space.
            let part = usize::from(bytes.u16(page.at + 22)?);
            if page.kind != OVERFLOW_PAGE || part == 0 {
                return Err(bytes.damaged(page.at, "no overflow page"));
            }
            value.extend_from_slice(self.pages.within(page.at, HEAD, part)?);
            number = page.next;
        }
        if value.len() != length {
            return Err(bytes.damaged(at, "an overflow item of another length"));
        }
        Ok(value)
    }

    fn bytes(&self) -> Bytes<'a> {
        self.pages.bytes
    }
}
