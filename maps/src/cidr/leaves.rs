//! Leaves and their index written, listed and verified; [`super::index`] asks them.

use super::answer::{ANSWER, Answer};
use super::index::{Index, SLOT, bad, root_bits};
use super::word::{FAN, Word};
use crate::artifact::Corrupt;

/// Writes the index, the first number of each leaf, and the leaves; there is at least one stretch.
pub(super) fn write<W: Word>(stretches: &[(W, Answer)]) -> [Vec<u8>; 3] {
    let count = stretches.len().div_ceil(FAN);
    let mut leaves = Vec::with_capacity(count * W::LEAF);
    let mut firsts = Vec::with_capacity(count * W::OCTETS);
    for some in stretches.chunks(FAN) {
        // The last leaf is filled up with stretches of no more than the last address, which answer as it does.
        let filled = || {
            some.iter().copied().chain(some.last().map(|(_, answer)| (W::LAST, *answer)).into_iter().cycle())
        };
        filled().take(1).for_each(|(start, _)| start.put(&mut firsts));
        filled().take(FAN).for_each(|(start, _)| start.put(&mut leaves));
        filled().take(FAN).for_each(|(_, answer)| leaves.extend_from_slice(&answer.octets()));
    }
    let starts: Vec<W> = stretches.iter().step_by(FAN).map(|(start, _)| *start).collect();
    [index(&starts), firsts, leaves]
}

/// The index of leaves that start so.
fn index<W: Word>(starts: &[W]) -> Vec<u8> {
    let bits = root_bits(starts.len());
    let parts = 1 << bits;
    let mut top = Vec::with_capacity(parts + 1);
    let mut slots: Vec<u32> = Vec::new();
    let mut rest = starts;
    let mut leaf = 0;
    for part in 0..parts {
        top.push(slots.len());
        let (here, behind) = rest.split_at(rest.partition_point(|start| start.bits(0, bits) <= part));
        rest = behind;
        // Two leaves a slot on average: more slots would crowd what they lead to out of the processor's cache.
        let finer = here.len().div_ceil(2).next_power_of_two().ilog2();
        let mut here = here.iter().peekable();
        for slot in 0..1 << finer {
            // The leaf of the slot's first number: the one that starts with it, or the last that starts before.
            let first = |start: &&W| start.bits(bits, finer) == slot && start.is_first(bits + finer);
            leaf += u32::from(here.next_if(first).is_some());
            slots.push(leaf.saturating_sub(1));
            while here.next_if(|start| start.bits(bits, finer) == slot).is_some() {
                leaf += 1;
            }
        }
    }
    top.push(slots.len());
    slots.push(leaf.saturating_sub(1));
    let before = top.len() as u32;
    let top = top.into_iter().map(|slot| slot as u32 + before);
    top.chain(slots).flat_map(u32::to_le_bytes).collect()
}

impl<'a> Index<'a> {
    /// Where each stretch starts, and what it answers.
    pub(super) fn iter<W: Word>(self) -> impl Iterator<Item = (W, Answer)> + 'a {
        let all = self.leaves.chunks_exact(W::LEAF).flat_map(|leaf| {
            let (starts, answers) = leaf.split_at(FAN * W::OCTETS);
            let answers = answers.as_chunks::<ANSWER>().0.iter().map(|answer| Answer::read(*answer));
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
        let mut stretches = Vec::with_capacity(self.leaves.len() / W::LEAF * FAN);
        while let Some((start, answer)) = all.next() {
            let behind = all.peek().map(|(start, _)| *start);
            check(answer, start, behind)?;
            stretches.push((start, answer));
        }
        let rises = stretches.is_sorted_by(|(one, before), (next, behind)| one < next && before != behind);
        let first = stretches.first().map(|(start, _)| *start);
        if !rises || first != Some(W::FIRST) {
            return Err(bad::<W>(2, 0, "stretches out of order"));
        }
        let [top, firsts, leaves] = write(&stretches);
        if leaves != self.leaves {
            return Err(bad::<W>(2, 0, "leaves not as a builder writes them"));
        }
        if firsts != self.firsts || top.as_chunks::<SLOT>() != (self.top, &[]) {
            return Err(bad::<W>(0, 0, "an index that does not lead to its leaves"));
        }
        Ok(())
    }
}
