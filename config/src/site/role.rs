//! What a host is for: its role, the suite's own layer for it, and the daemon that fills it.

use std::path::Path;

use super::Daemon;
use crate::change::Effective;
use crate::check::Faults;
use crate::document::Document;
use crate::words::Choice;

/// What a host is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes mail from the world and hands it to routers.
    Mx,
    /// Routes mail, and keeps it until it is delivered.
    Router,
    /// A router that delivers to the world.
    Outbound,
    /// Keeps what admins sign, and tells every host of it; no mail passes it.
    Hub,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Mx, Self::Router, Self::Outbound, Self::Hub];

    /// Those whose hosts mail passes.
    pub const OF_MAIL: [Self; 3] = [Self::Mx, Self::Router, Self::Outbound];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Router => "router",
            Self::Outbound => "outbound",
            Self::Hub => "hub",
        }
    }

    /// Whether mail passes its hosts.
    #[must_use]
    pub fn is_of_mail(self) -> bool {
        Self::OF_MAIL.contains(&self)
    }

    /// The role of mail that a word names; otherwise which there are.
    ///
    /// # Errors
    /// When there is none: what to say of the word.
    pub fn of_mail(word: &str) -> Result<Self, String> {
        let known = Self::OF_MAIL.iter().map(|role| role.as_str());
        let found = Self::OF_MAIL.into_iter().find(|role| role.as_str() == word);
        found.ok_or_else(|| match Self::ALL.iter().any(|role| role.as_str() == word) {
            true => format!("no mail passes a host of the role `{word}`"),
            false => format!("`{word}` is no role{}", crate::check::hint(word, known)),
        })
    }

    /// The daemon that fills it.
    #[must_use]
    pub const fn runs(self) -> Daemon {
        match self {
            Self::Mx => Daemon::Mx,
            Self::Router | Self::Outbound => Daemon::Router,
            Self::Hub => Daemon::Hub,
        }
    }

    /// The word for that daemon.
    #[must_use]
    pub const fn daemon(self) -> &'static str {
        self.runs().as_str()
    }

    /// What each setting of its daemon holds by a document; relative paths are seen from `folder`.
    ///
    /// # Errors
    /// Every fault there is.
    pub fn effective(self, document: &Document, folder: Option<&Path>) -> Result<Effective, Faults> {
        self.runs().effective(document, folder)
    }

    /// The suite's own layer for it.
    pub(super) const fn template(self) -> (&'static str, &'static str) {
        match self {
            Self::Mx => ("suite/role/mx.toml", include_str!("../../templates/role/mx.toml")),
            Self::Router => ("suite/role/router.toml", include_str!("../../templates/role/router.toml")),
            Self::Outbound => {
                ("suite/role/outbound.toml", include_str!("../../templates/role/outbound.toml"))
            }
            Self::Hub => ("suite/role/hub.toml", include_str!("../../templates/role/hub.toml")),
        }
    }
}

impl Choice for Role {
    const KIND: &'static str = "role";
    const NAMES: &'static [(&'static str, Self)] =
        &[("mx", Self::Mx), ("router", Self::Router), ("outbound", Self::Outbound), ("hub", Self::Hub)];
}
