//! Access method btree: down the left edge to the first leaf, then from leaf to leaf.

use std::borrow::Cow;

use super::{File, Page};
use crate::foreign::{ForeignError, Visit};

const INTERNAL_PAGE: u8 = 3;
const LEAF_PAGE: u8 = 5;

/// Of items: on the page itself, or on pages of their own.
const KEYDATA: u8 = 1;
const OVERFLOW: u8 = 3;
/// Beside either: deleted, but not taken out yet.
const DELETED: u8 = 0x80;

pub(super) fn each(mut file: File<'_>, visit: Visit<'_>) -> Result<(), ForeignError> {
    let bytes = file.bytes();
    let mut page = file.enter(bytes.usize32(88)?)?;
    while page.kind == INTERNAL_PAGE {
        let first = file.place(&page, 0)?;
        file.pages.within(page.at, first, 12)?;
        page = file.enter(bytes.usize32(page.at + first + 4)?)?;
    }
    loop {
        if page.kind != LEAF_PAGE {
            return Err(bytes.damaged(page.at, "no leaf of the tree"));
        }
        leaf(&mut file, &page, visit)?;
        if page.next == 0 {
            return Ok(());
        }
        page = file.enter(page.next)?;
    }
}

fn leaf(file: &mut File<'_>, page: &Page, visit: Visit<'_>) -> Result<(), ForeignError> {
    if !page.items.is_multiple_of(2) {
        return Err(file.bytes().damaged(page.at, "a key without a value"));
    }
    for item in (0..page.items).step_by(2) {
        let Some(value) = read(file, page, item + 1)? else { continue };
        let Some(key) = read(file, page, item)? else { continue };
        visit(&key, &value).map_err(|what| file.bytes().damaged(page.at, what))?;
    }
    Ok(())
}

/// An item; none when it is deleted.
fn read<'a>(file: &mut File<'a>, page: &Page, item: usize) -> Result<Option<Cow<'a, [u8]>>, ForeignError> {
    let start = file.place(page, item)?;
    file.pages.within(page.at, start, 3)?;
    let bytes = file.bytes();
    match bytes.u8(page.at + start + 2)? {
        kind if kind & DELETED != 0 => Ok(None),
        KEYDATA => {
            let length = usize::from(bytes.u16(page.at + start)?);
            file.pages.within(page.at, start + 3, length).map(|octets| Some(Cow::Borrowed(octets)))
        }
        OVERFLOW => {
            file.pages.within(page.at, start, 12)?;
            file.overflow(page.at + start + 4).map(|octets| Some(Cow::Owned(octets)))
        }
        _ => Err(bytes.unsupported("more than one value to a key")),
    }
}
