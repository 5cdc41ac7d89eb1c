//! Stretches of addresses on disk: where each starts, what it answers, and an index of the leading bits.
//!
//! Addresses are little-endian words of 4 or 16 octets. The index cuts the room between the second start (the
//! first is always 0) and the last into slots of 2^shift addresses, about one for two stretches: so it is as
//! fine where addresses stand close together in a small part of all there are, as IPv6's do, as in the wide.
//! A lookup reads two neighbours of the index, searches the few starts between them, and reads one answer.

use std::net::IpAddr;

use super::Found;
use super::network::{Family, show};
use super::sweep::Stretch;
use crate::artifact::Corrupt;
use crate::artifact::container::Tag;

/// An address as a number.
pub(super) trait Word: Copy + Ord {
    /// Index, starts and answers.
    const TAGS: [Tag; 3];
    /// Its octets.
    type Bytes: Copy;
    /// Little-endian octets to the number.
    fn read(bytes: &Self::Bytes) -> Self;
    /// A section to words; what is too short for one stays away.
    fn words(section: &[u8]) -> &[Self::Bytes];
    fn wide(self) -> u128;
}

impl Word for u32 {
    const TAGS: [Tag; 3] = [*b"4idx", *b"4beg", *b"4ans"];
    type Bytes = [u8; 4];
    fn read(bytes: &[u8; 4]) -> Self {
        Self::from_le_bytes(*bytes)
    }
    fn words(section: &[u8]) -> &[[u8; 4]] {
        section.as_chunks().0
    }
    fn wide(self) -> u128 {
        self.into()
    }
}

impl Word for u128 {
    const TAGS: [Tag; 3] = [*b"6idx", *b"6beg", *b"6ans"];
    type Bytes = [u8; 16];
    fn read(bytes: &[u8; 16]) -> Self {
        Self::from_le_bytes(*bytes)
    }
    fn words(section: &[u8]) -> &[[u8; 16]] {
        section.as_chunks().0
    }
    fn wide(self) -> u128 {
        self
    }
}

/// What a stretch without a rule answers.
const NOBODY: u32 = u32::MAX;

/// The index's head: the base in 16 octets, the shift in 4, 4 of zero.
const HEAD: usize = 24;

/// Slots of the largest index, as a power of two: 4 MiB.
const FINEST: u32 = 20;

/// The three sections of one family.
#[derive(Debug, Default)]
pub(super) struct Sections {
    pub(super) index: Vec<u8>,
    pub(super) starts: Vec<u8>,
    pub(super) answers: Vec<u8>,
}

/// Writes the stretches; `answer` gives a rule's value and line.
pub(super) fn write<W: Word>(stretches: &[Stretch], answer: impl Fn(u32) -> Found) -> Sections {
    let mut sections = Sections::default();
    for stretch in stretches {
        let bytes = stretch.first.to_le_bytes();
        sections.starts.extend_from_slice(bytes.get(..size_of::<W>()).unwrap_or(&bytes));
        let Found { value, line } = stretch.rule.map_or(Found { value: NOBODY, line: 0 }, &answer);
        sections.answers.extend_from_slice(&value.to_le_bytes());
        sections.answers.extend_from_slice(&line.to_le_bytes());
    }
    let base = stretches.get(1).map_or(0, |stretch| stretch.first);
    let width = stretches.last().map_or(0, |stretch| stretch.first.saturating_sub(base));
    let fineness = (usize::BITS - stretches.len().leading_zeros()).saturating_sub(1).min(FINEST);
    let shift = (u128::BITS - width.leading_zeros()).saturating_sub(fineness);
    sections.index.extend_from_slice(&base.to_le_bytes());
    sections.index.extend_from_slice(&shift.to_le_bytes());
    sections.index.extend_from_slice(&[0; 4]);
    let slots = slot(width, shift) + 1;
    let mut number = 0_u32;
    let mut rest = stretches.iter().peekable();
    for at in 0..slots {
        while rest.next_if(|stretch| slot(stretch.first.saturating_sub(base), shift) < at).is_some() {
            number += 1;
        }
        sections.index.extend_from_slice(&number.to_le_bytes());
    }
    let all = number.saturating_add(u32::try_from(rest.count()).unwrap_or(u32::MAX));
    sections.index.extend_from_slice(&all.to_le_bytes());
    sections
}

fn slot(distance: u128, shift: u32) -> usize {
    usize::try_from(distance.checked_shr(shift).unwrap_or(0)).unwrap_or(usize::MAX)
}

// ---------------------------------------------------------------------------------------------------------

/// The sections of one family, to be asked.
#[derive(Debug)]
pub(super) struct Stretches<'a, W: Word> {
    base: u128,
    shift: u32,
    index: &'a [[u8; 4]],
    starts: &'a [W::Bytes],
    answers: &'a [[u8; 8]],
}

impl<'a, W: Word> Stretches<'a, W> {
    /// Takes the sections as they are; what does not fit together shows when it is asked or verified.
    #[inline]
    pub(super) fn open(index: &'a [u8], starts: &'a [u8], answers: &'a [u8]) -> Result<Self, Corrupt> {
        let head = index.split_first_chunk::<HEAD>().and_then(|(head, index)| {
            let (base, rest) = head.split_first_chunk::<16>()?;
            Some((u128::from_le_bytes(*base), u32::from_le_bytes(*rest.first_chunk()?), index))
        });
        let (base, shift, index) = head.ok_or(Self::bad(0, 0, "an index without a head"))?;
        let (starts, answers) = (W::words(starts), answers.as_chunks().0);
        Ok(Self { base, shift, index: index.as_chunks().0, starts, answers })
    }

    /// What answers for an address.
    #[inline]
    pub(super) fn find(&self, address: W) -> Result<Option<Found>, Corrupt> {
        let Some(last) = self.index.len().checked_sub(2) else {
            return Err(Self::bad(0, HEAD, "an index without slots"));
        };
        let slot = slot(address.wide().saturating_sub(self.base), self.shift).min(last);
        let [from, to] = [slot, slot + 1]
            .map(|at| self.index.get(at).map_or(0, |number| u32::from_le_bytes(*number) as usize));
        let Some(starts) = self.starts.get(from..to) else {
            return Err(Self::bad(0, HEAD + 4 * slot, "a slot past the starts"));
        };
        // The last stretch that starts at or before the address may be an earlier slot's.
        match (from + starts.partition_point(|start| W::read(start) <= address)).checked_sub(1) {
            Some(at) => self.answer(at),
            None => Err(Self::bad(1, 0, "an address before the first start")),
        }
    }

    #[inline]
    fn answer(&self, at: usize) -> Result<Option<Found>, Corrupt> {
        let number = |part: &[u8]| part.first_chunk().map(|number| u32::from_le_bytes(*number));
        let parts =
            self.answers.get(at).and_then(|answer| Some((number(&answer[..4])?, number(&answer[4..])?)));
        let (value, line) = parts.ok_or(Self::bad(2, 8 * at, "a start without an answer"))?;
        Ok((value != NOBODY).then_some(Found { value, line }))
    }

    /// First and last address of each stretch that answers, and the answer.
    pub(super) fn iter(self, family: Family) -> impl Iterator<Item = (IpAddr, IpAddr, Found)> {
        let first = move |at: usize| self.starts.get(at).map(|start| W::read(start).wide());
        (0..self.starts.len()).filter_map(move |at| {
            let last = first(at + 1).map_or(family.last(), |next| next.saturating_sub(1));
            let found = self.answer(at).ok().flatten()?;
            Some((show(family, first(at)?), show(family, last), found))
        })
    }

    /// Looks at every number, so that [`Self::find`] can neither fail nor err.
    pub(super) fn verify(&self, values: u32) -> Result<(), Corrupt> {
        if self.shift >= u128::BITS {
            return Err(Self::bad(0, 16, "a shift by more bits than there are"));
        }
        if self.starts.len() != self.answers.len() {
            return Err(Self::bad(2, 0, "not as many answers as starts"));
        }
        if self.starts.first().map(|start| W::read(start).wide()) != Some(0) {
            return Err(Self::bad(1, 0, "the first start is not 0"));
        }
        if !self.starts.is_sorted_by(|one, next| W::read(one) < W::read(next)) {
            return Err(Self::bad(1, 0, "starts out of order"));
        }
        self.verify_index()?;
        for at in 0..self.answers.len() {
            if self.answer(at)?.is_some_and(|found| found.value >= values || found.line == 0) {
                return Err(Self::bad(2, 8 * at, "no such value or line"));
            }
        }
        Ok(())
    }

    /// Each slot must begin with the first start that is not below it.
    fn verify_index(&self) -> Result<(), Corrupt> {
        let Some(slots) = self.index.len().checked_sub(1).filter(|slots| *slots > 0) else {
            return Err(Self::bad(0, HEAD, "an index without slots"));
        };
        let mut starts = self.starts.iter().peekable();
        let mut number = 0_u32;
        for (at, entry) in self.index.iter().enumerate() {
            let slot_of = |start: &W::Bytes| {
                slot(W::read(start).wide().saturating_sub(self.base), self.shift).min(slots - 1)
            };
            while starts.next_if(|start| slot_of(start) < at).is_some() {
                number = number.saturating_add(1);
            }
            if u32::from_le_bytes(*entry) != number {
                return Err(Self::bad(0, HEAD + 4 * at, "a slot that does not lead to its starts"));
            }
        }
        Ok(())
    }

    fn bad(section: usize, at: usize, what: &'static str) -> Corrupt {
        Corrupt { section: W::TAGS.get(section).copied().unwrap_or_default(), at: at as u64, what }
    }
}
