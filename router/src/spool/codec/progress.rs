//! What has become of a message's recipients, as octets.

use super::octets::{Reader, Writer, hold_tag};
use super::{Malformed, Read};
use crate::spool::message::{GivenUp, Progress, RecipientState, Rest, from_micros, to_micros};
use crate::spool::record::FRAME;

/// A progress record: room for the frame, then the payload.
pub(in crate::spool) fn write_progress(progress: &Progress) -> Option<Vec<u8>> {
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
pub(in crate::spool) fn read_progress(payload: &[u8]) -> Read<Progress> {
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

/// In the octet that says who holds a message: recipients with a way of their own follow.
const REROUTED: u8 = 0x10;
/// In the same: recipients that were given up follow, after those.
const GIVEN_UP: u8 = 0x20;
/// In the same: a hand released it.
const RELEASED: u8 = 0x40;
/// In the same: what suspensions did with it follows, after those.
const RESTED: u8 = 0x80;

const PENDING: u8 = 0;
pub(super) const DEFERRED: u8 = 1;
const DELIVERED: u8 = 2;
const FAILED: u8 = 3;
pub(super) const AS_BEFORE: u8 = 0x80;
