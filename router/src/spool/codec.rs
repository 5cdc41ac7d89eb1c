//! Payloads: envelopes and progress as octets. Reading them back trusts no length and no number, since what
//! is on a disk may have been put there by anybody (H3).

mod octets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use switchyard_smtp::envelope::{Content, Envelope};
use switchyard_smtp::priority::Priority;

use super::message::{
    Arrival, GivenUp, Held, NewMessage, Origin, Progress, RecipientState, Rest, from_micros, to_micros,
};
use super::record::FRAME;
use octets::{Reader, Writer, hold_tag};

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
    pub hold: Option<Held>,
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
    out.octet(hold_tag(message.hold.as_ref()));
    out.held(message.hold.as_ref());
    out.sender(&message.envelope.sender);
    out.number(u32::try_from(message.envelope.recipients.len()).ok()?);
    for recipient in &message.envelope.recipients {
        out.recipient(recipient);
    }
    let (priority, from) = (message.envelope.sender.priority, message.arrival.from.as_deref());
    if priority.is_some() || from.is_some() {
        out.octet(priority.map_or(NO_PRIORITY, |priority| priority.number().cast_unsigned()));
    }
    if let Some(from) = from {
        out.attributes(from);
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
    let (wall, client) = (from_micros(input.wide()?.cast_signed()), input.text()?.into());
    let origin = match input.octet()? {
        0 => Origin::Smtp,
        1 => Origin::Report,
        _ => return Err(Malformed),
    };
    let tag = input.octet()?;
    let hold = input.held(tag)?;
    let mut sender = input.sender()?;
    let recipients = input.list(Reader::recipient)?;
    // Records of old end here, and older ones a word before.
    if !input.0.is_empty() {
        sender.priority = match input.octet()? {
            NO_PRIORITY => None,
            number => Some(Priority::new(number.cast_signed()).ok_or(Malformed)?),
        };
    }
    let from = if input.0.is_empty() { None } else { Some(Box::new(input.attributes()?)) };
    let arrival = Arrival { wall, client, from };
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
    let mark = |present: bool, mark: u8| if present { mark } else { 0 };
    let marks = mark(!progress.reroutes.is_empty(), REROUTED)
        | mark(!progress.given_up.is_empty(), GIVEN_UP)
        | mark(progress.released, RELEASED)
        | mark(progress.rest != Rest::default(), RESTED);
    out.octet(hold_tag(progress.hold.as_ref()) | marks);
    out.held(progress.hold.as_ref());
    if marks & REROUTED != 0 {
        out.number(u32::try_from(progress.reroutes.len()).ok()?);
        for (recipient, route) in &progress.reroutes {
            out.number(*recipient);
            out.text(route);
        }
    }
    if marks & GIVEN_UP != 0 {
        out.number(u32::try_from(progress.given_up.len()).ok()?);
        for (recipient, given_up) in &progress.given_up {
            out.number(*recipient);
            out.text(&given_up.reason);
            out.flag(given_up.told);
        }
    }
    if marks & RESTED != 0 {
        out.number(u32::try_from(progress.rest.suspended.len()).ok()?);
        for (recipient, number) in &progress.rest.suspended {
            out.number(*recipient);
            out.number(*number);
        }
        out.optional(progress.rest.until, |out, until| out.wide(to_micros(until).cast_unsigned()));
    }
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
    let marks = input.octet()?;
    let hold = input.held(marks & !(REROUTED | GIVEN_UP | RELEASED | RESTED))?;
    let reroutes = match marks & REROUTED {
        0 => Vec::new(),
        _ => input.list(|input| Ok((input.number()?, input.text()?.into())))?,
    };
    let given_up = match marks & GIVEN_UP {
        0 => Vec::new(),
        _ => input.list(|input| {
            let recipient = input.number()?;
            Ok((recipient, GivenUp { reason: input.text()?.into(), told: input.flag()? }))
        })?,
    };
    let rest = match marks & RESTED {
        0 => Rest::default(),
        _ => Rest {
            suspended: input.list(|input| Ok((input.number()?, input.number()?)))?,
            until: input.optional(Reader::wide)?.map(|micros| from_micros(micros.cast_signed())),
        },
    };
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
    Ok(Progress {
        recipients,
        next_attempt,
        attempts,
        hold,
        reroutes,
        given_up,
        released: marks & RELEASED != 0,
        rest,
    })
}

/// In the place of a priority, where only what stands behind it is said.
const NO_PRIORITY: u8 = 0x80;

/// In the octet that says who holds a message: recipients with a way of their own follow.
const REROUTED: u8 = 0x10;
/// In the same: recipients that were given up follow, after those.
const GIVEN_UP: u8 = 0x20;
/// In the same: a hand released it.
const RELEASED: u8 = 0x40;
/// In the same: what suspensions did with it follows, after those.
const RESTED: u8 = 0x80;

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
