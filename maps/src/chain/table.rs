//! The kinds of tables, and what all of them can tell of themselves.

use std::sync::Arc;

use super::Member;
use crate::artifact::{BadArtifact, Container, Exact, Kind, Layered};
use crate::cidr::Cidr;
use crate::pattern::Patterns;
use crate::random::Weighted;
use crate::remote::Remote;

/// The kinds of tables.
#[derive(Debug)]
pub(crate) enum Table {
    /// Keys as they are.
    Exact(Layered),
    /// The same value for every key.
    Static(Box<str>),
    /// No answer for any key.
    Fail(Arc<str>),
    /// What all of them say, joined by commas.
    Union(Vec<Member>),
    /// One of these by chance.
    Random(Weighted),
    /// Networks, for keys that are addresses.
    Cidr(Cidr),
    /// Patterns, the first that matches.
    Pattern(Patterns),
    /// What a server says.
    Remote(Remote),
}

impl From<Exact> for Table {
    fn from(exact: Exact) -> Self {
        Self::Exact(exact.into())
    }
}

impl Table {
    /// The table that an artifact holds, or two: what changed since the first was made is in the other.
    pub(crate) fn open(container: Container, changes: Option<Container>) -> Result<Self, BadArtifact> {
        match container.kind() {
            _ if let Some(changes) = changes => {
                Layered::with(Exact::open(container)?, changes).map(Self::Exact)
            }
            Kind::Exact => Exact::open(container).map(Self::from),
            Kind::Changes => Err(BadArtifact::Layout("changes, without the table that they are changes of")),
            Kind::Cidr => Cidr::open(container).map(Self::Cidr),
            Kind::Pattern => Patterns::open(container).map(Self::Pattern),
        }
    }

    /// Reads every octet of the artifact it is asked in.
    pub(crate) fn verify(&self) -> Result<(), BadArtifact> {
        match self {
            Self::Exact(exact) => exact.verify(),
            Self::Cidr(cidr) => cidr.verify(),
            Self::Pattern(patterns) => patterns.verify(),
            Self::Static(_) | Self::Fail(_) | Self::Union(_) | Self::Random(_) | Self::Remote(_) => Ok(()),
        }
    }

    /// How many keys it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Exact(exact) => usize::try_from(exact.len()).unwrap_or(usize::MAX),
            Self::Cidr(cidr) => usize::try_from(cidr.len()).unwrap_or(usize::MAX),
            Self::Pattern(patterns) => patterns.len(),
            Self::Static(_) | Self::Fail(_) | Self::Random(_) | Self::Remote(_) => 0,
            Self::Union(members) => members.iter().map(|member| member.table.len()).sum(),
        }
    }

    /// Whether all that it says was written by an admin, in lines or in the settings: neither chance says it nor a server.
    pub(crate) fn is_written(&self) -> bool {
        match self {
            Self::Exact(_) | Self::Cidr(_) | Self::Pattern(_) | Self::Static(_) | Self::Fail(_) => true,
            Self::Union(members) => members.iter().all(|member| member.table.is_written()),
            Self::Random(_) | Self::Remote(_) => false,
        }
    }

    /// Whether chance decides what it says.
    pub(crate) fn draws(&self) -> bool {
        match self {
            Self::Random(_) => true,
            Self::Union(members) => members.iter().any(|member| member.table.draws()),
            _ => false,
        }
    }

    /// A table of whole keys.
    pub(crate) fn exact(&self) -> Option<&Layered> {
        match self {
            Self::Exact(exact) => Some(exact),
            _ => None,
        }
    }

    /// The artifacts it is asked in, if it is in any.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &Container> {
        let (layered, single) = match self {
            Self::Exact(table) => (Some(table), None),
            Self::Cidr(cidr) => (None, Some(cidr.container())),
            Self::Pattern(patterns) => (None, Some(patterns.container())),
            Self::Static(_) | Self::Fail(_) | Self::Union(_) | Self::Random(_) | Self::Remote(_) => {
                (None, None)
            }
        };
        layered.into_iter().flat_map(Layered::containers).chain(single)
    }

    /// A value by its number.
    pub(crate) fn value(&self, number: u32) -> Option<&str> {
        match self {
            Self::Exact(exact) => exact.value(number).ok(),
            Self::Cidr(cidr) => cidr.value(number).ok(),
            Self::Pattern(patterns) => patterns.value(number).ok(),
            Self::Static(value) => (number == 0).then_some(value),
            Self::Random(values) => values.get(number),
            Self::Fail(_) | Self::Union(_) | Self::Remote(_) => None,
        }
    }

    /// How many different values it has that can be told by number.
    pub(crate) fn values(&self) -> usize {
        match self {
            Self::Exact(exact) => exact.values(),
            Self::Static(_) => 1,
            Self::Random(values) => values.len(),
            Self::Cidr(cidr) => cidr.values() as usize,
            Self::Pattern(patterns) => patterns.values() as usize,
            Self::Fail(_) | Self::Union(_) | Self::Remote(_) => 0,
        }
    }
}
