//! What a snapshot can be asked, map by map.

use std::net::IpAddr;
use std::sync::Arc;

use switchyard_smtp::address::{Domain, Mailbox, ReversePath};

use super::{Side, Snapshot};
use crate::access::Access;
use crate::alias::{self, ExpandError};
use crate::answer::{Answer, Found};
use crate::entry::Route;
use crate::field_edits::FieldEdits;
use crate::key;
use crate::lookup;
use crate::name::MapName;
use crate::signing::SigningKeys;
use crate::typed::{self, Typed as _};

/// The key of the null reverse-path (Postfix's `smtpd_null_access_lookup_key`).
const NULL: &str = "<>";

impl Snapshot {
    /// Where mail for an address goes.
    pub fn route(&self, mailbox: &Mailbox) -> Answer<Found<Route>> {
        self.route_of(MapName::Transport, mailbox, |set, trace| {
            set.ask(MapName::Transport, trace, |tables| {
                Ok(lookup::transport(tables, mailbox, &set.rules)?.map(|hit| (hit, ())))
            })
        })
    }

    /// Which server holds a user's mailbox.
    pub fn backend(&self, mailbox: &Mailbox) -> Answer<Found<Route>> {
        self.route_of(MapName::Backend, mailbox, |set, trace| {
            set.ask(MapName::Backend, trace, |tables| {
                Ok(lookup::backend(tables, mailbox, &set.rules)?.map(|hit| (hit, ())))
            })
        })
    }

    /// Where mail of a sender goes when no map names its recipient.
    pub fn sender_route(&self, sender: &ReversePath) -> Answer<Found<Route>> {
        self.route_of(MapName::SenderRoute, sender, |set, trace| {
            set.ask(MapName::SenderRoute, trace, |tables| match sender {
                ReversePath::Null => Ok(tables.whole(NULL, NULL)?.map(|hit| (hit, ()))),
                ReversePath::Mailbox(mailbox) => {
                    Ok(lookup::address(tables, mailbox, &set.rules)?.map(|(hit, _)| (hit, ())))
                }
            })
        })
    }

    /// Whether an address is listed.
    pub fn recipient(&self, mailbox: &Mailbox) -> Answer<Found<()>> {
        self.question(MapName::Recipients, mailbox, |set, trace| {
            set.ask(MapName::Recipients, trace, |tables| {
                Ok(lookup::address(tables, mailbox, &set.rules)?.map(|(hit, _)| (hit, Some(()))))
            })
        })
    }

    /// What an address stands for, one step; [`Self::expand`] goes on to the end.
    pub fn alias(&self, mailbox: &Mailbox) -> Answer<Found<Vec<Mailbox>>> {
        self.question(MapName::VirtualAlias, mailbox, |set, trace| {
            set.ask(MapName::VirtualAlias, trace, |tables| {
                alias::ask(tables, mailbox, &set.rules, &set.words)
            })
        })
    }

    /// Where an address leads when all aliases are followed: itself alone when it is none.
    ///
    /// # Errors
    /// When that has no end, comes to too many, or the map cannot be asked.
    pub fn expand(&self, mailbox: &Mailbox) -> Result<Vec<Mailbox>, ExpandError> {
        alias::expand(mailbox, |mailbox| self.alias(mailbox).map(|found| found.value))
    }

    /// What the bare `<postmaster>` (RFC 5321 §4.5.1) stands for: `postmaster` at the origin, or the key
    /// without a domain where the settings name no origin.
    pub fn postmaster(&self) -> Answer<Found<Vec<Mailbox>>> {
        if let Some(postmaster) = self.postmaster_address() {
            return self.alias(&postmaster);
        }
        self.question(MapName::VirtualAlias, &"postmaster", |set, trace| {
            set.ask(MapName::VirtualAlias, trace, |tables| {
                let Some(hit) = tables.whole("postmaster", "postmaster")? else { return Ok(None) };
                let targets = typed::text(MapName::VirtualAlias, &hit, &set.words).and_then(|text| {
                    // `@domain` keeps the user that was asked for, which is known here.
                    let target = |line: &str| match line.strip_prefix('@') {
                        Some(_) => Mailbox::parse(&format!("postmaster{line}")).ok(),
                        None => Mailbox::parse(line).ok(),
                    };
                    text.lines().map(target).collect()
                });
                Ok(Some((hit, targets)))
            })
        })
    }

    /// The bare `<postmaster>` with the origin's domain.
    #[must_use]
    pub fn postmaster_address(&self) -> Option<Mailbox> {
        let origin = self.current.set.origin()?;
        Mailbox::parse(&format!("postmaster@{origin}")).ok()
    }

    /// Whether mail is taken for a domain.
    pub fn is_relay_domain(&self, domain: &Domain) -> Answer<Found<()>> {
        self.question(MapName::RelayDomains, domain, |set, trace| {
            set.ask(MapName::RelayDomains, trace, |tables| {
                let hit = lookup::domain(tables, domain.as_str(), &set.rules, MapName::RelayDomains)?;
                Ok(hit.map(|hit| (hit, Some(()))))
            })
        })
    }

    /// Whether a line of the alias map makes this a virtual alias domain: `domain anything` (virtual(5)).
    pub fn is_alias_domain(&self, domain: &Domain) -> Answer<Found<()>> {
        self.question(MapName::VirtualAlias, domain, |set, trace| {
            set.ask(MapName::VirtualAlias, trace, |tables| {
                Ok(tables.whole(domain.as_str(), domain.as_str())?.map(|hit| (hit, Some(()))))
            })
        })
    }

    /// How an address is written: by the map of its side, then by that of both.
    pub fn canonical(&self, mailbox: &Mailbox, side: Side) -> Answer<Found<Mailbox>> {
        let own = match side {
            Side::Sender => MapName::SenderCanonical,
            Side::Recipient => MapName::RecipientCanonical,
        };
        let first = self.canonical_of(own, mailbox);
        let mailbox = match &first {
            Answer::Found(found) => &found.value,
            Answer::NotFound => mailbox,
            Answer::Unavailable(_) => return first,
        };
        // Postfix asks both, one after the other.
        match self.canonical_of(MapName::Canonical, mailbox) {
            Answer::NotFound => first,
            second => second,
        }
    }

    fn canonical_of(&self, map: MapName, mailbox: &Mailbox) -> Answer<Found<Mailbox>> {
        self.question(map, mailbox, |set, trace| {
            set.ask(map, trace, |tables| {
                let Some((hit, matched)) = lookup::address(tables, mailbox, &set.rules)? else {
                    return Ok(None);
                };
                let text = typed::text(map, &hit, &set.words);
                let targets = text.and_then(|text| alias::targets(&text, mailbox, matched, &set.rules));
                Ok(Some((hit, targets.and_then(|targets| targets.into_iter().next()))))
            })
        })
    }

    /// Where somebody has moved, in words.
    pub fn relocated(&self, mailbox: &Mailbox) -> Answer<Found<Arc<str>>> {
        self.question(MapName::Relocated, mailbox, |set, trace| {
            set.ask(MapName::Relocated, trace, |tables| {
                let Some((hit, _)) = lookup::address(tables, mailbox, &set.rules)? else { return Ok(None) };
                let text = typed::text(MapName::Relocated, &hit, &set.words);
                Ok(Some((hit, text.and_then(|text| <Arc<str>>::read(&text, &set.words)))))
            })
        })
    }

    /// Which keys sign mail of a domain.
    pub fn signing_keys(&self, domain: &Domain) -> Answer<Found<SigningKeys>> {
        self.question(MapName::SigningKeys, domain, |set, trace| {
            set.ask(MapName::SigningKeys, trace, |tables| {
                let hit = lookup::domain(tables, domain.as_str(), &set.rules, MapName::SigningKeys)?;
                Ok(hit.map(|hit| {
                    let text = typed::text(MapName::SigningKeys, &hit, &set.words);
                    (hit, text.and_then(|text| SigningKeys::read(&text).ok()))
                }))
            })
        })
    }

    /// Who gets a copy of mail of this sender.
    pub fn sender_bcc(&self, sender: &ReversePath) -> Answer<Found<Mailbox>> {
        match sender {
            ReversePath::Mailbox(mailbox) => self.canonical_of(MapName::SenderBcc, mailbox),
            ReversePath::Null => self.question(MapName::SenderBcc, sender, |set, trace| {
                set.ask(MapName::SenderBcc, trace, |tables| {
                    let Some(hit) = tables.whole(NULL, NULL)? else { return Ok(None) };
                    let text = typed::text(MapName::SenderBcc, &hit, &set.words);
                    Ok(Some((hit, text.and_then(|text| Mailbox::parse(&text).ok()))))
                })
            }),
        }
    }

    /// Who gets a copy of mail to this recipient.
    pub fn recipient_bcc(&self, recipient: &Mailbox) -> Answer<Found<Mailbox>> {
        self.canonical_of(MapName::RecipientBcc, recipient)
    }

    /// What is changed of the header of mail of this sender.
    pub fn sender_headers(&self, sender: &ReversePath) -> Answer<Found<FieldEdits>> {
        self.field_edits(
            MapName::SenderHeaders,
            sender,
            match sender {
                ReversePath::Mailbox(mailbox) => Some(mailbox),
                ReversePath::Null => None,
            },
        )
    }

    /// What is changed of the header of mail to this recipient.
    pub fn recipient_headers(&self, recipient: &Mailbox) -> Answer<Found<FieldEdits>> {
        self.field_edits(MapName::RecipientHeaders, recipient, Some(recipient))
    }

    /// No mailbox is the null reverse-path.
    fn field_edits(
        &self,
        map: MapName,
        asked: &dyn std::fmt::Display,
        mailbox: Option<&Mailbox>,
    ) -> Answer<Found<FieldEdits>> {
        self.question(map, asked, |set, trace| {
            set.ask(map, trace, |tables| {
                let hit = match mailbox {
                    None => tables.whole(NULL, NULL)?,
                    Some(mailbox) => lookup::address(tables, mailbox, &set.rules)?.map(|(hit, _)| hit),
                };
                Ok(hit.map(|hit| {
                    let text = typed::text(map, &hit, &set.words);
                    (hit, text.and_then(|text| FieldEdits::read(&text).ok()))
                }))
            })
        })
    }

    /// What access(5) says of a client, by the name that is known for it and by its address.
    pub fn access_client(&self, name: Option<&str>, address: IpAddr) -> Answer<Found<Access>> {
        self.access(MapName::ClientAccess, &address, |set, trace| {
            set.ask(MapName::ClientAccess, trace, |tables| {
                Ok(lookup::client(tables, name, address, &set.rules)?.map(|hit| (hit, ())))
            })
        })
    }

    /// What access(5) says of the name a client gives.
    pub fn access_helo(&self, name: &str) -> Answer<Found<Access>> {
        let name = key::fold(name);
        self.access(MapName::HeloAccess, &name, |set, trace| {
            set.ask(MapName::HeloAccess, trace, |tables| {
                let hit = lookup::domain(tables, &name, &set.rules, MapName::HeloAccess)?;
                Ok(hit.map(|hit| (hit, ())))
            })
        })
    }

    /// What access(5) says of a sender; `<>` is the key of the null reverse-path.
    pub fn access_sender(&self, sender: &ReversePath) -> Answer<Found<Access>> {
        self.access(MapName::SenderAccess, sender, |set, trace| {
            set.ask(MapName::SenderAccess, trace, |tables| {
                let hit = match sender {
                    ReversePath::Null => tables.whole(NULL, NULL)?,
                    ReversePath::Mailbox(mailbox) => {
                        lookup::mail_access(tables, mailbox, &set.rules, MapName::SenderAccess)?
                    }
                };
                Ok(hit.map(|hit| (hit, ())))
            })
        })
    }

    /// What access(5) says of a recipient.
    pub fn access_recipient(&self, mailbox: &Mailbox) -> Answer<Found<Access>> {
        self.access(MapName::RecipientAccess, mailbox, |set, trace| {
            set.ask(MapName::RecipientAccess, trace, |tables| {
                let hit = lookup::mail_access(tables, mailbox, &set.rules, MapName::RecipientAccess)?;
                Ok(hit.map(|hit| (hit, ())))
            })
        })
    }
}
