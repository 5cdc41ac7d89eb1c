//! Forwarding: mail from a stranger that an alias of ours sends on to the world. It leaves with a reverse-path of
//! ours ([`srs`](super::srs)), since our hosts may not send in the stranger's name (RFC 7208).
//!
//! A recipient is forwarded when its own domain is none of ours and the one it came under is (RFC 3461's ORCPT
//! keeps that name over aliases, restarts and our own hops). Mail of our own domains leaves as it is, and mail with
//! the null reverse-path too: nobody is to hear of it.

use switchyard_maps::{Snapshot, Unavailable};
use switchyard_smtp::address::{ForwardPath, Host, Mailbox, ReversePath};
use switchyard_smtp::envelope::Recipient;

use super::RouteOptions;
use super::class::{AddressClass, classify};

/// Whether mail to a recipient leaves with a rewritten reverse-path.
///
/// # Errors
/// When a map cannot be asked: then nobody knows what is ours.
pub fn is_forwarded(
    snapshot: &Snapshot,
    options: &RouteOptions,
    sender: &ReversePath,
    recipient: &Recipient,
) -> Result<bool, Unavailable> {
    let (Some(_), Some(sender)) = (&options.srs, sender.mailbox()) else { return Ok(false) };
    let (Some(original), ForwardPath::Mailbox(target)) = (original(recipient), &recipient.forward_path)
    else {
        return Ok(false);
    };
    Ok(is_ours(snapshot, options, &original.host)?
        && !is_ours(snapshot, options, &target.host)?
        && !is_ours(snapshot, options, &sender.host)?)
}

/// The address that the recipient had before an alias.
fn original(recipient: &Recipient) -> Option<Mailbox> {
    let orcpt = recipient.orcpt.as_ref()?;
    let is_address = ["rfc822", "utf-8"].iter().any(|kind| orcpt.address_type.eq_ignore_ascii_case(kind));
    if is_address { Mailbox::parse(&orcpt.address).ok() } else { None }
}

fn is_ours(snapshot: &Snapshot, options: &RouteOptions, host: &Host) -> Result<bool, Unavailable> {
    if let (Some(srs), Host::Domain(domain)) = (&options.srs, host)
        && domain == srs.domain()
    {
        return Ok(true);
    }
    Ok(classify(snapshot, &options.origin, host)? != AddressClass::Default)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use switchyard_daemon::metrics::Registry;
    use switchyard_maps::{MapHandle, MapName, MapOptions, MapSet};
    use switchyard_smtp::address::Domain;
    use switchyard_smtp::envelope::Orcpt;

    use super::*;
    use crate::route::srs::{Srs, SrsMetrics};

    #[test]
    fn what_an_alias_sends_to_the_world_for_a_stranger_is_forwarded() {
        let texts = [
            (MapName::RelayDomains, "ours.example x\n"),
            (MapName::VirtualAlias, "alias.example x\njoe@alias.example joe@world.example\n"),
        ];
        let maps = MapHandle::new(MapSet::from_texts(&MapOptions::default(), &texts).unwrap()).snapshot();
        let counted = SrsMetrics::register(&Registry::new()).unwrap();
        let domain = Domain::parse("srs.example").unwrap();
        let srs = Srs::new(domain, &[b"a secret of ours".to_vec()], Duration::from_secs(86_400), counted);
        let without = RouteOptions::new(Domain::parse("origin.example").unwrap());
        let options = RouteOptions { srs: Some(Arc::new(srs)), ..without.clone() };
        let asked = |options: &RouteOptions, sender: &str, original: Option<&str>, target: &str| {
            let orcpt = original
                .and_then(|text| text.split_once(';'))
                .map(|(kind, address)| Orcpt { address_type: kind.into(), address: address.into() });
            let recipient = Recipient { orcpt, ..Recipient::new(ForwardPath::parse(target).unwrap()) };
            is_forwarded(&maps, options, &ReversePath::parse(sender).unwrap(), &recipient)
        };
        let (stranger, alias, world) =
            ("<ann@away.example>", Some("rfc822;joe@alias.example"), "<joe@world.example>");
        for (sender, original, target, forwarded) in [
            (stranger, alias, world, true),
            (stranger, Some("RFC822;joe@ours.example"), world, true),
            (stranger, Some("utf-8;j\u{f6}@origin.example"), world, true),
            (stranger, Some("rfc822;SRS0=a=b=c=d@srs.example"), world, true),
            // Nobody is to hear of it.
            ("<>", alias, world, false),
            // We may send in our own name.
            ("<ann@ours.example>", alias, world, false),
            ("<SRS0=a=b=c=d@srs.example>", alias, world, false),
            // It stays in the house.
            (stranger, alias, "<joe@ours.example>", false),
            // No alias of ours.
            (stranger, None, world, false),
            (stranger, Some("rfc822;joe@elsewhere.example"), world, false),
            (stranger, Some("x400;joe@alias.example"), world, false),
        ] {
            assert_eq!(
                asked(&options, sender, original, target),
                Ok(forwarded),
                "{sender} {original:?} {target}"
            );
        }
        assert_eq!(
            asked(&without, stranger, alias, world),
            Ok(false),
            "where the settings name no domain for it"
        );
    }
}
