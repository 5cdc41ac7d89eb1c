//! Payloads: envelopes and progress as octets. Reading them back trusts no length and no number, since what
//! is on a disk may have been put there by anybody (H3).

mod octets;
mod progress;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use switchyard_smtp::envelope::{Content, Envelope};
use switchyard_smtp::priority::Priority;

use self::octets::{Reader, Writer, hold_tag};
pub(super) use self::progress::{read_progress, write_progress};
use super::message::{Arrival, Held, NewMessage, Origin, from_micros, to_micros};
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

/// In the place of a priority, where only what stands behind it is said.
const NO_PRIORITY: u8 = 0x80;

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
