//! Access method hash: buckets, each a chain of pages, found through the `spares` of the meta page.

use std::borrow::Cow;

use super::{File, HEAD, Page};
use crate::foreign::{ForeignError, Visit};

const UNSORTED_PAGE: u8 = 2;
const SORTED_PAGE: u8 = 13;
/// A page that was never used, of a bucket that is empty.
const UNUSED_PAGE: u8 = 0;

/// Of items: on the page itself, or on pages of their own.
const KEYDATA: u8 = 1;
const OFFPAGE: u8 = 3;

pub(super) fn each(mut file: File<'_>, visit: Visit<'_>) -> Result<(), ForeignError> {
    let bytes = file.bytes();
    let last = bytes.u32(72)?;
    for bucket in 0..=u64::from(last) {
        let mut number = first_page(&file, bucket)?;
        // Page 0 is the meta page, and so ends a chain.
        loop {
            let page = file.enter(number)?;
            match page.kind {
                UNSORTED_PAGE | SORTED_PAGE => pairs(&mut file, &page, visit)?,
                UNUSED_PAGE => {}
                _ => return Err(bytes.damaged(page.at, "no page of a bucket")),
            }
            number = page.next;
            if number == 0 {
                break;
            }
        }
    }
    Ok(())
}

/// `BS_TO_PAGE`: each doubling of the table stands in one stretch, behind the overflow pages of its time.
fn first_page(file: &File<'_>, bucket: u64) -> Result<usize, ForeignError> {
    let doubling = (bucket + 1).next_power_of_two().trailing_zeros();
    let spare = 96 + 4 * usize::try_from(doubling).unwrap_or(usize::MAX);
    let spare = file.bytes().u32(spare)?;
    Ok(usize::try_from(bucket + u64::from(spare)).unwrap_or(usize::MAX))
}

fn pairs(file: &mut File<'_>, page: &Page, visit: Visit<'_>) -> Result<(), ForeignError> {
    // Items stand from the page's end downwards, each up to the start of the one before.
    let mut end = file.pages.size;
    let mut key: Option<Cow<'_, [u8]>> = None;
    for item in 0..page.items {
        let start = file.place(page, item)?;
        if start >= end || start < HEAD {
            return Err(file.bytes().damaged(page.at, "items out of order"));
        }
        let octets = read(file, page, start, end)?;
        end = start;
        match key.take() {
            None => key = Some(octets),
            Some(key) => visit(&key, &octets).map_err(|what| file.bytes().damaged(page.at, what))?,
        }
    }
    key.map_or(Ok(()), |_| Err(file.bytes().damaged(page.at, "a key without a value")))
}

fn read<'a>(
    file: &mut File<'a>,
    page: &Page,
    start: usize,
    end: usize,
) -> Result<Cow<'a, [u8]>, ForeignError> {
    let octets = file.pages.within(page.at, start, end - start)?;
    match octets {
        [KEYDATA, octets @ ..] => Ok(Cow::Borrowed(octets)),
        [OFFPAGE, ..] if octets.len() >= 12 => file.overflow(page.at + start + 4).map(Cow::Owned),
        [OFFPAGE, ..] => Err(file.bytes().damaged(page.at + start, "an overflow item is cut")),
        _ => Err(file.bytes().unsupported("more than one value to a key")),
    }
}
