//! Numbers and stretches out of foreign bytes: every look is checked, and says where it failed.

use super::{ForeignError, Kind};

/// How a machine wrote its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// A file's bytes, with what is needed to read numbers and to tell of damage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) all: &'a [u8],
    pub(super) order: Order,
    pub(super) kind: Kind,
}

impl<'a> Bytes<'a> {
    /// A stretch of the file.
    pub(super) fn slice(&self, at: usize, length: usize) -> Result<&'a [u8], ForeignError> {
        let end = at.checked_add(length);
        end.and_then(|end| self.all.get(at..end))
            .ok_or_else(|| self.damaged(at, "what should stand here is beyond the file's end"))
    }

    pub(super) fn u8(&self, at: usize) -> Result<u8, ForeignError> {
        self.array::<1>(at).map(|[octet]| octet)
    }

    pub(super) fn u16(&self, at: usize) -> Result<u16, ForeignError> {
        let octets = self.array(at)?;
        Ok(if self.order == Order::Little { u16::from_le_bytes(octets) } else { u16::from_be_bytes(octets) })
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, ForeignError> {
        let octets = self.array(at)?;
        Ok(if self.order == Order::Little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) })
    }

    pub(super) fn u64(&self, at: usize) -> Result<u64, ForeignError> {
        let octets = self.array(at)?;
        Ok(if self.order == Order::Little { u64::from_le_bytes(octets) } else { u64::from_be_bytes(octets) })
    }

    /// A number as a place in the file; one that no memory holds is beyond the file's end all the same.
    pub(super) fn usize32(&self, at: usize) -> Result<usize, ForeignError> {
        self.u32(at).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// The same, of 64 bits.
    pub(super) fn usize64(&self, at: usize) -> Result<usize, ForeignError> {
        self.u64(at).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    pub(super) fn damaged(&self, at: usize, what: &'static str) -> ForeignError {
        ForeignError::Damaged { kind: self.kind, at: at as u64, what }
    }

    pub(super) fn unsupported(&self, what: impl Into<String>) -> ForeignError {
        ForeignError::Unsupported { kind: self.kind, what: what.into() }
    }

    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], ForeignError> {
        let octets = self.slice(at, N)?;
        octets.try_into().map_err(|_| self.damaged(at, "a number is cut"))
    }
}

/// A file in pages of one size. A walk enters each page once at most.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    pub(super) bytes: Bytes<'a>,
    pub(super) size: usize,
    left: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn new(bytes: Bytes<'a>, size: usize) -> Self {
        Self { bytes, size, left: bytes.all.len() / size.max(1) }
    }

    /// Where a page starts, which is whole.
    pub(super) fn enter(&mut self, number: usize) -> Result<usize, ForeignError> {
        let at = number.saturating_mul(self.size);
        self.bytes.slice(at, self.size)?;
        self.left =
            self.left.checked_sub(1).ok_or_else(|| self.bytes.damaged(at, "pages lead in a circle"))?;
        Ok(at)
    }

    /// A stretch inside the page that starts at `page`.
    pub(super) fn within(&self, page: usize, offset: usize, length: usize) -> Result<&'a [u8], ForeignError> {
        if offset.checked_add(length).is_none_or(|end| end > self.size) {
            return Err(self.bytes.damaged(page, "an item reaches beyond its page"));
        }
        self.bytes.slice(page + offset, length)
    }
}
