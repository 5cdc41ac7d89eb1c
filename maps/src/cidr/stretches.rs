//! Stretches of addresses on disk: leaves and an index for each family, and lists behind those of IPv6.

use std::net::IpAddr;

use super::Found;
use super::answer::Answer;
use super::index::Index;
use super::leaves;
use super::lists::{self, LISTS, Lists};
use super::network::{Family, show};
use super::sweep::Stretch;
use super::word::Word;
use crate::artifact::Corrupt;
use crate::artifact::container::Tag;

/// A section and its name.
pub(super) type Section = (Tag, Vec<u8>);

/// Writes the stretches of IPv4; `answer` gives a rule's value and line.
pub(super) fn write_v4(stretches: &[Stretch], answer: impl Fn(u32) -> Found) -> Vec<Section> {
    let number = |first: u128| u32::try_from(first).unwrap_or(u32::MAX);
    let stretches: Vec<(u32, Answer)> =
        stretches.iter().map(|stretch| (number(stretch.first), told(stretch, &answer))).collect();
    u32::TAGS.into_iter().zip(leaves::write(&stretches)).collect()
}

/// Writes the stretches of IPv6.
pub(super) fn write_v6(stretches: &[Stretch], answer: impl Fn(u32) -> Found) -> Vec<Section> {
    let mut halves: Vec<(u64, Answer)> = Vec::with_capacity(stretches.len());
    let mut lists = Vec::new();
    let mut before = Answer::Nobody;
    let mut rest = stretches.iter().map(|stretch| (split(stretch.first), told(stretch, &answer))).peekable();
    while let Some(((high, low), first)) = rest.next() {
        let mut list = if low == 0 { Vec::new() } else { vec![(0, before)] };
        list.push((low, first));
        before = first;
        while let Some(((_, low), next)) = rest.next_if(|((other, _), _)| *other == high) {
            list.push((low, next));
            before = next;
        }
        if list.len() == 1 {
            halves.push((high, first));
            continue;
        }
        halves.push((high, Answer::List(lists::put(&mut lists, &list))));
        // A list is one first half's; behind it the last answer goes on.
        let behind =
            high.checked_add(1).filter(|behind| rest.peek().is_none_or(|((next, _), _)| next != behind));
        halves.extend(behind.map(|behind| (behind, before)));
    }
    u64::TAGS.into_iter().zip(leaves::write(&halves)).chain([(LISTS, lists)]).collect()
}

fn told(stretch: &Stretch, answer: impl Fn(u32) -> Found) -> Answer {
    stretch.rule.map_or(Answer::Nobody, |rule| Answer::Rule(answer(rule)))
}

fn split(address: u128) -> (u64, u64) {
    ((address >> 64) as u64, address as u64)
}

// ---------------------------------------------------------------------------------------------------------

/// What answers for an IPv4 address.
#[inline]
pub(super) fn find_v4(index: Index<'_>, address: u32) -> Result<Option<Found>, Corrupt> {
    found(index.find(address)?)
}

/// What answers for an IPv6 address.
#[inline]
pub(super) fn find_v6(index: Index<'_>, lists: Lists<'_>, address: u128) -> Result<Option<Found>, Corrupt> {
    let (high, low) = split(address);
    match index.find(high)? {
        Answer::List(list) => found(lists.find(list, low)?),
        answer => found(answer),
    }
}

#[inline]
fn found(answer: Answer) -> Result<Option<Found>, Corrupt> {
    match answer {
        Answer::Nobody => Ok(None),
        Answer::Rule(found) => Ok(Some(found)),
        Answer::List(list) => Err(lists::bad(list, "a list where none may be")),
    }
}

/// First and last address of each stretch that answers, and the answer.
pub(super) fn iter_v4(index: Index<'_>) -> impl Iterator<Item = (IpAddr, IpAddr, Found)> {
    spans(Family::V4, index.iter::<u32>().map(|(start, answer)| (start.into(), answer)))
}

/// The same of IPv6.
pub(super) fn iter_v6<'a>(
    index: Index<'a>,
    lists: Lists<'a>,
) -> impl Iterator<Item = (IpAddr, IpAddr, Found)> + 'a {
    let all = index.iter::<u64>().flat_map(move |(high, answer)| {
        let list = match answer {
            Answer::List(list) => Some(list),
            _ => None,
        };
        let one = list.is_none().then_some((0, answer));
        let list = list.into_iter().flat_map(move |list| lists.iter(list));
        one.into_iter()
            .chain(list)
            .map(move |(low, answer)| (u128::from(high) << 64 | u128::from(low), answer))
    });
    // Each record stands in one list; a damaged table must not name one again and again.
    let most = lists.len() + index.leaves.len();
    spans(Family::V6, all.take(most))
}

/// Stretches that start so, put together where they answer the same, with their ends.
fn spans(
    family: Family,
    all: impl Iterator<Item = (u128, Answer)>,
) -> impl Iterator<Item = (IpAddr, IpAddr, Found)> {
    let mut all = all.peekable();
    std::iter::from_fn(move || {
        loop {
            let (first, answer) = all.next()?;
            while all.next_if(|(_, next)| *next == answer).is_some() {}
            let last = all.peek().map_or(family.last(), |(next, _)| next.saturating_sub(1));
            if let Answer::Rule(found) = answer {
                return Some((show(family, first), show(family, last), found));
            }
        }
    })
}

/// Whether no question can fail, where there are so many values.
pub(super) fn verify_v4(index: Index<'_>, values: u32) -> Result<(), Corrupt> {
    index.verify::<u32>(|answer, _, _| known(answer, values))
}

/// The same of IPv6.
pub(super) fn verify_v6(index: Index<'_>, lists: Lists<'_>, values: u32) -> Result<(), Corrupt> {
    let mut end = 0;
    index.verify::<u64>(|answer, start, behind| match answer {
        Answer::List(list) => {
            if start.checked_add(1) != behind {
                return Err(lists::bad(list, "a list for more than one first half"));
            }
            end = lists.verify(list, end, |answer| known(answer, values))?;
            Ok(())
        }
        answer => known(answer, values),
    })?;
    if end == lists.len() { Ok(()) } else { Err(lists::bad(0, "records that are in no list")) }
}

fn known(answer: Answer, values: u32) -> Result<(), Corrupt> {
    match answer {
        Answer::Nobody => Ok(()),
        Answer::Rule(found) if found.value < values && found.line > 0 => Ok(()),
        Answer::Rule(_) => Err(lists::bad(0, "no such value or line")),
        Answer::List(list) => Err(lists::bad(list, "a list where none may be")),
    }
}
