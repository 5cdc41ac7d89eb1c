//! Content on its way out: whether this peer can carry it, and what goes over the wire.

use bytes::Bytes;
use memchr::memchr_iter;

use super::options::{Delivery, Protocol, Transfer};
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
pub(super) fn plan(
    delivery: &Delivery<'_>,
    protocol: Protocol,
    peer: &Extensions,
) -> Result<Plan, LocalRefusal> {
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
    // With LMTP, how many answers follow the content depends on those to RCPT.
    let whole = delivery.transfer == Transfer::Whole
        && protocol == Protocol::Smtp
        && sender.transaction.is_some()
        && peer.xtxn
        && peer.chunking
        && peer.pipelining;
    if sender.hold.is_some() && !(whole && peer.xhold) {
        return Err(LocalRefusal::NeedsHold);
    }
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

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::address::{ForwardPath, ReversePath};
    use crate::envelope::{Recipient, Sender, TransactionId};
    use crate::wire::data::{DataReceiver, Received, stuff};

    fn planned(content: &Content, peer: &Extensions) -> Result<Plan, LocalRefusal> {
        let sender = Sender::new(ReversePath::Null);
        let recipient = Recipient::new(ForwardPath::Postmaster);
        let recipients = [&recipient];
        let delivery = Delivery {
            sender: &sender,
            recipients: &recipients,
            content,
            forwarded: None,
            transfer: Transfer::Data,
        };
        plan(&delivery, Protocol::Smtp, peer)
    }

    fn eight_bit() -> Extensions {
        Extensions { eight_bit_mime: true, ..Extensions::default() }
    }

    /// What DATA would put on the wire, if it may.
    fn sent(content: &Content) -> Result<Vec<u8>, LocalRefusal> {
        planned(content, &eight_bit())?;
        Ok(dotted(content).concat())
    }

    /// RFC 5321 §4.5.2 by the letter: lines up to the lone dot, each without one leading dot. `None` when the octets
    /// are anything but CR LF lines and that dot.
    fn read_as_the_rfc_says(wire: &[u8]) -> Option<Vec<u8>> {
        let (mut content, mut rest) = (Vec::new(), wire);
        loop {
            let end = rest.iter().position(|&octet| octet == b'\r' || octet == b'\n')?;
            let (line, after) = (&rest[..end], rest[end..].strip_prefix(b"\r\n")?);
            if line == b"." {
                return after.is_empty().then_some(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            content.extend_from_slice(b"\r\n");
            rest = after;
        }
    }

    #[test]
    fn mail_to_be_held_goes_to_none_but_who_offers_to_hold_it() {
        let ours = Extensions { chunking: true, pipelining: true, xtxn: true, ..eight_bit() };
        let recipient = Recipient::new(ForwardPath::Postmaster);
        let (transaction, hold) = (Some(TransactionId(1)), Some("odd".into()));
        let sender = Sender { transaction, hold, ..Sender::new(ReversePath::Null) };
        let content = Content::from_wire(Bytes::from_static(b"S: x\r\n\r\nhi\r\n"));
        let delivery = Delivery {
            sender: &sender,
            recipients: &[&recipient],
            content: &content,
            forwarded: None,
            transfer: Transfer::Whole,
        };
        let planned = |peer: &Extensions| plan(&delivery, Protocol::Smtp, peer).map(drop);
        assert_eq!(planned(&Extensions { xhold: true, ..ours }), Ok(()));
        assert_eq!(planned(&Extensions { xtxn: false, xhold: true, ..ours }), Err(LocalRefusal::NeedsHold));
        assert_eq!(planned(&ours), Err(LocalRefusal::NeedsHold));
    }

    #[test]
    fn what_would_come_out_otherwise_is_not_sent() {
        for wire in [
            "a\nb\r\n",
            "a\rb\r\n",
            "a\r",
            "a\n",
            "a\r\r\n",
            "\n",
            ".\r\n",
            "a\r\n.\r\nMAIL FROM:<x@y>\r\n",
            ".",
            "a\r\n.",
            "a\n.\nb\r\n",
            "a\n.\r\nb\r\n",
            "a\r\n.\nb\r\n",
            "a\r.\rb\r\n",
            "a\r\n.\r\r\nb\r\n",
        ] {
            let content = Content::from_wire(Bytes::from(wire));
            assert_eq!(sent(&content), Err(LocalRefusal::Malformed), "{wire:?}");
        }
        for added in ["X: y", "X: y\n", ".\r\n", "X: y\r\n.\r\n"] {
            let content = Content { added: Bytes::from(added), wire: Bytes::from("\r\nx\r\n") };
            assert_eq!(sent(&content), Err(LocalRefusal::Malformed), "{added:?}");
        }
    }

    fn octets() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(b"\r\n".to_vec()),
            3 => Just(b".".to_vec()),
            3 => Just(b"text".to_vec()),
            1 => Just(b"\r".to_vec()),
            1 => Just(b"\n".to_vec()),
            1 => any::<u8>().prop_map(|octet| vec![octet]),
        ];
        proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn whatever_is_sent_comes_out_as_it_was(raw in octets()) {
            let content = Content::from_wire(stuff(&Bytes::from(raw.clone())));
            let canonical = String::from_utf8_lossy(&raw).replace("\r\n", "").chars().all(|c| c != '\r' && c != '\n');
            match sent(&content) {
                Err(refusal) => prop_assert!(refusal == LocalRefusal::Malformed && !canonical),
                Ok(wire) => {
                    let mut whole = raw;
                    if !whole.is_empty() && !whole.ends_with(b"\r\n") {
                        whole.extend_from_slice(b"\r\n");
                    }
                    prop_assert!(canonical);
                    prop_assert_eq!(read_as_the_rfc_says(&wire), Some(whole));
                }
            }
            prop_assert_eq!(counted(&content).concat(), unstuff(&content.wire));
        }

        /// Even of content that was never stuffed: what goes out ends where it ends, and nowhere earlier.
        #[test]
        fn nothing_in_the_content_ends_it(wire in octets()) {
            if let Ok(wire) = sent(&Content::from_wire(wire.into())) {
                prop_assert!(read_as_the_rfc_says(&wire).is_some());
                let mut input = BytesMut::from(&wire[..]);
                let received = DataReceiver::default().receive(&mut input, u64::MAX);
                prop_assert!(matches!(received, Some(Received::Whole(_))) && input.is_empty());
            }
        }
    }
}
