//! What is told before the answers to what was told are heard.

use super::*;

#[test]
fn content_is_told_in_a_row_and_answered_in_its_order() {
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE[..3]);
    let row = [Stage::Header, Stage::Header, Stage::Eoh, Stage::Body, Stage::Eom];
    for stage in row {
        assert_eq!(tell(&mut conversation, stage), Ok(Told::Awaits), "{stage}");
    }
    // Another message waits for all of them.
    for stage in row {
        assert_eq!(tell(&mut conversation, Stage::EnvFrom), Err(OutOfTurn { stage: Stage::EnvFrom }));
        assert_eq!(conversation.owed(), Some(stage));
        assert_eq!(action(&mut conversation, Action::Continue), answer(Action::Continue, vec![]));
    }
    assert!(!conversation.owes());
    pass(&mut conversation, &MESSAGE);
}

#[test]
fn a_chunk_of_the_body_waits_for_the_answer_to_the_one_before() {
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE[..5]);
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Awaits));
    assert_eq!(tell(&mut conversation, Stage::Body), Err(OutOfTurn { stage: Stage::Body }));
    assert_eq!(action(&mut conversation, Action::Continue), answer(Action::Continue, vec![]));
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Awaits));
    assert_eq!(action(&mut conversation, Action::Skip), answer(Action::Skip, vec![]));
    assert_eq!(tell(&mut conversation, Stage::Body), Ok(Told::Passed));
}

#[test]
fn a_row_has_an_end() {
    let (mut conversation, _) = all();
    pass(&mut conversation, &SESSION);
    pass(&mut conversation, &MESSAGE[..3]);
    for _ in 0..conversation::MOST_AHEAD {
        assert_eq!(tell(&mut conversation, Stage::Header), Ok(Told::Awaits));
    }
    assert_eq!(tell(&mut conversation, Stage::Eoh), Err(OutOfTurn { stage: Stage::Eoh }));
    action(&mut conversation, Action::Continue).unwrap();
    assert_eq!(tell(&mut conversation, Stage::Eoh), Ok(Told::Awaits));
}

#[test]
fn after_a_word_in_a_row_nothing_more_is_told_until_what_is_owed_has_come_and_it_counts_for_nothing() {
    for said in [Action::Reject, Action::Accept, Action::Discard, Action::Shutdown] {
        let (mut conversation, mut output) = all();
        pass(&mut conversation, &SESSION);
        pass(&mut conversation, &MESSAGE[..3]);
        for stage in [Stage::Header, Stage::Header, Stage::Eoh] {
            assert_eq!(tell(&mut conversation, stage), Ok(Told::Awaits));
        }
        assert_eq!(tell(&mut conversation, Stage::Eom), Ok(Told::Awaits));
        assert_eq!(action(&mut conversation, said.clone()), answer(said.clone(), vec![]));
        conversation.abort(&mut output);
        for _ in [Stage::Header, Stage::Eoh] {
            assert!(conversation.owes() && !conversation.next_session(&mut output));
            assert_eq!(action(&mut conversation, Action::Reject), Ok(Heard::More));
        }
        let late = Edit::DelRcpt("<bob@example.net>".into());
        assert_eq!(edit(&mut conversation, late), Ok(Heard::More));
        assert_eq!(action(&mut conversation, Action::Continue), Ok(Heard::More));
        assert!(!conversation.owes());
        if said != Action::Shutdown {
            pass(&mut conversation, &MESSAGE);
        }
    }
}
