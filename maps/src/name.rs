//! The maps of a set, by name.

use std::fmt;

/// Which map of a set is meant: the word in file names, logs and metric labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MapName {
    /// Where mail for an address or a domain goes: Postfix's transport(5).
    Transport,
    /// Which addresses exist: Postfix's `relay_recipient_maps`.
    Recipients,
    /// Which other addresses an address stands for: Postfix's virtual(5).
    VirtualAlias,
    /// Which domains mail is taken for: Postfix's `relay_domains`.
    RelayDomains,
}

impl MapName {
    /// Every map of a set.
    pub const ALL: [Self; 4] = [Self::Transport, Self::Recipients, Self::VirtualAlias, Self::RelayDomains];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Recipients => "recipients",
            Self::VirtualAlias => "virtual_alias",
            Self::RelayDomains => "relay_domains",
        }
    }
}

impl fmt::Display for MapName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
