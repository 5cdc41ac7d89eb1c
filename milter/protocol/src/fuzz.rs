//! What a fuzzer is handed: octets from a hostile filter, and octets from a hostile MTA.
//!
//! Ordinary code, so that the tests run it as well; `fuzz/fuzz_targets/` calls it. Not for daemons.

use bytes::{Bytes, BytesMut};

use crate::command::Command;
use crate::edits::Message;
use crate::event::{Client, Connect, Event, Field, Path};
use crate::filter::{Session, Step};
use crate::frame::{self, LARGEST};
use crate::macros::Known;
use crate::mta::{Conversation, EditLimits, Heard, Opening};
use crate::negotiate::{Actions, Agreed, Options, Steps, Wants};
use crate::reply::ReplyText;
use crate::response::Action;

const WIRE: &[u8] = b"Subject: one\r\nX: 1\r\nx: 2\r\n folded\r\n\r\nhello\r\n..dot\r\n";

/// A filter's octets to the MTA's side: the first say what it agrees to, the rest are its frames. What comes out is
/// applied to a message, which must stay one message.
///
/// # Panics
/// When an edit that was taken would end the message early, or a reply is none.
pub fn mta(octets: &[u8]) {
    let Some((head, octets)) = octets.split_first_chunk::<9>() else { return };
    let [version, numbers @ ..] = *head;
    let [actions, steps] = [numbers[..4].try_into(), numbers[4..].try_into()]
        .map(|number: Result<[u8; 4], _>| u32::from_be_bytes(number.unwrap_or_default()));
    let offer = Options::offer_version(u32::from(version));
    let answer = Options {
        version: offer.version,
        actions: Actions(actions & offer.actions.0),
        steps: Steps(steps) & offer.steps,
        macros: Vec::new(),
    };
    let mut output = BytesMut::new();
    let opening = Opening::new(offer, &mut output);
    output.clear();
    crate::response::Response::Negotiate(answer).encode(&mut output);
    let Ok(Some(frame)) = frame::take(&mut output, LARGEST) else { return };
    let limits = EditLimits { count: 100, octets: 1 << 16 };
    let Ok(mut conversation) = opening.hear(frame, limits) else { return };
    let mut input = BytesMut::from(octets);
    for event in events() {
        // As far ahead of the answers as can be.
        while !conversation.takes(event.stage()) {
            if hear(&mut conversation, &mut input).is_none() {
                return;
            }
        }
        output.clear();
        if let Err(error) = conversation.tell(event, &Known::default(), &mut output) {
            panic!("{error}");
        }
    }
    while conversation.owes() && hear(&mut conversation, &mut input).is_some() {}
}

/// One frame; nothing where the conversation is over.
fn hear(conversation: &mut Conversation, input: &mut BytesMut) -> Option<()> {
    let frame = frame::take(input, LARGEST).ok()??;
    let Heard::Answer(answer) = conversation.hear(frame).ok()? else { return Some(()) };
    if let Action::Reply(reply) = &answer.action {
        assert_sound(reply);
    }
    let message = Message::from_wire(&Bytes::new(), &Bytes::from_static(WIRE));
    if let Ok(edited) = message.apply(&answer.edits) {
        assert!(is_one_message(&edited.added) && is_one_message(&edited.wire));
    }
    Some(())
}

/// An MTA's octets to the filter's side, whose answers go by the octets as well.
///
/// # Panics
/// When both sides would not agree on what was agreed, or the session writes what is no response.
pub fn filter(octets: &[u8]) {
    let Some((head, octets)) = octets.split_first_chunk::<4>() else { return };
    let steps = Steps(u32::from_be_bytes(*head));
    let mut session = Session::new(Wants { steps, ..Wants::default() });
    let mut input = BytesMut::new();
    Command::Negotiate(Options::offer()).encode(&mut input);
    input.extend_from_slice(octets);
    for turn in 0.. {
        let action = match octets.get(turn % octets.len().max(1)).copied().unwrap_or_default() % 8 {
            0 => Action::Accept,
            1 => Action::Reject,
            2 => Action::Skip,
            3 => Action::Discard,
            _ => Action::Continue,
        };
        match session.step(&mut input) {
            Ok(Step::Event(_)) => session.answer(action),
            Ok(Step::End(_)) => assert_eq!(session.finish(Vec::new(), action), Ok(())),
            Ok(Step::Abort | Step::NextSession) => {}
            Ok(Step::Read | Step::Close) | Err(_) => break,
        }
    }
    let mut output = std::mem::take(session.output());
    while let Ok(Some(frame)) = frame::take(&mut output, LARGEST) {
        let response = crate::response::Response::decode(frame);
        if let Ok(crate::response::Response::Negotiate(answer)) = &response {
            assert!(Agreed::new(&Options::offer(), answer.clone()).is_ok());
        }
        assert!(response.is_ok(), "{response:?}");
    }
    assert!(output.is_empty());
}

fn events() -> impl Iterator<Item = Event> {
    let path = || Path::new("<ann@example.org>");
    let field = || Event::Header(Field { name: "Subject".into(), value: " one".into() });
    [
        Event::Connect(Connect { host: "h".into(), client: Client::Unknown }),
        Event::Helo("h".into()),
        Event::EnvFrom(path()),
        Event::EnvRcpt(path()),
        Event::Data,
        field(),
        field(),
        Event::Eoh,
        Event::Body("hello\r\n".into()),
        Event::Eom(Bytes::new()),
    ]
    .into_iter()
}

/// RFC 5321 §4.2: one code of 4yz or 5yz, and text without control characters.
fn assert_sound(reply: &ReplyText) {
    assert!((400..600).contains(&reply.code()));
    assert!(reply.lines().all(|line| !line.chars().any(char::is_control)));
}

/// Nothing in it that the wire takes for an end, and no lone CR or LF.
fn is_one_message(wire: &[u8]) -> bool {
    let pairs = memchr::memmem::find_iter(wire, b"\r\n").count();
    let alone = memchr::memchr_iter(b'\n', wire).count() != pairs
        || memchr::memchr_iter(b'\r', wire).count() != pairs;
    let ends = wire.starts_with(b".\r\n") || memchr::memmem::find(wire, b"\r\n.\r\n").is_some();
    !alone && !ends
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::edit::Edit;
    use crate::response::Response;

    #[test]
    fn a_filter_that_does_all_it_may() {
        let mut octets = vec![6, 0, 0, 1, 0xff, 0, 0, 0, 0];
        let mut frames = BytesMut::new();
        for _ in 0..9 {
            Response::Action(Action::Continue).encode(&mut frames);
        }
        let given = Field { name: "Y".into(), value: "a\n\tb".into() };
        Response::Edit(Edit::InsHeader { index: 0, field: given }).encode(&mut frames);
        Response::Edit(Edit::ReplBody("a\n.\r\nb".into())).encode(&mut frames);
        Response::Action(Action::Accept).encode(&mut frames);
        octets.extend_from_slice(&frames);
        mta(&octets);
    }

    proptest! {
        #[test]
        fn m3_a_hostile_filter_harms_nobody(octets: Vec<u8>) {
            mta(&octets);
        }

        #[test]
        fn m7_a_hostile_mta_harms_nobody(octets: Vec<u8>) {
            filter(&octets);
        }
    }
}
