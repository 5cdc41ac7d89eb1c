//! lmdb: two meta pages, of which the later one holds, and a B-tree of pages from the root it names.
//!
//! Read as the 64-bit library 0.9 lays it out: pages of a 16-octet head and 2-octet places of nodes; a value
//! that fits no page stands in pages of its own.

use super::bytes::{Bytes, Order, Pages};
use super::{ForeignError, Kind, Visit};

/// `MDB_MAGIC`, the first word after a meta page's head.
const MAGIC: u32 = 0xBEEF_C0DE;
/// `MDB_DATA_VERSION`.
const VERSION: u32 = 1;
/// Octets of a page's head.
const HEAD: usize = 16;
/// Octets of a node's head.
const NODE: usize = 8;
/// `P_INVALID`: the root of an empty tree.
const NO_PAGE: u64 = u64::MAX;
/// Far over what the library makes of the largest file.
const MAX_DEPTH: usize = 32;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// The value stands in pages of its own.
const BIG: u16 = 0x01;

/// How numbers are written, when it is such a file at all.
pub(super) fn order(bytes: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big]
        .into_iter()
        .find(|order| new(bytes, *order).u32(HEAD).is_ok_and(|magic| magic == MAGIC))
}

pub(super) fn each(bytes: &[u8], visit: Visit<'_>) -> Result<(), ForeignError> {
    let order = order(bytes).ok_or(ForeignError::Unknown)?;
    let bytes = new(bytes, order);
    let first = Meta::read(&bytes, 0)?;
    // A transaction writes the one or the other; one that is torn is not there.
    let meta = match Meta::read(&bytes, first.page_size) {
        Ok(second) if second.transaction > first.transaction => second,
        _ => first,
    };
    if meta.root == NO_PAGE {
        return Ok(());
    }
    let mut tree = Tree { pages: Pages::new(bytes, meta.page_size), visit };
    tree.walk(usize::try_from(meta.root).unwrap_or(usize::MAX), 0)
}

/// What a meta page says.
struct Meta {
    page_size: usize,
    root: u64,
    transaction: u64,
}

impl Meta {
    fn read(bytes: &Bytes<'_>, page: usize) -> Result<Self, ForeignError> {
        let meta = page + HEAD;
        if bytes.u32(meta)? != MAGIC {
            return Err(bytes.damaged(meta, "no meta page"));
        }
        let version = bytes.u32(meta + 4)?;
        if version != VERSION {
            return Err(bytes.unsupported(format!("data version {version}")));
        }
        // Magic, version, map address, map size; then the trees of free pages and of data, 48 octets each.
        let (free, main) = (meta + 24, meta + 72);
        let page_size = bytes.usize32(free)?;
        if !page_size.is_power_of_two() || !(256..=65_536).contains(&page_size) {
            return Err(bytes.damaged(free, "no page size"));
        }
        let flags = bytes.u16(main + 4)?;
        if flags != 0 {
            return Err(bytes.unsupported("a tree with more than one value to a key"));
        }
        Ok(Self { page_size, root: bytes.u64(main + 40)?, transaction: bytes.u64(meta + 128)? })
    }
}

struct Tree<'a, 'v> {
    pages: Pages<'a>,
    visit: Visit<'v>,
}

impl Tree<'_, '_> {
    fn walk(&mut self, number: usize, depth: usize) -> Result<(), ForeignError> {
        let page = self.pages.enter(number)?;
        let bytes = self.pages.bytes;
        if depth > MAX_DEPTH {
            return Err(bytes.damaged(page, "the tree is too deep"));
        }
        let flags = bytes.u16(page + 10)?;
        let lower = usize::from(bytes.u16(page + 12)?);
        for place in (HEAD..lower.min(self.pages.size)).step_by(2) {
            let node = usize::from(bytes.u16(page + place)?);
            self.pages.within(page, node, NODE)?;
            match flags & (BRANCH | LEAF) {
                BRANCH => {
                    // 48 bits of a page number, the upper ones where a leaf has flags.
                    let high = u64::from(bytes.u16(page + node + 4)?) << 32;
                    let child = high | u64::from(self.size(page + node)?);
                    self.walk(usize::try_from(child).unwrap_or(usize::MAX), depth + 1)?;
                }
                LEAF => self.leaf(page, node)?,
                _ => return Err(bytes.damaged(page, "neither a branch nor a leaf")),
            }
        }
        Ok(())
    }

    fn leaf(&mut self, page: usize, node: usize) -> Result<(), ForeignError> {
        let bytes = self.pages.bytes;
        let length = usize::try_from(self.size(page + node)?).unwrap_or(usize::MAX);
        let flags = bytes.u16(page + node + 4)?;
        let key = usize::from(bytes.u16(page + node + 6)?);
        let value = node + NODE + key;
        let key = self.pages.within(page, node + NODE, key)?;
        let value = match flags {
            0 => self.pages.within(page, value, length)?,
            BIG => {
                self.pages.within(page, value, 8)?;
                let first = bytes.usize64(page + value)?;
                let start = first.saturating_mul(self.pages.size);
                bytes.slice(start, HEAD)?;
                if bytes.u16(start + 10)? & OVERFLOW == 0 {
                    return Err(bytes.damaged(start, "no overflow page"));
                }
                // They follow one another, and only the first has a head.
                bytes.slice(start + HEAD, length)?
            }
            _ => return Err(bytes.unsupported("a tree with more than one value to a key")),
        };
        (self.visit)(key, value).map_err(|what| bytes.damaged(page + node, what))
    }

    /// The first four octets of a node, two halves in the machine's order.
    fn size(&self, node: usize) -> Result<u32, ForeignError> {
        self.pages.bytes.u32(node)
    }
}

fn new(bytes: &[u8], order: Order) -> Bytes<'_> {
    Bytes { all: bytes, order, kind: Kind::Lmdb }
}
