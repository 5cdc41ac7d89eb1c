//! CIDR tables: from an address to the first rule whose network it is in, as cidr_table(5) says.
//!
//! ```text
//! 192.0.2.1          OK          first match wins, not the longest prefix
//! !10.0.0.0/8        …           all IPv4 addresses outside of it; a rule never matches the other family
//! if 2001:db8::/32               the rules up to `endif` are asked only when this matches
//! ```
//!
//! The way of a table: `network` reads a pattern, `compile` cuts the rules of a block to the addresses the
//! block lets through, `sweep` makes stretches that do not overlap of them, `stretches` writes these and finds
//! an address in them. A lookup is a read of an index and a search among a few starts; rules do not count.
//!
//! Other than Postfix:
//! - A rule that is wrong is a fault of the table; Postfix skips it with a warning. So are text behind `endif`
//!   and an `if` that nothing closes.
//! - A rule that never answers, since those before it have all of its addresses and answer otherwise, is told.
//! - An IPv4-mapped IPv6 address is looked up as IPv4, and a network of such addresses is refused.
//! - Blocks nest at most 100 deep.

mod compile;
mod network;
mod stretches;
mod sweep;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::Range;

use crate::artifact::container::{self, Head, Tag};
use crate::artifact::{BadArtifact, Container, Corrupt, Kind};
use crate::rules::{self, BadLines, Built, Check, ValueArena};
use crate::source::{BadLine, Line, Lines};
use compile::Parts;
use network::Family;
use stretches::{Stretches, Word};

/// What answers for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The value's number.
    pub value: u32,
    /// The line of the rule.
    pub line: u32,
}

/// The address a key is, as inet_pton(3) reads it: no other key is in a table.
#[must_use]
pub fn address(key: &str) -> Option<IpAddr> {
    key.parse().ok()
}

/// Reads a table's lines; `check` types its values. The result is an artifact.
pub(crate) fn compile<'a>(
    lines: impl IntoIterator<Item = Result<Line<'a>, BadLine>>,
    check: Check<'_>,
) -> Result<Built, BadLines> {
    let Parts { rules, v4, v6, values, dead } = compile::compile(lines, check)?;
    let head = Head { records: rules as u64, ..Head::default() };
    let [v4_tags, v6_tags] = [u32::TAGS, u128::TAGS];
    let sections = [
        (v4_tags[0], v4.index.as_slice()),
        (v4_tags[1], &v4.starts),
        (v4_tags[2], &v4.answers),
        (v6_tags[0], &v6.index),
        (v6_tags[1], &v6.starts),
        (v6_tags[2], &v6.answers),
        (rules::VALUE_ENDS, &values.ends),
        (rules::VALUE_TEXTS, &values.texts),
    ];
    match container::assemble(Kind::Cidr, head, &sections) {
        Ok(bytes) => Ok(Built { bytes, dead }),
        // Writing to memory and no more sections than there may be: only for the type.
        Err(error) => Err(BadLines::of_table(error.to_string())),
    }
}

/// Compiles a file whose values may be any text: for tools, benches and fuzzing. Gives the artifact, and the
/// dead rules, a line each.
///
/// # Errors
/// All that is wrong, a line each.
pub fn compile_untyped(text: &[u8]) -> Result<(Vec<u8>, String), String> {
    let built = compile(Lines::new(text), &mut |value, _| Ok(value.to_owned()));
    built.map(|built| (built.bytes, built.dead.to_string())).map_err(|bad| bad.to_string())
}

// ---------------------------------------------------------------------------------------------------------

/// A compiled table.
#[derive(Debug)]
pub struct Cidr {
    container: Container,
    v4: Places,
    v6: Places,
    ends: Range<usize>,
    texts: Range<usize>,
}

/// Where the sections of one family stand.
#[derive(Debug)]
struct Places {
    index: Range<usize>,
    starts: Range<usize>,
    answers: Range<usize>,
}

impl Cidr {
    /// Opens a table in constant time; [`Self::verify`] reads all of it.
    ///
    /// # Errors
    /// Another kind of map, or a section is missing.
    pub fn open(container: Container) -> Result<Self, BadArtifact> {
        let found = container.kind();
        if found != Kind::Cidr {
            return Err(BadArtifact::Kind { wanted: Kind::Cidr, found });
        }
        let place = |tag: Tag| container.range(&tag).ok_or(BadArtifact::Missing(tag));
        let places = |[index, starts, answers]: [Tag; 3]| {
            Ok::<_, BadArtifact>(Places {
                index: place(index)?,
                starts: place(starts)?,
                answers: place(answers)?,
            })
        };
        let (v4, v6) = (places(u32::TAGS)?, places(u128::TAGS)?);
        let (ends, texts) = (place(rules::VALUE_ENDS)?, place(rules::VALUE_TEXTS)?);
        Ok(Self { v4, v6, ends, texts, container })
    }

    /// The first rule that matches an address; an IPv4-mapped one is IPv4.
    ///
    /// # Errors
    /// The table is damaged where the address is looked for.
    pub fn find(&self, address: IpAddr) -> Result<Option<Found>, Corrupt> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4()?.find(address.to_bits()),
            IpAddr::V6(address) => self.v6()?.find(address.to_bits()),
        }
    }

    /// A value by its number.
    ///
    /// # Errors
    /// There is no such value.
    pub fn value(&self, number: u32) -> Result<&str, Corrupt> {
        ValueArena::get(self.bytes(&self.ends), self.bytes(&self.texts), number)
    }

    /// How many values there are.
    #[must_use]
    pub fn values(&self) -> u32 {
        ValueArena::count(self.bytes(&self.ends))
    }

    /// How many rules the table was made of.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.container.head().records
    }

    /// True for a table without a rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The artifact.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// First and last address of each stretch that answers, and what: IPv4 first, then IPv6, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, IpAddr, Found)> {
        let v4 = self.v4().into_iter().flat_map(|half| half.iter(Family::V4));
        let v6 = self.v6().into_iter().flat_map(|half| half.iter(Family::V6));
        v4.chain(v6)
    }

    /// Reads all of the table: one that passes never fails in [`Self::find`].
    ///
    /// # Errors
    /// The first thing that is not as it was written.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        self.container.verify()?;
        ValueArena::verify(self.bytes(&self.ends), self.bytes(&self.texts))?;
        self.v4()?.verify(self.values())?;
        self.v6()?.verify(self.values())?;
        Ok(())
    }

    fn v4(&self) -> Result<Stretches<'_, u32>, Corrupt> {
        self.half(&self.v4)
    }

    fn v6(&self) -> Result<Stretches<'_, u128>, Corrupt> {
        self.half(&self.v6)
    }

    fn half<W: Word>(&self, places: &Places) -> Result<Stretches<'_, W>, Corrupt> {
        Stretches::open(self.bytes(&places.index), self.bytes(&places.starts), self.bytes(&places.answers))
    }

    fn bytes(&self, place: &Range<usize>) -> &[u8] {
        self.container.bytes().get(place.clone()).unwrap_or_default()
    }
}
