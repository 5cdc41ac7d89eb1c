//! The filter's side against our own MTA's side, and against MTAs that do as they like.

mod hostile;

use proptest::prelude::*;

use super::*;
use crate::edit::{Edit, EditError};
use crate::event::{Client, Connect, Field, Path};
use crate::macros::{Defined, Known};
use crate::mta::{Answer, Conversation, EditLimits, Heard, Opening, Told};
use crate::negotiate::{Actions, Options, Steps};
use crate::reply::ReplyText;

/// Both sides, with nothing but octets between them.
struct Pair {
    mta: Conversation,
    filter: Session,
}

/// What came of an event on both sides.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    seen: Option<Step>,
    answer: Option<Answer>,
}

impl Pair {
    fn new(offer: Options, wants: Wants) -> Self {
        let mut wire = BytesMut::new();
        let opening = Opening::new(offer, &mut wire);
        let mut filter = Session::new(wants);
        assert_eq!(filter.step(&mut wire), Ok(Step::Read));
        let frame = frame::take(filter.output(), LARGEST).unwrap().unwrap();
        let mta = opening.hear(frame, EditLimits::default()).unwrap();
        assert_eq!(Some(mta.agreed()), filter.agreed().map(|agreed| &**agreed));
        Self { mta, filter }
    }

    /// The MTA tells, the filter answers.
    fn tell(&mut self, event: Event, action: Action) -> Outcome {
        let mut wire = BytesMut::new();
        let told = self.mta.tell(event, &Known::default(), &mut wire).unwrap();
        let seen = match self.filter.step(&mut wire).unwrap() {
            Step::Read => None,
            step => Some(step),
        };
        match &seen {
            Some(Step::End(_)) => self.filter.finish(vec![], action).unwrap(),
            Some(Step::Event(_)) => self.filter.answer(action),
            _ => {}
        }
        let heard = self.hear();
        assert_eq!(heard.is_some(), told == Told::Awaits);
        Outcome { seen, answer: heard }
    }

    fn hear(&mut self) -> Option<Answer> {
        let mut answer = None;
        while let Some(frame) = frame::take(self.filter.output(), LARGEST).unwrap() {
            assert_eq!(answer, None, "something behind the action");
            if let Heard::Answer(heard) = self.mta.hear(frame).unwrap() {
                answer = Some(heard);
            }
        }
        answer
    }
}

fn event(stage: Stage) -> Event {
    let path = Path { path: "<ann@example.org>".into(), arguments: vec!["SIZE=10".into()] };
    match stage {
        Stage::Connect => {
            Event::Connect(Connect { host: "h".into(), client: Client::Inet(([192, 0, 2, 1], 25).into()) })
        }
        Stage::Helo => Event::Helo("h".into()),
        Stage::EnvFrom => Event::EnvFrom(path),
        Stage::EnvRcpt => Event::EnvRcpt(path),
        Stage::Data => Event::Data,
        Stage::Header => Event::Header(Field { name: "Subject".into(), value: "hi".into() }),
        Stage::Eoh => Event::Eoh,
        Stage::Body => Event::Body("hi\r\n".into()),
        Stage::Eom => Event::Eom("ho\r\n".into()),
        Stage::Unknown => Event::Unknown("TURN".into()),
    }
}

fn asked(stage: Stage) -> Step {
    match event(stage) {
        Event::Eom(rest) => Step::End(rest),
        event => Step::Event(event),
    }
}

const ORDER: [Stage; 12] = [
    Stage::Connect,
    Stage::Helo,
    Stage::Unknown,
    Stage::EnvFrom,
    Stage::EnvRcpt,
    Stage::EnvRcpt,
    Stage::Data,
    Stage::Header,
    Stage::Eoh,
    Stage::Body,
    Stage::Body,
    Stage::Eom,
];

fn reply() -> Action {
    Action::Reply(ReplyText::new(451, Some((4, 7, 1)), "later\nperhaps").unwrap())
}

#[test]
fn a_refusal_that_is_not_waited_for_is_given_where_one_is() {
    let steps = Steps::NO_REPLY_HEADER | Steps::NO_REPLY_BODY | Steps::NO_REPLY_MAIL;
    let mut pair = Pair::new(Options::offer(), Wants { steps, ..Wants::default() });
    for stage in [Stage::Connect, Stage::EnvFrom, Stage::EnvRcpt, Stage::Data] {
        pair.tell(event(stage), Action::Continue);
    }
    let said = pair.tell(event(Stage::Header), reply());
    assert_eq!(said, Outcome { seen: Some(asked(Stage::Header)), answer: None });
    // The filter is not asked about the second field any more, and the MTA hears at the end of the header.
    assert_eq!(pair.tell(event(Stage::Header), Action::Continue), Outcome { seen: None, answer: None });
    let told = pair.tell(event(Stage::Eoh), Action::Continue);
    assert_eq!(told, Outcome { seen: None, answer: Some(Answer { action: reply(), edits: vec![] }) });
    assert!(pair.filter.is_idle());
    // The next message is another one.
    let mut wire = BytesMut::new();
    pair.mta.abort(&mut wire);
    assert_eq!(pair.filter.step(&mut wire), Ok(Step::Read));
    let next = pair.tell(event(Stage::EnvFrom), Action::Continue);
    assert_eq!(next, Outcome { seen: Some(asked(Stage::EnvFrom)), answer: None });
}

#[test]
fn after_the_last_word_on_a_message_the_rest_of_its_row_is_passed_over() {
    let mut pair = Pair::new(Options::offer(), Wants::default());
    for stage in [Stage::Connect, Stage::EnvFrom, Stage::EnvRcpt, Stage::Data] {
        pair.tell(event(stage), Action::Continue);
    }
    let mut wire = BytesMut::new();
    let known = |wire: &mut BytesMut, stage, id: &'static str| {
        Command::Macros(Defined { stage, macros: vec![("i".into(), id.into())] }).encode(wire);
    };
    for stage in [Stage::Header, Stage::Eoh, Stage::Body, Stage::Eom] {
        known(&mut wire, stage, "past");
        command(&mut wire, Some(stage));
    }
    assert_eq!(pair.filter.step(&mut wire), Ok(asked(Stage::Header)));
    pair.filter.answer(Action::Reject);
    assert_eq!(pair.filter.step(&mut wire), Ok(Step::Read));
    assert_eq!(&pair.filter.output()[..], b"\0\0\0\x01r");
    // Nor is what was told beside it known of the next message.
    assert_eq!(pair.filter.macros().text("i"), None);
    known(&mut wire, Stage::EnvFrom, "next");
    command(&mut wire, Some(Stage::EnvFrom));
    assert_eq!(pair.filter.step(&mut wire), Ok(asked(Stage::EnvFrom)));
    assert_eq!(pair.filter.macros().text("i"), Some("next"));
    // What is no rest of a message is out of turn, as ever.
    pair.filter.answer(Action::Continue);
    command(&mut wire, Some(Stage::Eom));
    assert_eq!(pair.filter.step(&mut wire), Ok(asked(Stage::Eom)));
    pair.filter.answer(Action::Continue);
    command(&mut wire, Some(Stage::Eoh));
    assert!(matches!(pair.filter.step(&mut wire), Err(SessionError::OutOfTurn(_))));
}

#[test]
fn a_verdict_on_the_session_that_is_not_waited_for_holds_for_all_of_it() {
    let wants = Wants { steps: Steps::NO_REPLY_CONNECT | Steps::NO_HELO, ..Wants::default() };
    let mut pair = Pair::new(Options::offer(), wants);
    pair.tell(event(Stage::Connect), Action::Reject);
    for _ in 0..2 {
        let told = pair.tell(event(Stage::EnvFrom), Action::Continue);
        assert_eq!(
            told,
            Outcome { seen: None, answer: Some(Answer { action: Action::Reject, edits: vec![] }) }
        );
        let mut wire = BytesMut::new();
        pair.mta.abort(&mut wire);
        assert_eq!(pair.filter.step(&mut wire), Ok(Step::Read));
    }
}

#[test]
fn skip_works_with_an_mta_that_does_not_know_it() {
    let wants = Wants { steps: Steps::SKIP, ..Wants::default() };
    let mut pair = Pair::new(Options::offer_version(4), wants);
    for stage in &ORDER[..9] {
        pair.tell(event(*stage), Action::Continue);
    }
    let go_on = Some(Answer { action: Action::Continue, edits: vec![] });
    let skipped = pair.tell(event(Stage::Body), Action::Skip);
    assert_eq!(skipped, Outcome { seen: Some(asked(Stage::Body)), answer: go_on.clone() });
    assert_eq!(pair.tell(event(Stage::Body), Action::Reject), Outcome { seen: None, answer: go_on });
}

#[test]
fn a_new_body_is_cut_into_frames_and_comes_whole() {
    for steps in [Steps::default(), Steps::DATA_256K, Steps::DATA_1M] {
        let steps = steps | Steps::LEADING_SPACE;
        let wants = Wants { actions: Actions::of_version(6), steps, ..Wants::default() };
        let mut pair = Pair::new(Options::offer(), wants);
        for stage in &ORDER[..11] {
            pair.tell(event(*stage), Action::Continue);
        }
        let body: Bytes = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
        let mut wire = BytesMut::new();
        pair.mta.tell(event(Stage::Eom), &Known::default(), &mut wire).unwrap();
        assert_eq!(pair.filter.step(&mut wire), Ok(asked(Stage::Eom)));
        let field = Field { name: "X".into(), value: "y".into() };
        let edits = vec![Edit::AddHeader(field.clone()), Edit::ReplBody(body.clone())];
        pair.filter.progress();
        pair.filter.finish(edits, Action::Accept).unwrap();
        let answer = pair.hear().unwrap();
        let mut whole = Vec::new();
        for edit in &answer.edits {
            match edit {
                Edit::AddHeader(added) => assert_eq!(added, &field),
                Edit::ReplBody(chunk) => whole.extend_from_slice(chunk),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((answer.action, whole.len()), (Action::Accept, body.len()));
        assert!(whole == body);
    }
}

#[test]
fn an_edit_that_is_none_is_not_sent() {
    let mut pair = Pair::new(Options::offer(), Wants { actions: Actions::ADD_HEADERS, ..Wants::default() });
    for stage in &ORDER[..11] {
        pair.tell(event(*stage), Action::Continue);
    }
    let mut wire = BytesMut::new();
    pair.mta.tell(event(Stage::Eom), &Known::default(), &mut wire).unwrap();
    pair.filter.step(&mut wire).unwrap();
    let field = Field { name: "X".into(), value: "y\nz".into() };
    assert_eq!(pair.filter.finish(vec![Edit::AddHeader(field)], Action::Accept), Err(EditError::Value));
    let unwanted = vec![Edit::ReplBody(Bytes::new())];
    assert_eq!(pair.filter.finish(unwanted, Action::Accept), Err(EditError::NotAgreed));
    assert!(pair.filter.output().is_empty());
    pair.filter.finish(vec![], Action::Tempfail).unwrap();
    assert_eq!(pair.hear().unwrap().action, Action::Tempfail);
}

/// What an MTA may send at any time, and what it may not.
fn command(octets: &mut BytesMut, stage: Option<Stage>) {
    match stage {
        Some(stage) => Command::Event(event(stage)).encode(octets),
        None => Command::Abort.encode(octets),
    }
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => Just(Action::Continue),
        1 => Just(Action::Accept),
        1 => Just(Action::Reject),
        1 => Just(Action::Tempfail),
        1 => Just(Action::Discard),
        1 => Just(Action::Skip),
        1 => Just(reply()),
        1 => Just(Action::Shutdown),
    ]
}

proptest! {
    /// Whatever was agreed and whatever is answered, both sides stay in step: the filter sees only what it wants,
    /// and what it says where an answer is due is what the MTA hears.
    #[test]
    fn both_sides_stay_in_step(version in 2u32..=6, steps: u32, said in proptest::collection::vec(actions(), 24)) {
        let wants = Wants { steps: Steps(steps), ..Wants::default() };
        let mut pair = Pair::new(Options::offer_version(version), wants);
        let mut said = said.into_iter();
        for _message in 0..2 {
            for stage in ORDER {
                if _message == 1 && matches!(stage, Stage::Connect | Stage::Helo) {
                    continue;
                }
                let action = said.next().unwrap_or(Action::Continue);
                let wanted = pair.mta.wants(stage);
                let outcome = pair.tell(event(stage), action.clone());
                let nothing = Outcome { seen: None, answer: None };
                prop_assert!(wanted || outcome == nothing, "{:?}", outcome);
                if let (Some(_), Some(answer)) = (&outcome.seen, &outcome.answer) {
                    let knows = action != Action::Skip || pair.mta.agreed().steps.contains(Steps::SKIP);
                    let expected = if knows && action.is_legal(stage) { action } else { Action::Continue };
                    prop_assert_eq!(&answer.action, &expected);
                }
            }
            let mut wire = BytesMut::new();
            pair.mta.abort(&mut wire);
            while pair.filter.step(&mut wire).unwrap() != Step::Read {}
        }
    }
}
