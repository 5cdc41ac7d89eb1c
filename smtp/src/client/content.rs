//! Content on its way out: whether this peer can carry it, and what goes over the wire.

use bytes::Bytes;
use memchr::memchr_iter;

use super::options::{Delivery, Transfer};
use super::outcome::LocalRefusal;
use crate::address::Mailbox;
use crate::envelope::{Body, Content};
use crate::extension::Extensions;
use crate::trace::header_lines;
use crate::wire::data::unstuff;

/// How a message travels to this peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) body: Body,
    pub(super) smtputf8: bool,
    pub(super) form: Form,
}

/// In which form the content goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Dot-stuffed, ended by a lone dot.
    Dotted,
    /// Counted, after the answers to RCPT.
    Chunk,
    /// Counted, in one write with the envelope.
    Whole,
}

/// Decides how this message goes to this peer, or that it can't.
pub(super) fn plan(delivery: &Delivery<'_>, peer: &Extensions) -> Result<Plan, LocalRefusal> {
    let Delivery { sender, content, .. } = delivery;
    let is_ascii = content.added.is_ascii() && content.wire.is_ascii();
    let body = match sender.body {
        Body::BinaryMime if peer.binary_mime && peer.chunking => Body::BinaryMime,
        Body::BinaryMime => return Err(LocalRefusal::NeedsBinaryMime),
        // What the client declared is passed on, and what it forgot to declare is declared.
        Body::EightBitMime if peer.eight_bit_mime => Body::EightBitMime,
        _ if is_ascii => Body::SevenBit,
        _ if peer.eight_bit_mime => Body::EightBitMime,
        _ => return Err(LocalRefusal::NeedsEightBitMime),
    };
    let added_is_whole = content.added.is_empty() || content.added.ends_with(b"\r\n");
    if !added_is_whole
        || !is_canonical(&content.added)
        || (body != Body::BinaryMime && !is_canonical(&content.wire))
    {
        return Err(LocalRefusal::Malformed);
    }
    if let Some(limit) = peer.size.flatten()
        && content.len() as u64 > limit
        && unstuffed_octets(content) > limit
    {
        return Err(LocalRefusal::TooBig);
    }
    let addresses_need_smtputf8 = sender.reverse_path.mailbox().is_some_and(Mailbox::needs_smtputf8)
        || delivery.recipients.iter().filter_map(|to| to.forward_path.mailbox()).any(Mailbox::needs_smtputf8);
    let smtputf8 = if peer.smtputf8 {
        sender.smtputf8 || addresses_need_smtputf8
    } else if addresses_need_smtputf8 || (sender.smtputf8 && !is_ascii && !header_is_ascii(content)) {
        // RFC 6531 §3.5. Mail that was only said to need it, and does not, goes without.
        return Err(LocalRefusal::NeedsSmtpUtf8);
    } else {
        false
    };
    let whole = delivery.transfer == Transfer::Whole
        && sender.transaction.is_some()
        && peer.xtxn
        && peer.chunking
        && peer.pipelining;
    let chunk = body == Body::BinaryMime || (delivery.transfer == Transfer::Chunk && peer.chunking);
    let form = match (whole, chunk) {
        (true, _) => Form::Whole,
        (false, true) => Form::Chunk,
        (false, false) => Form::Dotted,
    };
    Ok(Plan { body, smtputf8, form })
}

/// RFC 5321 §2.3.8: lines end in CR LF, and neither of the two stands elsewhere. Nor is any line a lone dot:
/// stuffed content holds none, and one that slipped in would end the message and make commands of the rest.
fn is_canonical(wire: &[u8]) -> bool {
    let (mut lines, mut start) = (0, 0);
    for at in memchr_iter(b'\n', wire) {
        let line = &wire[start..at];
        if line.last() != Some(&b'\r') || line == b".\r" {
            return false;
        }
        lines += 1;
        start = at + 1;
    }
    memchr_iter(b'\r', wire).count() == lines && &wire[start..] != b"."
}

fn header_is_ascii(content: &Content) -> bool {
    content.added.is_ascii() && header_lines(&content.wire).all(<[u8]>::is_ascii)
}

fn unstuffed_octets(content: &Content) -> u64 {
    (content.added.len() + unstuff(&content.wire).len()) as u64
}

/// The content as DATA carries it, its end of data included.
pub(super) fn dotted(content: &Content) -> Vec<Bytes> {
    let last = if content.wire.is_empty() { &content.added } else { &content.wire };
    // RFC 5321 §4.1.1.4: the dot stands on a line of its own.
    let end: &'static [u8] = if last.is_empty() || last.ends_with(b"\r\n") { b".\r\n" } else { b"\r\n.\r\n" };
    vec![content.added.clone(), content.wire.clone(), Bytes::from_static(end)]
}

/// The content as BDAT carries it: octet for octet.
pub(super) fn counted(content: &Content) -> Vec<Bytes> {
    vec![content.added.clone(), unstuff(&content.wire)]
}
