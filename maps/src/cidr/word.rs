//! The numbers that stretches start with: whole IPv4 addresses, or the first halves of IPv6 addresses
//! ([`super::lists`] has the second).

use super::answer::ANSWER;
use crate::artifact::bytes::touch;
use crate::artifact::container::Tag;

/// Stretches of a leaf. More would cost more of memory for a question, fewer a longer index that the cache has
/// no room for.
pub(super) const FAN: usize = 32;
/// Numbers that are compared at once where a leaf is chosen.
pub(super) const AT_ONCE: usize = 16;

/// A number of one family.
pub(super) trait Word: Copy + Ord + 'static {
    /// The index, the first number of each leaf, and the leaves.
    const TAGS: [Tag; 3];
    /// Its octets.
    const OCTETS: usize;
    /// Octets of a leaf.
    const LEAF: usize = FAN * (Self::OCTETS + ANSWER);
    /// The least.
    const FIRST: Self;
    /// The greatest.
    const LAST: Self;
    /// How many of the first [`AT_ONCE`] numbers of these octets are not greater; none where there are fewer.
    fn rank(self, numbers: &[u8]) -> Option<usize>;
    /// What the leaf at the front answers; none when that is no leaf.
    fn answer(self, leaf: &[u8]) -> Option<[u8; ANSWER]>;
    /// How many of all numbers of these octets, which rise, are not greater.
    fn rank_in_all(self, numbers: &[u8]) -> usize;
    /// A number of these octets.
    fn read(numbers: &[u8], slot: usize) -> Option<Self>;
    fn put(self, out: &mut Vec<u8>);
    /// So many bits of it, behind those that are skipped.
    fn bits(self, skipped: u32, count: u32) -> usize;
    /// Whether nothing but zeros stand behind so many bits.
    fn is_first(self, bits: u32) -> bool;
}

macro_rules! word {
    ($word:ty, [$top:literal, $firsts:literal, $leaves:literal], $rank:expr) => {
        impl Word for $word {
            const TAGS: [Tag; 3] = [*$top, *$firsts, *$leaves];
            const OCTETS: usize = size_of::<$word>();
            const FIRST: Self = 0;
            const LAST: Self = <$word>::MAX;
            #[inline]
            fn rank(self, numbers: &[u8]) -> Option<usize> {
                let (numbers, _) = numbers.as_chunks();
                numbers.first_chunk::<AT_ONCE>().map(|numbers| $rank(numbers, self))
            }
            #[inline]
            fn answer(self, leaf: &[u8]) -> Option<[u8; ANSWER]> {
                let leaf = leaf.first_chunk::<{ <$word as Word>::LEAF }>()?;
                touch(leaf);
                let (numbers, answers) = leaf.split_at(FAN * size_of::<$word>());
                let rank = $rank(numbers.as_chunks().0.first_chunk::<FAN>()?, self);
                answers.as_chunks().0.get(rank.checked_sub(1)?).copied()
            }
            fn rank_in_all(self, numbers: &[u8]) -> usize {
                let (numbers, _) = numbers.as_chunks();
                numbers.partition_point(|number| <$word>::from_le_bytes(*number) <= self)
            }
            fn read(numbers: &[u8], slot: usize) -> Option<Self> {
                numbers.as_chunks().0.get(slot).map(|number| <$word>::from_le_bytes(*number))
            }
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
            #[inline]
            fn bits(self, skipped: u32, count: u32) -> usize {
                // In two steps, as a shift by all bits is none. A count out of a damaged table gives any number, and no panic.
                let rest = self.wrapping_shl(skipped) >> 1;
                rest.wrapping_shr((<$word>::BITS - 1).wrapping_sub(count)) as usize
            }
            fn is_first(self, bits: u32) -> bool {
                self.checked_shl(bits).unwrap_or(0) == 0
            }
        }
    };
}

// Few instructions each, and nothing to guess: so many as a processor looks ahead are how many questions it has under
// way. Four comparisons of four numbers at once; and of longer numbers, which it cannot compare so, the search by halves.
word!(u32, [b"4top", b"4fst", b"4lea"], |numbers: &[[u8; 4]], word| {
    numbers.iter().map(|number| u32::from(u32::from_le_bytes(*number) <= word)).sum::<u32>() as usize
});
word!(u64, [b"6top", b"6fst", b"6lea"], |numbers: &[[u8; 8]], word| {
    numbers.partition_point(|number| u64::from_le_bytes(*number) <= word)
});
