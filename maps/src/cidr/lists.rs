//! The second halves of IPv6 addresses, where networks are longer than 64 bits: single hosts, mostly.
//!
//! Such addresses have a list for each first half, of stretches by the second half. A record: where the stretch
//! starts · what it answers. The first one starts with 0, so in that place it says how many records the list has.

use super::answer::Answer;
use crate::artifact::Corrupt;
use crate::artifact::container::Tag;

/// The lists' section.
pub(super) const LISTS: Tag = *b"6low";

/// Octets of a record.
pub(super) const RECORD: usize = 16;

/// Appends a list of stretches, the first of which starts with 0; gives its first record.
pub(super) fn put(out: &mut Vec<u8>, list: &[(u64, Answer)]) -> u32 {
    let first = out.len() / RECORD;
    for (number, (start, answer)) in list.iter().enumerate() {
        let start = if number == 0 { list.len() as u64 } else { *start };
        out.extend_from_slice(&start.to_le_bytes());
        out.extend_from_slice(&answer.octets());
    }
    first as u32
}

/// All lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists<'a>(&'a [[u8; RECORD]]);

impl<'a> Lists<'a> {
    /// A section of whole records: opening a table refuses any other.
    #[inline]
    pub(super) fn of(section: &'a [u8]) -> Self {
        Self(section.as_chunks().0)
    }

    /// How many records there are.
    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// What a list answers.
    pub(super) fn find(self, list: u32, half: u64) -> Result<Answer, Corrupt> {
        let records = self.list(list)?;
        let rest = records.get(1..).unwrap_or_default();
        let before = rest.partition_point(|record| read(record).0 <= half);
        match records.get(before).map(|record| read(record).1) {
            None | Some(Answer::List(_)) => Err(bad(list, "a list within a list")),
            Some(answer) => Ok(answer),
        }
    }

    /// A list's stretches.
    pub(super) fn iter(self, list: u32) -> impl Iterator<Item = (u64, Answer)> + 'a {
        let records = self.list(list).unwrap_or_default().iter().map(read);
        (0..).zip(records).map(|(number, (start, answer))| (if number == 0 { 0 } else { start }, answer))
    }

    /// Checks a list that starts where the one before ended; gives where it ends. `check` looks at an answer.
    pub(super) fn verify(
        self,
        list: u32,
        end: usize,
        mut check: impl FnMut(Answer) -> Result<(), Corrupt>,
    ) -> Result<usize, Corrupt> {
        let records = self.list(list)?;
        if list as usize != end || records.len() < 2 {
            return Err(bad(list, "a list that is not where it belongs"));
        }
        let mut last: Option<(u64, Answer)> = None;
        for (start, answer) in self.iter(list) {
            if last.is_some_and(|last| last.0 >= start || last.1 == answer)
                || matches!(answer, Answer::List(_))
            {
                return Err(bad(list, "stretches of a list out of order"));
            }
            check(answer)?;
            last = Some((start, answer));
        }
        Ok(end + records.len())
    }

    fn list(self, list: u32) -> Result<&'a [[u8; RECORD]], Corrupt> {
        let from = self.0.get(list as usize..).unwrap_or_default();
        let length = from.first().and_then(|first| usize::try_from(read(first).0).ok());
        length.and_then(|length| from.get(..length)).ok_or_else(|| bad(list, "a list outside its section"))
    }
}

fn read(record: &[u8; RECORD]) -> (u64, Answer) {
    let [a, b, c, d, e, f, g, h, answer @ ..] = *record;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), Answer::read(answer))
}

pub(super) fn bad(list: u32, what: &'static str) -> Corrupt {
    Corrupt { section: LISTS, at: u64::from(list) * RECORD as u64, what }
}
