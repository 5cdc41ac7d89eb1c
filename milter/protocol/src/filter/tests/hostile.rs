//! What an MTA may not say, and what it may at any time.

use proptest::prelude::*;

use super::*;

#[test]
fn m7_events_out_of_turn_end_the_session() {
    for (stages, wrong) in [
        (&[][..], Stage::EnvFrom),
        (&[Stage::Connect], Stage::Body),
        (&[Stage::Connect], Stage::Header),
        (&[Stage::Connect, Stage::EnvFrom, Stage::Body], Stage::Header),
        (&[Stage::Connect, Stage::EnvFrom], Stage::EnvFrom),
        (&[Stage::Connect], Stage::Connect),
    ] {
        let mut pair = Pair::new(Options::offer(), Wants::default());
        for stage in stages {
            pair.tell(event(*stage), Action::Continue);
        }
        let mut wire = BytesMut::new();
        command(&mut wire, Some(wrong));
        let refused = Err(SessionError::OutOfTurn(OutOfTurn { stage: wrong }));
        assert_eq!(pair.filter.step(&mut wire), refused, "{stages:?} {wrong}");
    }
    let mut wire = BytesMut::new();
    Command::Event(event(Stage::Connect)).encode(&mut wire);
    assert_eq!(Session::new(Wants::default()).step(&mut wire), Err(SessionError::Options));
    let mut pair = Pair::new(Options::offer(), Wants::default());
    Command::Negotiate(Options::offer()).encode(&mut wire);
    assert_eq!(pair.filter.step(&mut wire), Err(SessionError::Options));
}

#[test]
fn m7_abort_and_the_next_session_may_come_in_any_state() {
    for length in 0..ORDER.len() {
        let mut pair = Pair::new(Options::offer(), Wants::default());
        for stage in &ORDER[..length] {
            pair.tell(event(*stage), Action::Continue);
        }
        let in_message = length > 3 && length < ORDER.len();
        let mut wire = BytesMut::new();
        command(&mut wire, None);
        command(&mut wire, None);
        Command::QuitNewConnection.encode(&mut wire);
        if in_message {
            assert_eq!(pair.filter.step(&mut wire), Ok(Step::Abort), "{length}");
        }
        assert_eq!(pair.filter.step(&mut wire), Ok(Step::NextSession), "{length}");
        command(&mut wire, Some(Stage::Connect));
        assert_eq!(pair.filter.step(&mut wire), Ok(asked(Stage::Connect)));
        Command::Quit.encode(&mut wire);
        pair.filter.answer(Action::Continue);
        assert_eq!(pair.filter.step(&mut wire), Ok(Step::Close));
    }
}

proptest! {
    #[test]
    fn m7_no_octets_panic_or_are_kept(chunks: Vec<Vec<u8>>) {
        let mut session = Session::new(Wants::default());
        let mut input = BytesMut::new();
        Command::Negotiate(Options::offer()).encode(&mut input);
        for chunk in chunks {
            input.extend_from_slice(&chunk);
            match session.step(&mut input) {
                Ok(Step::Event(_)) => session.answer(Action::Continue),
                Ok(Step::End(_)) => session.finish(vec![], Action::Continue).unwrap(),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }

    #[test]
    fn m7_any_order_of_commands_is_served_or_refused(stages in proptest::collection::vec(
        proptest::option::of(proptest::sample::select(&Stage::ALL[..])), 0..40)) {
        let mut pair = Pair::new(Options::offer(), Wants::default());
        let mut wire = BytesMut::new();
        for stage in stages {
            Command::Macros(Defined { stage: Stage::EnvFrom, macros: vec![] }).encode(&mut wire);
            command(&mut wire, stage);
            match pair.filter.step(&mut wire) {
                Ok(Step::Event(_)) => pair.filter.answer(Action::Continue),
                Ok(Step::End(_)) => pair.filter.finish(vec![], Action::Continue).unwrap(),
                Ok(_) => {}
                Err(SessionError::OutOfTurn(_)) => break,
                Err(error) => panic!("{error}"),
            }
            pair.filter.output().clear();
        }
    }
}
