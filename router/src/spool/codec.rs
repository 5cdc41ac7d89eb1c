//! Payloads: envelopes and progress as octets. Reading them back trusts no length and no number, since what
//! is on a disk may have been put there by anybody (H3).

use std::sync::Arc;

use bytes::Bytes;
use switchyard_smtp::address::{ForwardPath, Host, LocalPart, Mailbox, ReversePath};
use switchyard_smtp::envelope::{
    Body, Content, Envelope, Notify, Orcpt, Recipient, Ret, Sender, TransactionId,
};
use switchyard_smtp::status::EnhancedStatus;

use super::message::{
    Arrival, NewMessage, Origin, Outcome, Progress, RecipientState, from_micros, to_micros,
};
use super::record::FRAME;

/// The payload is none that this version writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed payload")]
pub(super) struct Malformed;

type Read<T> = Result<T, Malformed>;

/// Where the content of a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the record itself, after the head.
    Inline { added: u32, wire: u32 },
    /// In a file of its own, with this CRC32C.
    Blob { added: u32, wire: u64, sum: u32 },
}

impl Place {
    pub(super) fn content_len(self) -> u64 {
        match self {
            Self::Inline { added, wire } => u64::from(added) + u64::from(wire),
            Self::Blob { added, wire, .. } => u64::from(added) + wire,
        }
    }

    /// Octets in a file of its own.
    pub(super) fn blob_len(self) -> Option<u64> {
        matches!(self, Self::Blob { .. }).then(|| self.content_len())
    }
}

/// An accept record, read back.
#[derive(Debug, Clone)]
pub(super) struct Accepted {
    pub envelope: Arc<Envelope>,
    pub arrival: Arrival,
    pub origin: Origin,
    pub hold: bool,
    pub place: Place,
}

// ---------------------------------------------------------------------------------------------------------

/// The head of an accept record: room for the frame, its own length, everything but the wire content.
/// `None` when a number does not fit, which no envelope within SMTP's limits brings about.
pub(super) fn write_accept(message: &NewMessage, blob_sum: Option<u32>) -> Option<Vec<u8>> {
    let content = &message.content;
    let mut out = Writer(Vec::with_capacity(
        FRAME + 192 + 96 * message.envelope.recipients.len() + content.added.len(),
    ));
    out.0.resize(FRAME + 4, 0);
    let added = u32::try_from(content.added.len()).ok()?;
    match blob_sum {
        None => {
            out.octet(0);
            out.number(added);
            out.number(u32::try_from(content.wire.len()).ok()?);
        }
        Some(sum) => {
            out.octet(1);
            out.number(added);
            out.wide(content.wire.len() as u64);
            out.number(sum);
        }
    }
    out.wide(to_micros(message.arrival.wall).cast_unsigned());
    out.text(&message.arrival.client);
    out.octet(match message.origin {
        Origin::Smtp => 0,
        Origin::Report => 1,
    });
    out.flag(message.hold);
    out.sender(&message.envelope.sender);
    out.number(u32::try_from(message.envelope.recipients.len()).ok()?);
    for recipient in &message.envelope.recipients {
        out.recipient(recipient);
    }
    let head = u32::try_from(out.0.len() - FRAME - 4).ok()?;
    out.0[FRAME..FRAME + 4].copy_from_slice(&head.to_le_bytes());
    if blob_sum.is_none() {
        out.0.extend_from_slice(&content.added);
    }
    Some(out.0)
}

/// Reads an accept record's payload but for its content.
pub(super) fn read_accept(payload: &[u8]) -> Read<Accepted> {
    let (mut input, content) = split_accept(payload)?;
    let place = input.place()?;
    let arrival = Arrival { wall: from_micros(input.wide()?.cast_signed()), client: input.text()?.into() };
    let origin = match input.octet()? {
        0 => Origin::Smtp,
        1 => Origin::Report,
        _ => return Err(Malformed),
    };
    let hold = input.flag()?;
    let sender = input.sender()?;
    let recipients = input.list(Reader::recipient)?;
    input.end()?;
    let present = if let Place::Inline { .. } = place { place.content_len() } else { 0 };
    if recipients.is_empty() || content.len() as u64 != present {
        return Err(Malformed);
    }
    Ok(Accepted { envelope: Arc::new(Envelope { sender, recipients }), arrival, origin, hold, place })
}

/// Where the content is, and the content itself if it is in the record.
pub(super) fn read_content(payload: &Bytes) -> Read<(Place, Content)> {
    let (mut input, inline) = split_accept(payload)?;
    let place = input.place()?;
    let content = match place {
        Place::Inline { added, .. } => split_content(payload.slice_ref(inline), u64::from(added))?,
        Place::Blob { .. } => Content::default(),
    };
    Ok((place, content))
}

/// Parts the fields that we added from what came over the wire.
pub(super) fn split_content(mut octets: Bytes, added: u64) -> Read<Content> {
    let added = usize::try_from(added).ok().filter(|added| *added <= octets.len()).ok_or(Malformed)?;
    let wire = octets.split_off(added);
    Ok(Content { added: octets, wire })
}

fn split_accept(payload: &[u8]) -> Read<(Reader<'_>, &[u8])> {
    let mut input = Reader(payload);
    let length = input.number()? as usize;
    let (head, content) = input.0.split_at_checked(length).ok_or(Malformed)?;
    Ok((Reader(head), content))
}

/// A progress record: room for the frame, then the payload.
pub(super) fn write_progress(progress: &Progress) -> Option<Vec<u8>> {
    let mut out = Writer(vec![0; FRAME]);
    out.wide(to_micros(progress.next_attempt).cast_unsigned());
    out.number(progress.attempts);
    out.flag(progress.hold);
    out.number(u32::try_from(progress.recipients.len()).ok()?);
    let mut last = None;
    for state in &progress.recipients {
        let (tag, outcome) = match state {
            RecipientState::Pending => (PENDING, None),
            RecipientState::Deferred(outcome) => (DEFERRED, Some(outcome)),
            RecipientState::Delivered(outcome) => (DELIVERED, Some(outcome)),
            RecipientState::Failed(outcome) => (FAILED, Some(outcome)),
        };
        match outcome {
            None => out.octet(tag),
            // A whole list that waits for one host repeats one reply.
            Some(_) if outcome == last => out.octet(tag | AS_BEFORE),
            Some(new) => {
                out.octet(tag);
                out.outcome(new);
                last = outcome;
            }
        }
    }
    Some(out.0)
}

/// Reads a progress record's payload.
pub(super) fn read_progress(payload: &[u8]) -> Read<Progress> {
    let mut input = Reader(payload);
    let next_attempt = from_micros(input.wide()?.cast_signed());
    let attempts = input.number()?;
    let hold = input.flag()?;
    let mut last = None;
    let recipients = input.list(|input| {
        let tag = input.octet()?;
        if tag == PENDING {
            return Ok(RecipientState::Pending);
        }
        if tag & AS_BEFORE == 0 {
            last = Some(input.outcome()?);
        }
        let outcome = last.clone().ok_or(Malformed)?;
        match tag & !AS_BEFORE {
            DEFERRED => Ok(RecipientState::Deferred(outcome)),
            DELIVERED => Ok(RecipientState::Delivered(outcome)),
            FAILED => Ok(RecipientState::Failed(outcome)),
            _ => Err(Malformed),
        }
    })?;
    input.end()?;
    Ok(Progress { recipients, next_attempt, attempts, hold })
}

const PENDING: u8 = 0;
const DEFERRED: u8 = 1;
const DELIVERED: u8 = 2;
const FAILED: u8 = 3;
const AS_BEFORE: u8 = 0x80;

/// What a mark says of the segment before it: (sequence, octets known to be on the disk).
pub(super) fn write_mark(before: Option<(u64, u32)>) -> Vec<u8> {
    let mut out = Writer(vec![0; FRAME]);
    let (sequence, proven) = before.unwrap_or((0, 0));
    out.wide(sequence);
    out.number(proven);
    out.0
}

/// Reads a mark's payload.
pub(super) fn read_mark(payload: &[u8]) -> Read<(u64, u32)> {
    let mut input = Reader(payload);
    let mark = (input.wide()?, input.number()?);
    input.end()?;
    Ok(mark)
}

// ---------------------------------------------------------------------------------------------------------

/// Appends words. Texts longer than 64 KiB do not occur: each comes out of an SMTP line or is cut before.
struct Writer(Vec<u8>);

impl Writer {
    fn octet(&mut self, value: u8) {
        self.0.push(value);
    }

    fn flag(&mut self, value: bool) {
        self.octet(u8::from(value));
    }

    fn number(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn wide(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.0.extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn mailbox(&mut self, mailbox: &Mailbox) {
        self.text(mailbox.local.as_str());
        self.text(&mailbox.host.to_string());
    }

    fn sender(&mut self, sender: &Sender) {
        self.optional(sender.reverse_path.mailbox(), Self::mailbox);
        self.octet(match sender.body {
            Body::SevenBit => 0,
            Body::EightBitMime => 1,
            Body::BinaryMime => 2,
        });
        self.flag(sender.smtputf8);
        self.optional(sender.size, Self::wide);
        self.optional(sender.ret, |out, ret| out.flag(ret == Ret::Full));
        self.optional(sender.envid.as_deref(), Self::text);
        self.optional(sender.transaction, |out, id| out.0.extend_from_slice(&id.0.to_le_bytes()));
    }

    fn recipient(&mut self, recipient: &Recipient) {
        self.optional(recipient.forward_path.mailbox(), Self::mailbox);
        self.optional(recipient.notify, |out, notify| {
            out.octet(u8::from(notify.success) | u8::from(notify.failure) << 1 | u8::from(notify.delay) << 2);
        });
        self.optional(recipient.orcpt.as_ref(), |out, orcpt| {
            out.text(&orcpt.address_type);
            out.text(&orcpt.address);
        });
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.wide(to_micros(outcome.at).cast_unsigned());
        self.octet(outcome.status.class);
        self.number(u32::from(outcome.status.subject) << 16 | u32::from(outcome.status.detail));
        self.text(&outcome.remote_mta);
        self.text(&outcome.diagnostic);
        self.flag(outcome.reported);
    }
}

/// Takes words off the front; every one of them may be missing.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Malformed)
    }

    fn octet(&mut self) -> Read<u8> {
        Ok(u8::from_le_bytes(self.fixed()?))
    }

    fn flag(&mut self) -> Read<bool> {
        match self.octet()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    fn number(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.fixed()?))
    }

    fn wide(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.fixed()?))
    }

    fn text(&mut self) -> Read<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.fixed()?));
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed)
    }

    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// A counted list. Each item takes an octet at least, so no count makes us ask for more than is there.
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.number()? as usize;
        if count > self.0.len() {
            return Err(Malformed);
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    fn place(&mut self) -> Read<Place> {
        match self.octet()? {
            0 => Ok(Place::Inline { added: self.number()?, wire: self.number()? }),
            1 => Ok(Place::Blob { added: self.number()?, wire: self.wide()?, sum: self.number()? }),
            _ => Err(Malformed),
        }
    }

    fn mailbox(&mut self) -> Read<Mailbox> {
        let local = LocalPart::new(self.text()?).map_err(|_| Malformed)?;
        let host = Host::parse(self.text()?).map_err(|_| Malformed)?;
        Ok(Mailbox { local, host })
    }

    fn sender(&mut self) -> Read<Sender> {
        let reverse_path = self.optional(Self::mailbox)?.map_or(ReversePath::Null, ReversePath::Mailbox);
        let body = match self.octet()? {
            0 => Body::SevenBit,
            1 => Body::EightBitMime,
            2 => Body::BinaryMime,
            _ => return Err(Malformed),
        };
        Ok(Sender {
            reverse_path,
            body,
            smtputf8: self.flag()?,
            size: self.optional(Self::wide)?,
            ret: self.optional(Self::flag)?.map(|full| if full { Ret::Full } else { Ret::Hdrs }),
            envid: self.optional(Self::text)?.map(Into::into),
            transaction: self.optional(|input| Ok(TransactionId(u128::from_le_bytes(input.fixed()?))))?,
        })
    }

    fn recipient(&mut self) -> Read<Recipient> {
        let forward_path =
            self.optional(Self::mailbox)?.map_or(ForwardPath::Postmaster, ForwardPath::Mailbox);
        let notify = self.optional(Self::octet)?;
        if notify.is_some_and(|bits| bits > 7) {
            return Err(Malformed);
        }
        let wanted =
            |bits: u8| Notify { success: bits & 1 != 0, failure: bits & 2 != 0, delay: bits & 4 != 0 };
        let orcpt = self.optional(|input| {
            Ok(Orcpt { address_type: input.text()?.into(), address: input.text()?.into() })
        })?;
        Ok(Recipient { forward_path, notify: notify.map(wanted), orcpt })
    }

    fn outcome(&mut self) -> Read<Outcome> {
        let at = from_micros(self.wide()?.cast_signed());
        let class = self.octet()?;
        let rest = self.number()?;
        Ok(Outcome {
            at,
            status: EnhancedStatus::new(class, (rest >> 16) as u16, rest as u16),
            remote_mta: self.text()?.into(),
            diagnostic: self.text()?.into(),
            reported: self.flag()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn envelope(full: bool) -> Envelope {
        let mailbox = |text: &str| Mailbox::parse(text).unwrap();
        let plain = Recipient::new(ForwardPath::Postmaster);
        if !full {
            return Envelope { sender: Sender::new(ReversePath::Null), recipients: vec![plain] };
        }
        let sender = Sender {
            reverse_path: ReversePath::Mailbox(mailbox("\"a b\"@[IPv6:2001:db8::1]")),
            body: Body::BinaryMime,
            smtputf8: true,
            size: Some(u64::MAX),
            ret: Some(Ret::Hdrs),
            envid: Some("id+é".into()),
            transaction: Some(TransactionId(u128::MAX - 1)),
        };
        let recipient = Recipient {
            forward_path: ForwardPath::Mailbox(mailbox("jürgen@bücher.example")),
            notify: Some(Notify { success: true, failure: false, delay: true }),
            orcpt: Some(Orcpt { address_type: "utf-8".into(), address: "x@y".into() }),
        };
        Envelope { sender, recipients: vec![plain, recipient] }
    }

    fn new_message(full: bool) -> NewMessage {
        NewMessage {
            envelope: Arc::new(envelope(full)),
            content: Content {
                added: Bytes::from_static(b"A: b\r\n"),
                wire: Bytes::from_static(b"body\r\n"),
            },
            arrival: Arrival { wall: UNIX_EPOCH + Duration::from_micros(5), client: "mx [192.0.2.1]".into() },
            origin: if full { Origin::Report } else { Origin::Smtp },
            hold: full,
        }
    }

    fn payload(message: &NewMessage) -> Vec<u8> {
        [&write_accept(message, None).unwrap()[FRAME..], &message.content.wire].concat()
    }

    fn outcome(text: &str) -> Outcome {
        Outcome::new(UNIX_EPOCH, EnhancedStatus::new(4, 999, 1), "mx.example", text)
    }

    #[test]
    fn messages_read_back() {
        for message in [new_message(false), new_message(true)] {
            let payload = Bytes::from(payload(&message));
            let accepted = read_accept(&payload).unwrap();
            assert_eq!((&accepted.envelope, &accepted.arrival), (&message.envelope, &message.arrival));
            assert_eq!((accepted.origin, accepted.hold), (message.origin, message.hold));
            assert_eq!(accepted.place, Place::Inline { added: 6, wire: 6 });
            assert_eq!(read_content(&payload).unwrap().1, message.content);

            let blob = write_accept(&message, Some(77)).unwrap();
            let place = Place::Blob { added: 6, wire: 6, sum: 77 };
            assert_eq!(read_accept(&blob[FRAME..]).unwrap().place, place);
        }
    }

    #[test]
    fn progress_reads_back_and_says_a_repeated_reply_once() {
        let state = |count: usize| Progress {
            recipients: vec![RecipientState::Deferred(outcome(&"x".repeat(1000))); count],
            next_attempt: UNIX_EPOCH,
            attempts: 7,
            hold: true,
        };
        let mut mixed = state(3);
        mixed.recipients.push(RecipientState::Pending);
        mixed.recipients.push(RecipientState::Delivered(outcome("ok")));
        mixed.recipients.push(RecipientState::Failed(Outcome { reported: true, ..outcome("no") }));
        assert_eq!(read_progress(&write_progress(&mixed).unwrap()[FRAME..]), Ok(mixed));
        assert!(write_progress(&state(1000)).unwrap().len() < 3000);
    }

    #[test]
    fn h3_crafted_payloads_are_refused_without_asking_for_memory() {
        let good = payload(&new_message(true));
        for length in 0..good.len() {
            assert!(read_accept(&good[..length]).is_err(), "{length}");
        }
        let huge_count = [&[0; 13][..], &u32::MAX.to_le_bytes(), &[0; 100]].concat();
        assert_eq!(read_progress(&huge_count), Err(Malformed));
        let as_before_nothing = [&[0; 13][..], &1_u32.to_le_bytes(), &[DEFERRED | AS_BEFORE]].concat();
        assert_eq!(read_progress(&as_before_nothing), Err(Malformed));
        let mut nobody = new_message(false);
        Arc::make_mut(&mut nobody.envelope).recipients.clear();
        assert_eq!(read_accept(&payload(&nobody)).err(), Some(Malformed));
    }

    proptest! {
        #[test]
        fn h3_no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..200) {
            let mut payload = payload(&new_message(true));
            let at = at.min(payload.len());
            payload.splice(at..(at + octets.len()).min(payload.len()), octets.iter().copied());
            for octets in [&payload, &octets] {
                let _ = (read_accept(octets), read_progress(octets), read_mark(octets));
                let _ = read_content(&Bytes::copy_from_slice(octets));
            }
        }
    }
}
