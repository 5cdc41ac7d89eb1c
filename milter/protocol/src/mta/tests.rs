//! What a filter may say and when, and what an answer means for what follows.

mod row;

use bytes::Bytes;

use super::*;
use crate::event::{Client, Connect, Event, Field, Path};
use crate::frame::{LARGEST, take};
use crate::macros::Known;
use crate::negotiate::{Actions, Steps};
use crate::reply::ReplyText;
use crate::turn::OutOfTurn;

/// A conversation after an answer with these actions and steps, and what it wrote.
fn opened(actions: Actions, steps: Steps) -> (Conversation, BytesMut) {
    let mut output = BytesMut::new();
    let opening = Opening::new(Options::offer(), &mut output);
    output.clear();
    let answer = Options { version: 6, actions, steps, macros: Vec::new() };
    let conversation = opening.hear(framed(&Response::Negotiate(answer)), EditLimits::default());
    (conversation.unwrap(), output)
}

fn all() -> (Conversation, BytesMut) {
    opened(Actions::of_version(6), Steps::SKIP)
}

fn framed(response: &Response) -> Frame {
    let mut octets = BytesMut::new();
    response.encode(&mut octets);
    take(&mut octets, LARGEST).unwrap().unwrap()
}

fn action(conversation: &mut Conversation, action: Action) -> Result<Heard, HearError> {
    conversation.hear(framed(&Response::Action(action)))
}

fn edit(conversation: &mut Conversation, edit: Edit) -> Result<Heard, HearError> {
    conversation.hear(framed(&Response::Edit(edit)))
}

fn answer(action: Action, edits: Vec<Edit>) -> Result<Heard, HearError> {
    Ok(Heard::Answer(Answer { action, edits }))
}

fn event(stage: Stage) -> Event {
    let path = Path::new("<ann@example.org>");
    match stage {
        Stage::Connect => Event::Connect(Connect { host: "h".into(), client: Client::Unknown }),
        Stage::Helo => Event::Helo("h".into()),
        Stage::EnvFrom => Event::EnvFrom(path),
        Stage::EnvRcpt => Event::EnvRcpt(path),
        Stage::Data => Event::Data,
        Stage::Header => Event::Header(Field { name: "Subject".into(), value: "hi".into() }),
        Stage::Eoh => Event::Eoh,
        Stage::Body => Event::Body("hi\r\n".into()),
        Stage::Eom => Event::Eom(Bytes::new()),
        Stage::Unknown => Event::Unknown("TURN".into()),
    }
}

fn tell(conversation: &mut Conversation, stage: Stage) -> Result<Told, OutOfTurn> {
    conversation.tell(event(stage), &Known::default(), &mut BytesMut::new())
}

/// Goes on through these stages.
fn pass(conversation: &mut Conversation, stages: &[Stage]) {
    for stage in stages {
        assert_eq!(tell(conversation, *stage), Ok(Told::Awaits), "{stage}");
        assert_eq!(action(conversation, Action::Continue), answer(Action::Continue, vec![]), "{stage}");
    }
}

const SESSION: [Stage; 2] = [Stage::Connect, Stage::Helo];
const MESSAGE: [Stage; 6] =
    [Stage::EnvFrom, Stage::EnvRcpt, Stage::Data, Stage::Header, Stage::Eoh, Stage::Body];

#[test]
fn m1_edits_come_out_with_the_final_action_and_not_before() {
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    for (last, given) in [
        (Action::Continue, true),
        (Action::Accept, true),
        (Action::Reject, false),
        (Action::Tempfail, false),
        (Action::Discard, false),
    ] {
        pass(&mut conversation, &MESSAGE);
        assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
        let edits = vec![Edit::ReplBody("new".into()), Edit::ReplBody(" body".into())];
        for one in edits.clone() {
            assert_eq!(edit(&mut conversation, one), Ok(Heard::More));
        }
        assert_eq!(conversation.hear(framed(&Response::Progress)), Ok(Heard::Progress));
        let expected = answer(last.clone(), if given { edits } else { vec![] });
        assert_eq!(action(&mut conversation, last), expected);
    }
}

#[test]
fn m3_what_is_not_asked_for_or_not_agreed_ends_the_conversation() {
    let (mut conversation, _) = opened(Actions::ADD_HEADERS, Steps::default());
    assert_eq!(action(&mut conversation, Action::Continue), Err(HearError::Unasked));
    assert_eq!(tell(&mut conversation, Stage::Connect), Ok(Told::Awaits));
    let early = Edit::AddHeader(Field { name: "X".into(), value: "y".into() });
    let unfit = |response, stage| Err(HearError::Unfit { response, stage });
    assert_eq!(edit(&mut conversation, early), unfit("addheader", Stage::Connect));
    assert_eq!(action(&mut conversation, Action::Discard), unfit("discard", Stage::Connect));
    let again = conversation.hear(framed(&Response::Negotiate(Options::offer())));
    assert_eq!(again, unfit("optneg", Stage::Connect));

    let (mut conversation, _) = opened(Actions::ADD_HEADERS, Steps::default());
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE);
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Awaits));
    assert_eq!(action(&mut conversation, Action::Skip), unfit("skip", Stage::Body));

    let (mut conversation, _) = opened(Actions::ADD_HEADERS, Steps::default());
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE);
    assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
    let refused = HearError::Edit { edit: "replbody", error: EditError::NotAgreed };
    assert_eq!(edit(&mut conversation, Edit::ReplBody("x".into())), Err(refused));
}

#[test]
fn m4_a_poisoned_edit_ends_the_conversation() {
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE);
    assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
    let field = Field { name: "X".into(), value: "y\r\n.\r\nMAIL FROM:<>".into() };
    let refused = HearError::Edit { edit: "addheader", error: EditError::Value };
    assert_eq!(edit(&mut conversation, Edit::AddHeader(field)), Err(refused));
}

#[test]
fn edits_are_bounded_in_number_and_in_octets() {
    let limits = EditLimits { count: 3, octets: 10 };
    let refused = Err(HearError::Edit { edit: "replbody", error: EditError::TooMuch });
    for (body, taken) in [(&b"1234"[..], 2), (b"1", 3)] {
        let (mut conversation, _) = all();
        conversation.limits = limits;
        pass(&mut conversation, &SESSION);
        pass(&mut conversation, &MESSAGE);
        assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
        for _ in 0..taken {
            assert_eq!(edit(&mut conversation, Edit::ReplBody(body.into())), Ok(Heard::More));
        }
        assert_eq!(edit(&mut conversation, Edit::ReplBody(body.into())), refused);
    }
}

#[test]
fn m5_accepting_one_message_says_nothing_of_the_next() {
    for said_at in [Stage::EnvFrom, Stage::EnvRcpt, Stage::Data, Stage::Header] {
        for said in [Action::Accept, Action::Discard] {
            let (mut conversation, mut output) = all();
            pass(&mut conversation, &SESSION);
            let before = MESSAGE.iter().position(|stage| *stage == said_at).unwrap();
            pass(&mut conversation, &MESSAGE[..before]);
            assert_eq!(tell(&mut conversation, said_at), Ok(Told::Awaits));
            assert_eq!(action(&mut conversation, said.clone()), answer(said, vec![]));
            assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Passed));
            assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Passed));
            // Somebody else refuses the message; the next one is asked about again.
            conversation.abort(&mut output);
            assert_eq!(&output[..], b"\0\0\0\x01A");
            pass(&mut conversation, &MESSAGE);
        }
    }
}

#[test]
fn accepting_before_a_message_is_for_the_whole_session() {
    let (mut conversation, mut output) = all();
    assert_eq!(tell(&mut conversation, Stage::Connect), Ok(Told::Awaits));
    assert_eq!(action(&mut conversation, Action::Accept), answer(Action::Accept, vec![]));
    for stage in [Stage::Helo, Stage::EnvFrom, Stage::EnvRcpt, Stage::Eom] {
        assert_eq!(tell(&mut conversation, stage), Ok(Told::Passed));
    }
    conversation.abort(&mut output);
    assert_eq!(tell(&mut conversation, Stage::EnvFrom), Ok(Told::Passed));
    assert!(output.is_empty());
}

#[test]
fn another_session_follows_only_where_libmilter_understands_it() {
    for last in [Action::Accept, Action::Reject, Action::Tempfail, Action::Continue] {
        let (mut conversation, mut output) = all();
        assert!(!conversation.next_session(&mut output));
        pass(&mut conversation, &SESSION);
        pass(&mut conversation, &MESSAGE);
        assert!(!conversation.next_session(&mut output), "in a message");
        assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
        assert!(!conversation.next_session(&mut output), "an answer is owed");
        action(&mut conversation, last.clone()).unwrap();
        conversation.abort(&mut output);
        assert_eq!(conversation.next_session(&mut output), last == Action::Continue, "{last:?}");
        if last == Action::Continue {
            assert_eq!(&output[..], b"\0\0\0\x01K");
            pass(&mut conversation, &SESSION);
        }
    }
}

#[test]
fn a_refused_recipient_is_one_recipient_less() {
    let reply = Action::Reply(ReplyText::new(550, Some((5, 1, 1)), "no such user").unwrap());
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &[Stage::EnvFrom]);
    for said in [Action::Reject, Action::Tempfail, reply] {
        assert_eq!(tell(&mut conversation, Stage::EnvRcpt), Ok(Told::Awaits));
        assert_eq!(action(&mut conversation, said.clone()), answer(said, vec![]));
    }
    pass(&mut conversation, &MESSAGE[1..]);
}

#[test]
fn skip_leaves_out_one_kind_of_event_of_one_message() {
    let (mut conversation, mut output) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE[..5]);
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Awaits));
    assert_eq!(action(&mut conversation, Action::Skip), answer(Action::Skip, vec![]));
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Passed));
    pass(&mut conversation, &[Stage::Eom]);
    pass(&mut conversation, &MESSAGE);
    conversation.abort(&mut output);
}

#[test]
fn an_event_out_of_turn_is_our_own_fault() {
    let wrong = |stages: &[Stage], stage| {
        let (mut conversation, _) = all();
        pass(&mut conversation, stages);
        assert_eq!(tell(&mut conversation, stage), Err(OutOfTurn { stage }), "{stages:?} {stage}");
    };
    wrong(&[], Stage::EnvFrom);
    wrong(&[Stage::Connect], Stage::Connect);
    wrong(&[Stage::Connect], Stage::EnvRcpt);
    wrong(&[Stage::Connect], Stage::Body);
    wrong(&[Stage::Connect, Stage::EnvFrom], Stage::EnvFrom);
    wrong(&[Stage::Connect, Stage::EnvFrom], Stage::Helo);
    wrong(&[Stage::Connect, Stage::EnvFrom, Stage::Data], Stage::EnvRcpt);
    wrong(&[Stage::Connect, Stage::EnvFrom, Stage::Data], Stage::Unknown);
    wrong(&[Stage::Connect, Stage::EnvFrom, Stage::Body], Stage::Header);
    let (mut conversation, _) = all();
    assert_eq!(tell(&mut conversation, Stage::Connect), Ok(Told::Awaits));
    assert_eq!(tell(&mut conversation, Stage::Helo), Err(OutOfTurn { stage: Stage::Helo }));
}

#[test]
fn macros_go_before_their_event_and_only_those_that_are_wanted() {
    let (mut conversation, mut output) = all();
    conversation.agreed.macros = vec![(Stage::Helo, vec!["{cipher}".into(), "j".into()])];
    let mut known = Known::default();
    known.set("j", "mx");
    known.set("i", "4X");
    known.set("cipher", "AES");
    assert_eq!(conversation.tell(event(Stage::Connect), &known, &mut output), Ok(Told::Awaits));
    assert_eq!(&output[..], b"\0\0\0\x07DCj\0mx\0\0\0\0\x04Ch\0U");
    action(&mut conversation, Action::Continue).unwrap();
    output.clear();
    assert_eq!(conversation.tell(event(Stage::Helo), &known, &mut output), Ok(Told::Awaits));
    assert_eq!(&output[..], b"\0\0\0\x14DH{cipher}\0AES\0j\0mx\0\0\0\0\x03Hh\0");
}

#[test]
fn a_field_larger_than_a_frame_is_told_by_its_beginning() {
    let (mut conversation, mut output) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE[..3]);
    let field = Field { name: "X".into(), value: vec![b'y'; 200_000].into() };
    conversation.tell(Event::Header(field), &Known::default(), &mut output).unwrap();
    assert_eq!(output.len(), 4 + 1 + 65_535);
}

#[test]
fn an_old_filter_gets_no_second_session() {
    let mut output = BytesMut::new();
    let opening = Opening::new(Options::offer(), &mut output);
    let answer = Response::Negotiate(Options { version: 2, ..Options::default() });
    let mut conversation = opening.hear(framed(&answer), EditLimits::default()).unwrap();
    output.clear();
    assert!(!conversation.next_session(&mut output));
    conversation.quit(&mut output);
    assert_eq!(&output[..], b"\0\0\0\x01Q");
}
