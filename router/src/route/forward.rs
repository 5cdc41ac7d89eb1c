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
