//! Where the lines of one text stand in a later one.

use crate::artifact::container::BadArtifact;

/// Lines that stand in both texts one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first of them in the old text.
    pub start: u32,
    /// The one behind them there.
    pub end: u32,
    /// The first of them in the new text.
    pub new: u32,
}

/// All of them, in their order, which is one in both texts. Records ask in no order, so that what is read for most of
/// them has to be small: an entry for each line would be a trip to memory for each record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    stretches: Vec<Stretch>,
    /// For each [`BLOCK`] of lines the first stretch that ends behind its first line.
    firsts: Vec<u32>,
}

impl Moved {
    /// Adds the next one; none where it is not behind those before. Who calls bounds the number of the lines.
    #[must_use]
    pub fn push(&mut self, next: Stretch) -> Option<()> {
        let last = self.stretches.last();
        let is_behind =
            last.is_none_or(|last| last.end <= next.start && last.behind() <= u64::from(next.new));
        if !is_behind || next.start >= next.end || next.behind() > u64::from(u32::MAX) {
            return None;
        }
        let number = u32::try_from(self.stretches.len()).ok()?;
        let blocks = usize::try_from(next.end.div_ceil(BLOCK)).ok()?;
        self.firsts.resize(blocks.max(self.firsts.len()), number);
        self.stretches.push(next);
        Some(())
    }

    /// Where a line stands now; none where it does not any more.
    #[must_use]
    pub fn place(&self, line: u32) -> Option<u32> {
        let first = *self.firsts.get(usize::try_from(line / BLOCK).ok()?)?;
        let mut stretches = self.stretches.get(usize::try_from(first).ok()?..)?.iter();
        let stretch = stretches.find(|stretch| line < stretch.end)?;
        stretch.new.checked_add(line.checked_sub(stretch.start)?)
    }

    /// How many stretches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stretches.len()
    }

    /// True when no line stayed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Where the lines stand after a second change.
    #[must_use]
    pub fn then(&self, next: &Self) -> Option<Self> {
        let mut both = Self::default();
        let mut rest = &*next.stretches;
        for first in &self.stretches {
            // Those that end before this one starts end before each later one does, too.
            let passed = rest.iter().take_while(|second| second.end <= first.new).count();
            rest = rest.get(passed..).unwrap_or_default();
            let seen = rest.iter().take_while(|second| u64::from(second.start) < first.behind());
            for second in seen {
                let start = second.start.max(first.new);
                let end = second.end.min(u32::try_from(first.behind()).ok()?);
                let back = |line: u32| first.start.checked_add(line.checked_sub(first.new)?);
                let new = second.new.checked_add(start.checked_sub(second.start)?)?;
                both.push(Stretch { start: back(start)?, end: back(end)?, new })?;
            }
        }
        Some(both)
    }

    /// As a file has them: three numbers each.
    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers = |stretch: &Stretch| [stretch.start, stretch.end, stretch.new].map(u32::to_le_bytes);
        self.stretches.iter().flat_map(numbers).flatten().collect()
    }

    /// Reads them, if there are no more lines than so many.
    pub(super) fn decode(octets: &[u8], most_lines: usize) -> Result<Self, BadArtifact> {
        let wrong = || BadArtifact::Layout("stretches of lines are out of order, or too many");
        let (stretches, rest) = octets.as_chunks::<STRETCH>();
        if !rest.is_empty() {
            return Err(wrong());
        }
        let mut moved = Self::default();
        for stretch in stretches {
            let [start, end, new] = *stretch.as_chunks::<4>().0 else { return Err(wrong()) };
            let [start, end, new] = [start, end, new].map(u32::from_le_bytes);
            if usize::try_from(end).map_or(true, |end| end > most_lines) {
                return Err(wrong());
            }
            moved.push(Stretch { start, end, new }).ok_or_else(wrong)?;
        }
        Ok(moved)
    }
}

impl Stretch {
    /// The line behind them in the new text.
    fn behind(&self) -> u64 {
        u64::from(self.new) + u64::from(self.end.saturating_sub(self.start))
    }
}

/// Octets of one in a file.
const STRETCH: usize = 12;
/// Lines that are looked up together.
const BLOCK: u32 = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each line's place, by hand.
    fn places(moved: &Moved, lines: u32) -> Vec<Option<u32>> {
        (0..lines).map(|line| moved.place(line)).collect()
    }

    fn some_moved() -> impl Strategy<Value = Moved> {
        proptest::collection::vec((0..90_u32, 1..150_u32, 0..90_u32), 0..12).prop_map(|stretches| {
            let (mut moved, mut old, mut new) = (Moved::default(), 1, 1);
            for (gone, length, added) in stretches {
                let start = old + gone;
                let stretch = Stretch { start, end: start + length, new: new + added };
                moved.push(stretch).unwrap();
                (old, new) = (start + length, new + added + length);
            }
            moved
        })
    }

    proptest! {
        #[test]
        fn two_changes_are_one(first in some_moved(), second in some_moved()) {
            let both = first.then(&second).unwrap();
            let want: Vec<_> = places(&first, 3_000).into_iter().map(|line| second.place(line?)).collect();
            prop_assert_eq!(places(&both, 3_000), want);
        }

        #[test]
        fn a_file_has_them_as_they_are(moved in some_moved()) {
            prop_assert_eq!(Moved::decode(&moved.encode(), 3_000).unwrap(), moved);
        }
    }

    #[test]
    fn what_is_out_of_order_is_no_file() {
        let file =
            |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>();
        assert!(Moved::decode(&file(&[1, 5, 1, 7, 9, 5]), 9).is_ok());
        for bad in [
            &[1, 5][..],
            &[5, 5, 1],
            &[1, 5, 1, 4, 6, 9],
            &[1, 5, 9, 7, 9, 10],
            &[1, 10, 1],
            &[1, 3, u32::MAX],
        ] {
            assert!(Moved::decode(&file(bad), 9).is_err(), "{bad:?}");
        }
        assert!(Moved::decode(&[0; 13], 9).is_err());
    }
}
