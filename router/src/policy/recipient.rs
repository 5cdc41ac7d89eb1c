//! RCPT: is the domain ours, may the client send elsewhere, and does the user exist?
//!
//! Unknown users are refused here and now: taking mail first and reporting later would send the report to
//! whomever the envelope names (backscatter).

use switchyard_maps::{Answer, MapName, Snapshot, Unavailable};
use switchyard_smtp::address::{Domain, ForwardPath, Host, Mailbox};
use switchyard_smtp::reply::{Reply, table};

/// How RCPT was judged; the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judged {
    /// Taken.
    Accepted,
    /// Not our domain, and the client may not relay.
    RelayDenied,
    /// No such user.
    Unknown,
    /// A map can't be asked.
    Unavailable,
}

impl Judged {
    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::RelayDenied => "relay_denied",
            Self::Unknown => "unknown_user",
            Self::Unavailable => "map_unavailable",
        }
    }

    /// What the client is told.
    ///
    /// # Errors
    /// With the reply to give, unless the recipient is accepted.
    pub fn verdict(self) -> Result<(), Reply> {
        match self {
            Self::Accepted => Ok(()),
            Self::RelayDenied => Err(table::RELAY_DENIED),
            Self::Unknown => Err(table::NO_SUCH_USER),
            Self::Unavailable => Err(table::LOCAL_ERROR),
        }
    }
}

/// Judges one recipient on the snapshot of its transaction.
#[must_use]
pub fn judge(maps: &Snapshot, may_relay: bool, path: &ForwardPath) -> Judged {
    let mailbox = match path {
        // RFC 5321 §4.5.1: always taken.
        ForwardPath::Postmaster => return Judged::Accepted,
        ForwardPath::Mailbox(mailbox) => mailbox,
    };
    let Host::Domain(domain) = &mailbox.host else {
        // An address in brackets names a host, not one of our domains.
        return if may_relay { Judged::Accepted } else { Judged::RelayDenied };
    };
    match is_ours(maps, domain) {
        Ok(true) => exists(maps, mailbox),
        Ok(false) if may_relay => Judged::Accepted,
        Ok(false) => Judged::RelayDenied,
        Err(unavailable) => {
            tracing::warn!(%mailbox, %unavailable, "recipient put off");
            Judged::Unavailable
        }
    }
}

fn is_ours(maps: &Snapshot, domain: &Domain) -> Result<bool, Unavailable> {
    match maps.is_relay_domain(domain) {
        Answer::Found(_) => return Ok(true),
        Answer::NotFound => {}
        Answer::Unavailable(unavailable) => return Err(unavailable),
    }
    match maps.is_alias_domain(domain) {
        Answer::Found(_) => Ok(true),
        Answer::NotFound => Ok(false),
        Answer::Unavailable(unavailable) => Err(unavailable),
    }
}

/// An alias or a listed recipient exists; where the role lists no recipients, everybody does.
fn exists(maps: &Snapshot, mailbox: &Mailbox) -> Judged {
    let answers = [maps.alias(mailbox).map(drop), maps.recipient(mailbox).map(drop)];
    let mut unavailable = false;
    for answer in answers {
        match answer {
            Answer::Found(()) => return Judged::Accepted,
            Answer::NotFound => {}
            Answer::Unavailable(why) => {
                tracing::warn!(%mailbox, %why, "recipient put off");
                unavailable = true;
            }
        }
    }
    match (unavailable, maps.has(MapName::Recipients)) {
        (true, _) => Judged::Unavailable,
        (false, true) => Judged::Unknown,
        (false, false) => Judged::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use switchyard_maps::{MapHandle, MapOptions, MapSet};

    fn maps(options: &MapOptions, texts: &[(MapName, &str)]) -> Snapshot {
        MapHandle::new(MapSet::from_texts(options, texts).unwrap()).snapshot()
    }

    fn site() -> Snapshot {
        let options = MapOptions {
            recipients: Some("recipients".into()),
            virtual_alias: Some("virtual_alias".into()),
            relay_domains: Some("relay_domains".into()),
            ..MapOptions::default()
        };
        maps(
            &options,
            &[
                (MapName::Recipients, "alice@example.org ok\nuser%other.org@example.org ok\n"),
                (MapName::VirtualAlias, "info@example.org alice@example.org\n"),
                (MapName::RelayDomains, "example.org ok\n"),
            ],
        )
    }

    #[test]
    fn a1_a2_b2_who_is_taken_and_who_is_not() {
        let maps = site();
        for (path, stranger, relayed) in [
            ("<postmaster>", Judged::Accepted, Judged::Accepted),
            ("<Alice@EXAMPLE.org.>", Judged::Accepted, Judged::Accepted),
            ("<info@example.org>", Judged::Accepted, Judged::Accepted),
            ("<nobody@example.org>", Judged::Unknown, Judged::Unknown),
            ("<user%other.org@example.org>", Judged::Accepted, Judged::Accepted),
            ("<user%else.org@example.org>", Judged::Unknown, Judged::Unknown),
            ("<other!user@example.org>", Judged::Unknown, Judged::Unknown),
            ("<\"user@other.org\"@example.org>", Judged::Unknown, Judged::Unknown),
            ("<@example.org:user@other.org>", Judged::RelayDenied, Judged::Accepted),
            ("<alice@other.org>", Judged::RelayDenied, Judged::Accepted),
            ("<alice@[127.0.0.1]>", Judged::RelayDenied, Judged::Accepted),
        ] {
            let parsed = ForwardPath::parse(path).unwrap();
            assert_eq!(judge(&maps, false, &parsed), stranger, "{path}");
            assert_eq!(judge(&maps, true, &parsed), relayed, "{path}");
        }
    }

    #[test]
    fn a_map_that_cannot_be_asked_is_never_a_no() {
        let folder = tempfile::tempdir().unwrap();
        let options = MapOptions {
            folder: folder.path().into(),
            recipients: Some("missing".into()),
            relay_domains: Some("relay_domains".into()),
            ..MapOptions::default()
        };
        let mut domains = std::fs::File::create(folder.path().join("relay_domains")).unwrap();
        domains.write_all(b"# none\n").unwrap();
        let (set, faults) = MapSet::start(&options);
        assert!(!faults.is_empty());
        let maps = MapHandle::new(set).snapshot();
        let path = ForwardPath::parse("<alice@example.org>").unwrap();
        assert_eq!(judge(&maps, false, &path), Judged::RelayDenied, "the domains are known");
        let all_gone = MapOptions { relay_domains: Some("gone".into()), ..options };
        let maps = MapHandle::new(MapSet::start(&all_gone).0).snapshot();
        assert_eq!(judge(&maps, false, &path), Judged::Unavailable);
        assert_eq!(judge(&maps, true, &path), Judged::Unavailable);
    }
}
