//! CIDR tables: from an address to the first rule whose network it is in, as cidr_table(5) says.
//!
//! ```text
//! 192.0.2.1          OK          first match wins, not the longest prefix
//! !10.0.0.0/8        …           all IPv4 addresses outside of it; a rule never matches the other family
//! if 2001:db8::/32               the rules up to `endif` are asked only when this matches
//! ```
//!
//! The way of a table: `network` reads a pattern, `compile` cuts the rules of a block to the addresses the
//! block lets through, `sweep` makes stretches that do not overlap of them, `stretches` writes these as `leaves` with an
//! index (and `lists` behind them). A lookup goes by the `index` to one leaf; how many rules there are hardly counts.
//!
//! Other than Postfix:
//! - A rule that is wrong is a fault of the table; Postfix skips it with a warning. So are text behind `endif`
//!   and an `if` that nothing closes.
//! - A rule that never answers, since those before it have all of its addresses and answer otherwise, is told.
//! - An IPv4-mapped IPv6 address is looked up as IPv4, and a network of such addresses is refused.
//! - Blocks nest at most 100 deep.

mod answer;
mod compile;
pub mod fuzz;
mod index;
mod leaves;
mod lists;
mod network;
mod stretches;
mod sweep;
#[cfg(test)]
mod tests;
mod word;

use std::net::IpAddr;
use std::ops::Range;

use crate::artifact::container::{self, Head, Tag};
use crate::artifact::{BadArtifact, Container, Corrupt, Kind};
use crate::rules::{self, BadLines, Built, Check, ValueArena};
use crate::source::{BadLine, Line, Lines};
use compile::Parts;
use index::{Index, Place};
use lists::{LISTS, Lists};
use word::Word;

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
    let Parts { rules, stretches, values, dead } = compile::compile(lines, check)?;
    let head = Head { records: rules as u64, ..Head::default() };
    let mut sections: Vec<(Tag, &[u8])> =
        stretches.iter().map(|(tag, octets)| (*tag, octets.as_slice())).collect();
    sections.extend([(rules::VALUE_ENDS, values.ends.as_slice()), (rules::VALUE_TEXTS, &values.texts)]);
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
    v4: Place,
    v6: Place,
    lists: Range<usize>,
    ends: Range<usize>,
    texts: Range<usize>,
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
        if container.head().flags != 0 {
            return Err(BadArtifact::Layout("an unknown flag"));
        }
        if container.head().seed != 0 {
            return Err(BadArtifact::Layout("a seed where nothing is hashed"));
        }
        let place = |tag: Tag| container.range(&tag).ok_or(BadArtifact::Missing(tag));
        let (v4, v6) = (Place::of::<u32>(&container)?, Place::of::<u64>(&container)?);
        let lists = place(LISTS)?;
        if !lists.len().is_multiple_of(lists::RECORD) {
            return Err(BadArtifact::Layout("a section's length is not a whole number of its parts"));
        }
        let (ends, texts) = (place(rules::VALUE_ENDS)?, place(rules::VALUE_TEXTS)?);
        Ok(Self { v4, v6, lists, ends, texts, container })
    }

    /// The first rule that matches an address; an IPv4-mapped one is IPv4.
    ///
    /// # Errors
    /// The table is damaged where the address is looked for.
    pub fn find(&self, address: IpAddr) -> Result<Option<Found>, Corrupt> {
        match address.to_canonical() {
            IpAddr::V4(address) => stretches::find_v4(self.index::<u32>(&self.v4), address.to_bits()),
            IpAddr::V6(address) => {
                stretches::find_v6(self.index::<u64>(&self.v6), self.lists(), address.to_bits())
            }
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
        let v6 = stretches::iter_v6(self.index::<u64>(&self.v6), self.lists());
        stretches::iter_v4(self.index::<u32>(&self.v4)).chain(v6)
    }

    /// Reads all of the table: one that passes never fails in [`Self::find`].
    ///
    /// # Errors
    /// The first thing that is not as it was written.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        self.container.verify()?;
        ValueArena::verify(self.bytes(&self.ends), self.bytes(&self.texts))?;
        stretches::verify_v4(self.index::<u32>(&self.v4), self.values())?;
        stretches::verify_v6(self.index::<u64>(&self.v6), self.lists(), self.values())?;
        Ok(())
    }

    #[inline]
    fn index<W: Word>(&self, place: &Place) -> Index<'_> {
        place.index::<W>(self.container.bytes())
    }

    #[inline]
    fn lists(&self) -> Lists<'_> {
        Lists::of(self.bytes(&self.lists))
    }

    #[inline]
    fn bytes(&self, place: &Range<usize>) -> &[u8] {
        self.container.bytes().get(place.clone()).unwrap_or_default()
    }
}
