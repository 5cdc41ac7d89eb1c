//! From an address to its answer: a tree of nodes that are as wide as cache lines are.
//!
//! A leaf holds sixteen stretches: where each starts, and right behind what each answers. Above, each node holds the
//! first starts of sixteen nodes below, the root first in its section. So a lookup counts, a few times over, how many
//! of sixteen numbers are not greater than one: the upper nodes stay in the processor's cache, and a leaf is one
//! trip to memory. There is nothing to guess on the way, and so the processor goes ahead to the next address while
//! memory still answers this one.
//!
//! The numbers are whole IPv4 addresses, or the first halves of IPv6 addresses ([`super::lists`] has the second).

use std::hint::black_box;

use super::Found;
use crate::artifact::container::Tag;
use crate::artifact::{BadArtifact, Corrupt};

/// Numbers of a node, stretches of a leaf.
pub(super) const FAN: usize = 16;
/// Octets of an answer.
const ANSWER: usize = 8;
/// Octets of a cache line.
const LINE: usize = 64;

/// What a stretch of addresses leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// No rule.
    Nobody,
    /// A rule.
    Rule(Found),
    /// One first half of addresses, whose second halves stand in the list that starts with this record.
    List(u32),
}

impl Answer {
    const NOBODY: u32 = u32::MAX;
    const LIST: u32 = u32::MAX - 1;

    #[inline]
    pub(super) fn read([a, b, c, d, e, f, g, h]: [u8; ANSWER]) -> Self {
        let line = u32::from_le_bytes([e, f, g, h]);
        match u32::from_le_bytes([a, b, c, d]) {
            Self::NOBODY => Self::Nobody,
            Self::LIST => Self::List(line),
            value => Self::Rule(Found { value, line }),
        }
    }

    pub(super) fn octets(self) -> [u8; ANSWER] {
        let (value, line) = match self {
            Self::Nobody => (Self::NOBODY, 0),
            Self::List(record) => (Self::LIST, record),
            Self::Rule(Found { value, line }) => (value, line),
        };
        let ([a, b, c, d], [e, f, g, h]) = (value.to_le_bytes(), line.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }
}

/// The numbers of a tree.
pub(super) trait Word: Copy + Ord + 'static {
    /// The tree above the leaves, and the leaves.
    const TAGS: [Tag; 2];
    /// Octets of a node's numbers.
    const NODE: usize;
    /// The greatest.
    const LAST: Self;
    /// How many of the node's numbers are not greater; none when it is cut off.
    fn rank(self, node: &[u8]) -> Option<usize>;
    /// A node's number.
    fn read(node: &[u8], slot: usize) -> Option<Self>;
    fn put(self, out: &mut Vec<u8>);
}

macro_rules! word {
    ($word:ty, $top:literal, $leaves:literal, $count:expr) => {
        impl Word for $word {
            const TAGS: [Tag; 2] = [*$top, *$leaves];
            const NODE: usize = FAN * size_of::<$word>();
            const LAST: Self = <$word>::MAX;
            #[inline]
            fn rank(self, node: &[u8]) -> Option<usize> {
                let node = node.first_chunk::<{ FAN * size_of::<$word>() }>()?;
                let (numbers, _) = node.as_chunks::<{ size_of::<$word>() }>();
                Some($count(numbers, self))
            }
            fn read(node: &[u8], slot: usize) -> Option<Self> {
                node.as_chunks().0.get(slot).map(|number| <$word>::from_le_bytes(*number))
            }
            fn put(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
    };
}

// Few instructions each: so many as a processor looks ahead are how many questions it has under way. Four comparisons
// of four numbers at once; and of longer numbers, which it cannot compare so, the search by halves.
word!(u32, b"4top", b"4lea", |numbers: &[[u8; 4]], word| {
    numbers.iter().map(|number| u32::from(u32::from_le_bytes(*number) <= word)).sum::<u32>() as usize
});
word!(u64, b"6top", b"6lea", |numbers: &[[u8; 8]], word| {
    numbers.partition_point(|number| u64::from_le_bytes(*number) <= word)
});

/// Octets of a leaf.
const fn leaf<W: Word>() -> usize {
    W::NODE + FAN * ANSWER
}

/// Writes the leaves, and the tree above them; there is at least one stretch.
pub(super) fn write<W: Word>(stretches: &[(W, Answer)]) -> (Vec<u8>, Vec<u8>) {
    let mut leaves = Vec::with_capacity(stretches.len().div_ceil(FAN) * leaf::<W>());
    for some in stretches.chunks(FAN) {
        // The last leaf is filled up with stretches of no more than the last address, which answer as it does.
        let filled = || {
            some.iter().copied().chain(some.last().map(|(_, answer)| (W::LAST, *answer)).into_iter().cycle())
        };
        filled().take(FAN).for_each(|(start, _)| start.put(&mut leaves));
        filled().take(FAN).for_each(|(_, answer)| leaves.extend_from_slice(&answer.octets()));
    }
    (top(stretches.iter().step_by(FAN).map(|(start, _)| *start).collect()), leaves)
}

/// The tree above leaves that start so.
fn top<W: Word>(mut starts: Vec<W>) -> Vec<u8> {
    let mut levels = Vec::new();
    while starts.len() > 1 {
        let mut level = Vec::with_capacity(starts.len().next_multiple_of(FAN) * size_of::<W>());
        starts.iter().for_each(|start| start.put(&mut level));
        (starts.len()..starts.len().next_multiple_of(FAN)).for_each(|_| W::LAST.put(&mut level));
        levels.push(level);
        starts = starts.into_iter().step_by(FAN).collect();
    }
    levels.reverse();
    levels.concat()
}

/// The levels above the leaves, from the root down.
#[derive(Debug)]
pub(super) struct Levels(Vec<Level>);

#[derive(Debug)]
struct Level {
    /// Where its nodes start.
    start: usize,
    /// The number of the last node below.
    last: usize,
}

impl Levels {
    /// The levels above so many octets of leaves, if that is what these two sections can be.
    pub(super) fn of<W: Word>(top: usize, leaves: usize) -> Result<Self, BadArtifact> {
        let wrong = BadArtifact::Layout("a tree of addresses is not as large as its leaves need");
        if leaves == 0 || !leaves.is_multiple_of(leaf::<W>()) {
            return Err(wrong);
        }
        let mut below = leaves / leaf::<W>();
        let mut levels = Vec::new();
        let mut end = top;
        while below > 1 {
            let nodes = below.div_ceil(FAN);
            let Some(start) = nodes.checked_mul(W::NODE).and_then(|octets| end.checked_sub(octets)) else {
                return Err(wrong);
            };
            levels.push(Level { start, last: below - 1 });
            (end, below) = (start, nodes);
        }
        levels.reverse();
        if end == 0 { Ok(Self(levels)) } else { Err(wrong) }
    }
}

/// The two sections of a tree, to be asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree<'a> {
    pub(super) top: &'a [u8],
    pub(super) leaves: &'a [u8],
    pub(super) levels: &'a Levels,
}

impl<'a> Tree<'a> {
    /// What the stretch of a number answers.
    #[inline]
    pub(super) fn find<W: Word>(&self, number: W) -> Result<Answer, Corrupt> {
        let mut at = 0;
        for level in &self.levels.0 {
            let place = level.start + at * W::NODE;
            let slot =
                number.rank(self.top.get(place..).unwrap_or_default()).and_then(|rank| rank.checked_sub(1));
            let slot = slot.ok_or_else(|| bad::<W>(0, place, "a node that leads nowhere"))?;
            at = (at * FAN + slot).min(level.last);
        }
        let place = at * leaf::<W>();
        let leaf = self.leaves.get(place..).unwrap_or_default();
        // All of it at once, where reading would ask for the answer only when the starts are known.
        for line in 0..4 {
            black_box(leaf.get(line * LINE).copied());
        }
        let slot = number.rank(leaf).and_then(|rank| rank.checked_sub(1));
        let answer = slot.and_then(|slot| leaf.get(W::NODE + slot * ANSWER..)?.first_chunk());
        answer
            .map(|answer| Answer::read(*answer))
            .ok_or_else(|| bad::<W>(1, place, "a leaf that leads nowhere"))
    }

    /// Where each stretch starts, and what it answers.
    pub(super) fn iter<W: Word>(self) -> impl Iterator<Item = (W, Answer)> + 'a {
        let all = self.leaves.chunks_exact(leaf::<W>()).flat_map(|leaf| {
            let (starts, answers) = leaf.split_at(W::NODE);
            let answers = answers.as_chunks().0.iter().map(|answer| Answer::read(*answer));
            (0..).map_while(|slot| W::read(starts, slot)).zip(answers)
        });
        let mut last: Option<(W, Answer)> = None;
        // Those that fill up the last leaf say what was said.
        all.filter(move |(start, answer)| {
            let fills = *start == W::LAST && last.is_some_and(|(_, last)| last == *answer);
            last = Some((*start, *answer));
            !fills
        })
    }

    /// Looks at every number, so that [`Self::find`] can neither fail nor err; `check` looks at an answer, its number
    /// and the start behind it.
    pub(super) fn verify<W: Word>(
        &self,
        mut check: impl FnMut(Answer, W, Option<W>) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        let mut all = self.iter::<W>().peekable();
        let mut stretches = Vec::with_capacity(self.leaves.len() / leaf::<W>() * FAN);
        while let Some((start, answer)) = all.next() {
            let behind = all.peek().map(|(start, _)| *start);
            check(answer, start, behind)?;
            stretches.push((start, answer));
        }
        let rises = stretches.is_sorted_by(|(one, before), (next, behind)| one < next && before != behind);
        let (top, leaves) = write(&stretches);
        if !rises || W::read(self.leaves, 0) != W::read(&[0; LINE], 0) || leaves != self.leaves {
            return Err(bad::<W>(1, 0, "stretches out of order, or not as a builder writes them"));
        }
        if top != self.top {
            return Err(bad::<W>(0, 0, "a node that does not lead to what is below"));
        }
        Ok(())
    }
}

fn bad<W: Word>(section: usize, at: usize, what: &'static str) -> Corrupt {
    Corrupt { section: W::TAGS.get(section).copied().unwrap_or_default(), at: at as u64, what }
}
