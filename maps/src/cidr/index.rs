//! From an address to its answer: an index to a leaf, and in it the answer.
//!
//! A leaf holds thirty-two stretches: where each starts, and right behind what each answers. The index has slots, equal
//! parts of all numbers, finer where there are more leaves ([`super::leaves`] makes them); a slot names the leaf
//! that its first number is in. From there on the first numbers of leaves are compared, sixteen at once, which is nearly always
//! enough. Index and first numbers stay in the processor's cache, and a leaf is one trip to memory. There is
//! nothing to guess on the way, and so the processor goes ahead to the next address while memory still answers this one.

use std::ops::Range;

use super::answer::Answer;
use super::word::{AT_ONCE, Word};
use crate::artifact::container::Tag;
use crate::artifact::{BadArtifact, Container, Corrupt};

/// Bits of a number that the index looks at first, at most.
const MOST_ROOT: u32 = 12;

/// Bits of a number that the index of so many leaves looks at first.
pub(super) fn root_bits(leaves: usize) -> u32 {
    leaves.max(1).next_power_of_two().ilog2().min(MOST_ROOT)
}

/// Where the index of a family stands in its artifact.
#[derive(Debug)]
pub(super) struct Place {
    top: Range<usize>,
    firsts: Range<usize>,
    leaves: Range<usize>,
}

impl Place {
    pub(super) fn of<W: Word>(container: &Container) -> Result<Self, BadArtifact> {
        let place = |tag: Tag| container.range(&tag).ok_or(BadArtifact::Missing(tag));
        let [top, firsts, leaves] = W::TAGS;
        let place = Self { top: place(top)?, firsts: place(firsts)?, leaves: place(leaves)? };
        let count = place.leaves.len() / W::LEAF;
        let whole = place.leaves.len().is_multiple_of(W::LEAF) && place.top.len().is_multiple_of(SLOT);
        if count == 0 || !whole || place.firsts.len() != count * W::OCTETS {
            return Err(BadArtifact::Layout("an index of addresses is not as large as its leaves need"));
        }
        Ok(place)
    }

    #[inline]
    pub(super) fn index<'a, W: Word>(&self, octets: &'a [u8]) -> Index<'a> {
        let part = |range: &Range<usize>| octets.get(range.clone()).unwrap_or_default();
        Index::new::<W>(part(&self.top), part(&self.firsts), part(&self.leaves))
    }
}

/// Octets of a slot.
pub(super) const SLOT: usize = 4;

/// The sections of a family, to be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index<'a> {
    /// Bits of a number that `roots` is for.
    bits: u32,
    /// Where the slots of equal parts of all numbers start, and where the last ones end; the slots behind them.
    pub(super) top: &'a [[u8; SLOT]],
    pub(super) firsts: &'a [u8],
    pub(super) leaves: &'a [u8],
}

impl<'a> Index<'a> {
    #[inline]
    pub(super) fn new<W: Word>(top: &'a [u8], firsts: &'a [u8], leaves: &'a [u8]) -> Self {
        Self { bits: root_bits(leaves.len() / W::LEAF), top: top.as_chunks().0, firsts, leaves }
    }

    /// What the stretch of a number answers.
    #[inline]
    pub(super) fn find<W: Word>(&self, number: W) -> Result<Answer, Corrupt> {
        let leaf = self.leaf(number).ok_or_else(|| bad::<W>(0, 0, "a slot that leads nowhere"))?;
        let place = leaf * W::LEAF;
        let answer = self.leaves.get(place..).and_then(|leaf| number.answer(leaf));
        answer.map(Answer::read).ok_or_else(|| bad::<W>(2, place, "a leaf that leads nowhere"))
    }

    /// The leaf that a number is in.
    #[inline]
    fn leaf<W: Word>(&self, number: W) -> Option<usize> {
        let slot = |at: usize| self.top.get(at).map(|slot| u32::from_le_bytes(*slot) as usize);
        let part = number.bits(0, self.bits);
        let (start, end) = (slot(part)?, slot(part + 1)?);
        // The slots of a part are a power of two.
        let at = start + number.bits(self.bits, end.wrapping_sub(start).trailing_zeros());
        let first = slot(at)?;
        let firsts = self.firsts.get(first * W::OCTETS..)?;
        let rank = match number.rank(firsts) {
            Some(rank) if rank < AT_ONCE => rank,
            // A crowd of leaves, or the last ones there are.
            _ => {
                let last = slot(at + 1)?;
                let crowd = last.checked_sub(first)?.checked_add(1)?.checked_mul(W::OCTETS)?;
                number.rank_in_all(firsts.get(..crowd)?)
            }
        };
        (first + rank).checked_sub(1)
    }
}

pub(super) fn bad<W: Word>(section: usize, at: usize, what: &'static str) -> Corrupt {
    Corrupt { section: W::TAGS.get(section).copied().unwrap_or_default(), at: at as u64, what }
}
