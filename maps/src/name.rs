//! The maps of a set, by name.

use std::fmt;

/// Which map of a set is meant: the word in settings, logs and metric labels.
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
    /// How an address of either side of the envelope is written: Postfix's canonical(5).
    Canonical,
    /// The same for the sender alone, asked before [`Self::Canonical`].
    SenderCanonical,
    /// The same for recipients alone, asked before [`Self::Canonical`].
    RecipientCanonical,
    /// Who has moved, and where to: Postfix's relocated(5).
    Relocated,
    /// Which clients may send: Postfix's access(5), `check_client_access`.
    ClientAccess,
    /// Which names clients may give: `check_helo_access`.
    HeloAccess,
    /// Which senders may send: `check_sender_access`.
    SenderAccess,
    /// Which recipients may be sent to: `check_recipient_access`.
    RecipientAccess,
    /// Where a sender's mail goes when no map names its recipient: Postfix's
    /// `sender_dependent_default_transport_maps` and `sender_dependent_relayhost_maps` in one.
    SenderRoute,
    /// Which server holds a user's mailbox.
    Backend,
    /// Which keys sign a domain's mail (RFC 6376).
    SigningKeys,
    /// Who gets a copy of a sender's mail: Postfix's `sender_bcc_maps`.
    SenderBcc,
    /// Who gets a copy of a recipient's mail: Postfix's `recipient_bcc_maps`.
    RecipientBcc,
    /// What is changed of the header of a sender's mail.
    SenderHeaders,
    /// What is changed of the header of a recipient's mail.
    RecipientHeaders,
}

impl MapName {
    /// Every map of a set, each at the place of its number.
    pub const ALL: [Self; 19] = [
        Self::Transport,
        Self::Recipients,
        Self::VirtualAlias,
        Self::RelayDomains,
        Self::Canonical,
        Self::SenderCanonical,
        Self::RecipientCanonical,
        Self::Relocated,
        Self::ClientAccess,
        Self::HeloAccess,
        Self::SenderAccess,
        Self::RecipientAccess,
        Self::SenderRoute,
        Self::Backend,
        Self::SigningKeys,
        Self::SenderBcc,
        Self::RecipientBcc,
        Self::SenderHeaders,
        Self::RecipientHeaders,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transport => "transport",
            Self::Recipients => "recipients",
            Self::VirtualAlias => "virtual_alias",
            Self::RelayDomains => "relay_domains",
            Self::Canonical => "canonical",
            Self::SenderCanonical => "sender_canonical",
            Self::RecipientCanonical => "recipient_canonical",
            Self::Relocated => "relocated",
            Self::ClientAccess => "client_access",
            Self::HeloAccess => "helo_access",
            Self::SenderAccess => "sender_access",
            Self::RecipientAccess => "recipient_access",
            Self::SenderRoute => "sender_route",
            Self::Backend => "backend",
            Self::SigningKeys => "signing_keys",
            Self::SenderBcc => "sender_bcc",
            Self::RecipientBcc => "recipient_bcc",
            Self::SenderHeaders => "sender_headers",
            Self::RecipientHeaders => "recipient_headers",
        }
    }

    /// The map of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|map| map.as_str() == word)
    }

    /// What stands on the left in its tables.
    pub(crate) const fn keys(self) -> Keys {
        match self {
            Self::Transport => Keys::Transport,
            Self::RelayDomains | Self::SigningKeys => Keys::Domain,
            Self::Recipients
            | Self::VirtualAlias
            | Self::Canonical
            | Self::SenderCanonical
            | Self::RecipientCanonical
            | Self::Relocated
            | Self::RecipientBcc
            | Self::RecipientHeaders => Keys::Address,
            Self::SenderRoute | Self::SenderBcc | Self::SenderHeaders => Keys::Sender,
            Self::Backend => Keys::Backend,
            Self::ClientAccess => Keys::Client,
            Self::HeloAccess => Keys::Helo,
            Self::SenderAccess => Keys::SenderAccess,
            Self::RecipientAccess => Keys::RecipientAccess,
        }
    }

    /// What stands on the right in its tables.
    pub(crate) const fn values(self) -> Values {
        match self {
            Self::Transport | Self::SenderRoute | Self::Backend => Values::Route,
            Self::VirtualAlias => Values::Targets,
            Self::Recipients | Self::RelayDomains => Values::Nothing,
            Self::Canonical
            | Self::SenderCanonical
            | Self::RecipientCanonical
            | Self::SenderBcc
            | Self::RecipientBcc => Values::Address,
            Self::SigningKeys => Values::SigningKeys,
            Self::SenderHeaders | Self::RecipientHeaders => Values::FieldEdits,
            Self::Relocated => Values::Relocated,
            Self::ClientAccess | Self::HeloAccess | Self::SenderAccess | Self::RecipientAccess => {
                Values::Access
            }
        }
    }
}

/// The forms a map's keys take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// `user@domain`, `domain`, `.domain`, `*`.
    Transport,
    /// `domain`, `.domain`.
    Domain,
    /// `user@domain`, `user`, `@domain`.
    Address,
    /// The same, and `<>`.
    Sender,
    /// `user@domain`, `prefix*@domain`, `@domain`.
    Backend,
    /// `host.name`, `.host.name`, an address, the octets it starts with.
    Client,
    /// What a client may call itself.
    Helo,
    /// `user@domain`, `domain`, `.domain`, `user@`, `<>`.
    SenderAccess,
    /// The same without `<>`.
    RecipientAccess,
}

/// What a map's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// `transport:nexthop`.
    Route,
    /// One or more addresses.
    Targets,
    /// One address, or `@domain`.
    Address,
    /// Where somebody can be found now, in words.
    Relocated,
    /// An action of access(5).
    Access,
    /// `selector:file`, once for each key.
    SigningKeys,
    /// `add Name: text`, `replace Name: text`, `remove Name`.
    FieldEdits,
    /// Whatever stands there says nothing.
    Nothing,
}

impl fmt::Display for MapName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_stands_at_its_number() {
        for (number, map) in MapName::ALL.into_iter().enumerate() {
            assert_eq!(map as usize, number);
            assert_eq!(MapName::parse(map.as_str()), Some(map));
        }
    }
}
