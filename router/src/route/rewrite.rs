//! What the addresses of an envelope stand for, asked once, when a message is taken, in Postfix's order: an SRS
//! address is turned back, canonical maps say how an address is written, and virtual aliases are followed to their
//! ends. Only the envelope is rewritten: content is passed on octet for octet.
//!
//! A recipient that an alias made keeps its first name in ORCPT and its NOTIFY, so that a report speaks of the
//! address that the sender knows (RFC 3461 §4.2). Loops and fans end at the limits of the maps (depth 32,
//! 10,000 addresses), counted over the whole message here.

use std::collections::HashSet;
use std::time::SystemTime;

use switchyard_maps::{Answer, ExpandError, Side, Snapshot};
use switchyard_smtp::address::{ForwardPath, Mailbox, ReversePath};
use switchyard_smtp::envelope::{Orcpt, Recipient};
use switchyard_smtp::reply::{Reply, table};

use super::RouteOptions;
use super::srs::BadSrs;

/// Recipients of one message, after all aliases.
pub const MAX_RECIPIENTS: usize = 10_000;

/// Why a recipient has no end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// The map cannot be asked, or its aliases lead nowhere.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// Over [`MAX_RECIPIENTS`].
    #[error("aliases make more than {MAX_RECIPIENTS} recipients of one message")]
    TooMany,
    /// An address that we did not rewrite, or too long ago.
    #[error(transparent)]
    Srs(#[from] BadSrs),
}

impl RewriteError {
    /// What the client is told: a passing trouble for what is ours to mend, and no address but his own.
    #[must_use]
    pub fn reply(&self) -> Reply {
        match self {
            Self::Expand(ExpandError::Unavailable(_)) => table::LOCAL_ERROR,
            Self::Expand(ExpandError::Loop(_) | ExpandError::TooDeep(_)) => {
                Reply::fixed(550, (5, 4, 6), "Alias loop")
            }
            Self::Expand(ExpandError::TooMany) | Self::TooMany => {
                Reply::fixed(550, (5, 4, 6), "Alias of too many addresses")
            }
            Self::Srs(why) => table::NO_SUCH_USER.with_text(why.to_string()),
        }
    }
}

/// How a sender is written.
///
/// # Errors
/// When a map cannot be asked.
pub fn sender(snapshot: &Snapshot, sender: &ReversePath) -> Result<ReversePath, RewriteError> {
    match sender {
        ReversePath::Null => Ok(ReversePath::Null),
        ReversePath::Mailbox(mailbox) => Ok(ReversePath::Mailbox(written(snapshot, mailbox, Side::Sender)?)),
    }
}

fn written(snapshot: &Snapshot, mailbox: &Mailbox, side: Side) -> Result<Mailbox, RewriteError> {
    match snapshot.canonical(mailbox, side) {
        Answer::Found(found) => Ok(found.value),
        Answer::NotFound => Ok(mailbox.clone()),
        Answer::Unavailable(unavailable) => Err(ExpandError::Unavailable(unavailable).into()),
    }
}

/// What one recipient stands for: itself alone when no map names it.
///
/// # Errors
/// When a map cannot be asked, or the alias has no end.
pub fn expand(
    snapshot: &Snapshot,
    options: &RouteOptions,
    recipient: &Recipient,
    now: SystemTime,
) -> Result<Vec<Recipient>, RewriteError> {
    let Some(start) = options.mailbox(&recipient.forward_path) else { return Ok(vec![recipient.clone()]) };
    let meant = match &options.srs {
        Some(srs) if srs.is_rewritten(&start) => srs.reverse(&start, now)?,
        _ => start.clone(),
    };
    let ends = snapshot.expand(&written(snapshot, &meant, Side::Recipient)?)?;
    if ends.len() == 1 && ends[0] == start {
        return Ok(vec![Recipient { forward_path: ForwardPath::Mailbox(start), ..recipient.clone() }]);
    }
    let original = recipient.orcpt.clone().unwrap_or_else(|| Orcpt {
        // RFC 6533 §3: an address that is not ASCII has its own type.
        address_type: if start.needs_smtputf8() { "utf-8".into() } else { "rfc822".into() },
        address: start.to_string().into(),
    });
    let made = ends.into_iter().map(|mailbox| Recipient {
        forward_path: ForwardPath::Mailbox(mailbox),
        notify: recipient.notify,
        orcpt: Some(original.clone()),
    });
    Ok(made.collect())
}

/// All that the recipients of one message stand for, each address once, in order.
///
/// # Errors
/// When one of them has no end, or they are too many together.
pub fn expand_all(
    snapshot: &Snapshot,
    options: &RouteOptions,
    recipients: &[Recipient],
    now: SystemTime,
) -> Result<Vec<Recipient>, RewriteError> {
    let mut all = Vec::with_capacity(recipients.len());
    let mut seen = HashSet::with_capacity(recipients.len());
    for recipient in recipients {
        for made in expand(snapshot, options, recipient, now)? {
            if seen.insert(made.forward_path.clone()) {
                all.push(made);
            }
        }
        if all.len() > MAX_RECIPIENTS {
            return Err(RewriteError::TooMany);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use switchyard_daemon::metrics::Registry;
    use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet};
    use switchyard_smtp::address::Domain;
    use switchyard_smtp::envelope::Notify;

    use super::*;
    use crate::route::srs::{Srs, SrsMetrics};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn options() -> RouteOptions {
        RouteOptions::new(Domain::parse("origin.example").unwrap())
    }

    fn snapshot(aliases: &str) -> Snapshot {
        let maps = MapOptions::default().with_file(MapName::VirtualAlias, "virtual");
        MapHandle::new(MapSet::from_texts(&maps, &[(MapName::VirtualAlias, aliases)]).unwrap()).snapshot()
    }

    fn recipient(text: &str) -> Recipient {
        Recipient::new(ForwardPath::parse(text).unwrap())
    }

    fn names(list: &[Recipient]) -> Vec<String> {
        list.iter().map(|recipient| recipient.forward_path.to_string()).collect()
    }

    #[test]
    fn an_alias_keeps_what_the_sender_asked_for() {
        let snapshot = snapshot(
            "team@a.example one@b.example, two@b.example\npostmaster@origin.example ops@b.example\n",
        );
        let asked = Recipient { notify: Some(Notify::NEVER), ..recipient("<team@a.example>") };
        let made = expand(&snapshot, &options(), &asked, NOW).unwrap();
        assert_eq!(names(&made), ["<one@b.example>", "<two@b.example>"]);
        for recipient in &made {
            assert_eq!(recipient.notify, Some(Notify::NEVER));
            assert_eq!(recipient.orcpt.as_ref().map(|orcpt| &*orcpt.address), Some("team@a.example"));
        }
        let postmaster = expand(&snapshot, &options(), &recipient("<postmaster>"), NOW).unwrap();
        assert_eq!(names(&postmaster), ["<ops@b.example>"]);
        let plain = expand(&snapshot, &options(), &recipient("<nobody@c.example>"), NOW).unwrap();
        assert_eq!((names(&plain), plain[0].orcpt.clone()), (vec!["<nobody@c.example>".to_owned()], None));
    }

    #[test]
    fn each_address_comes_once() {
        let snapshot = snapshot("a@a.example x@b.example\nb@a.example x@b.example, y@b.example\n");
        let list = [recipient("<a@a.example>"), recipient("<b@a.example>"), recipient("<y@b.example>")];
        assert_eq!(
            names(&expand_all(&snapshot, &options(), &list, NOW).unwrap()),
            ["<x@b.example>", "<y@b.example>"]
        );
    }

    #[test]
    fn l2_too_many_is_refused_for_good_and_unavailable_for_now() {
        let fan = |name: &str| {
            let targets: Vec<String> = (0..6000).map(|number| format!("{name}{number}@b.example")).collect();
            format!("{name}@a.example {}\n", targets.join(", "))
        };
        let snapshot = snapshot(&(fan("x") + &fan("y")));
        let list = [recipient("<x@a.example>"), recipient("<y@a.example>")];
        let error = expand_all(&snapshot, &options(), &list, NOW).unwrap_err();
        assert_eq!((error.clone(), error.reply().code.get()), (RewriteError::TooMany, 550));

        let folder = tempfile::tempdir().unwrap();
        let maps = MapOptions { folder: folder.path().to_owned(), ..MapOptions::default() }
            .with_file(MapName::VirtualAlias, "missing");
        let unavailable = MapHandle::new(MapSet::start(&maps).0).snapshot();
        assert_eq!(
            expand(&unavailable, &options(), &recipient("<x@a.example>"), NOW).unwrap_err().reply(),
            table::LOCAL_ERROR
        );
    }

    #[test]
    fn an_envelope_is_written_canonically_before_aliases_are_asked() {
        let texts = [
            (MapName::Canonical, "old@a.example new@a.example\n"),
            (MapName::SenderCanonical, "joe@in.example Joe.User@a.example\n@host.in.example @a.example\n"),
            (MapName::RecipientCanonical, "Joe.User@a.example joe@in.example\n"),
            (MapName::VirtualAlias, "new@a.example one@b.example, old@a.example\n"),
        ];
        let snapshot = MapHandle::new(MapSet::from_texts(&MapOptions::default(), &texts).unwrap()).snapshot();
        for (from, written) in [
            ("<joe@in.example>", "<Joe.User@a.example>"),
            ("<ann@host.in.example>", "<ann@a.example>"),
            ("<old@a.example>", "<new@a.example>"),
            ("<x@y.example>", "<x@y.example>"),
            ("<>", "<>"),
        ] {
            let path = ReversePath::parse(from).unwrap();
            assert_eq!(sender(&snapshot, &path).unwrap().to_string(), written, "{from}");
        }
        let one = expand(&snapshot, &options(), &recipient("<Joe.User@a.example>"), NOW).unwrap();
        assert_eq!(names(&one), ["<joe@in.example>"]);
        assert_eq!(one[0].orcpt.as_ref().map(|orcpt| &*orcpt.address), Some("Joe.User@a.example"));
        let aliased = expand(&snapshot, &options(), &recipient("<old@a.example>"), NOW).unwrap();
        assert_eq!(
            names(&aliased),
            ["<one@b.example>", "<old@a.example>"],
            "targets are as they are written"
        );
    }

    #[test]
    fn a_report_to_an_srs_address_goes_back_to_who_sent() {
        let counted = SrsMetrics::register(&Registry::new()).unwrap();
        let domain = Domain::parse("srs.example").unwrap();
        let srs = Srs::new(domain, &[b"a secret of ours".to_vec()], Duration::from_secs(86_400), counted);
        let made = srs.rewrite(&Mailbox::parse("ann@away.example").unwrap(), NOW).unwrap();
        let options = RouteOptions { srs: Some(Arc::new(srs)), ..options() };
        let snapshot = snapshot("x@y.example z@y.example\n");
        let back =
            expand(&snapshot, &options, &Recipient::new(ForwardPath::Mailbox(made.clone())), NOW).unwrap();
        assert_eq!(names(&back), ["<ann@away.example>"]);
        assert_eq!(back[0].orcpt.as_ref().map(|orcpt| &*orcpt.address), Some(&*made.to_string()));
        let forged = recipient("<SRS0=abcd=AA=away.example=ann@srs.example>");
        let error = expand(&snapshot, &options, &forged, NOW).unwrap_err();
        assert_eq!(error.reply().to_string(), "550 5.1.1 SRS address is forged");
    }
}
