//! Offers, answers, and answers that are none.

use proptest::prelude::*;

use super::*;

fn names(list: &[&'static str]) -> Vec<Bytes> {
    list.iter().map(|name| Bytes::from_static(name.as_bytes())).collect()
}

#[test]
fn a_filter_gets_what_it_wants_of_what_is_offered() {
    let wants = Wants {
        actions: Actions::ADD_HEADERS | Actions::CHANGE_HEADERS,
        steps: Steps::NO_HELO | Steps::NO_REPLY_HEADER | Steps::SKIP | Steps::DATA_1M,
        macros: vec![(Stage::EnvFrom, names(&["i", "{auth_authen}"]))],
    };
    let offer = Options::offer();
    let agreed = Agreed::new(&offer, wants.answer(&offer).unwrap()).unwrap();
    assert!(agreed.tells(Stage::Connect) && !agreed.tells(Stage::Helo));
    assert!(agreed.answers(Stage::EnvFrom) && !agreed.answers(Stage::Header));
    assert_eq!(agreed.data_size(), (1 << 20) - 1);
    assert_eq!(agreed.wanted_macros(Stage::EnvFrom), Some(&names(&["i", "{auth_authen}"])[..]));
    assert_eq!(agreed.wanted_macros(Stage::Helo), None);
}

#[test]
fn an_old_mta_is_asked_for_nothing_that_it_does_not_know() {
    let wants = Wants {
        actions: Actions::ADD_HEADERS,
        steps: Steps::SKIP | Steps::NO_DATA | Steps::NO_HELO,
        macros: vec![(Stage::Eom, names(&["i"]))],
    };
    for version in OLDEST..NEWEST {
        let offer = Options::offer_version(version);
        let answer = wants.answer(&offer).unwrap();
        assert!(answer.macros.is_empty() && !answer.steps.contains(Steps::SKIP), "{version}");
        let agreed = Agreed::new(&offer, answer).unwrap();
        assert!(!agreed.tells(Stage::Data) && !agreed.tells(Stage::Helo), "{version}");
        assert_eq!(agreed.tells(Stage::Unknown), version >= 3, "{version}");
    }
}

#[test]
fn an_mta_that_cannot_do_the_edits_is_refused() {
    let wants = Wants { actions: Actions::CHANGE_SENDER | Actions::ADD_HEADERS, ..Wants::default() };
    let answer = wants.answer(&Options::offer_version(2));
    assert_eq!(answer, Err(NegotiateError::Missing(Actions::CHANGE_SENDER)));
}

#[test]
fn m3_an_answer_that_was_not_offered_is_refused() {
    let offer = Options::offer_version(4);
    let answer = |version, actions, steps| {
        Agreed::new(
            &offer,
            Options { version, actions: Actions(actions), steps: Steps(steps), macros: vec![] },
        )
    };
    assert!(answer(4, 0, 0).is_ok());
    for version in [0, 1, 5, 6, u32::MAX] {
        let refused = NegotiateError::Version { offered: 4, answered: version };
        assert_eq!(answer(version, 0, 0), Err(refused));
    }
    assert_eq!(answer(4, 0x41, 0), Err(NegotiateError::Actions(Actions::CHANGE_SENDER)));
    assert_eq!(answer(4, 0, 0x8000_0401), Err(NegotiateError::Steps(Steps(0x8000_0400))));
    let lists = Options { version: 4, macros: vec![(Stage::Helo, names(&["j"]))], ..Options::default() };
    assert_eq!(Agreed::new(&offer, lists), Err(NegotiateError::Lists));
}

#[test]
fn m3_lists_of_macros_without_end_are_refused() {
    let mut payload = BytesMut::new();
    Options::offer().encode(&mut payload);
    let mut many = payload.clone();
    many.put_u32(0);
    many.extend_from_slice(&b"j ".repeat(MOST_NAMES + 1));
    many.put_u8(0);
    assert!(matches!(Options::decode(many.freeze()), Err(DecodeError::Many { .. })));
    let mut strange = payload.clone();
    strange.put_u32(7);
    strange.put_u8(0);
    assert!(matches!(Options::decode(strange.freeze()), Err(DecodeError::Value { .. })));
    for _ in 0..=Stage::ALL.len() {
        payload.put_u32(0);
        payload.put_u8(0);
    }
    assert!(matches!(Options::decode(payload.freeze()), Err(DecodeError::Many { .. })));
}

proptest! {
    #[test]
    fn options_survive_the_wire(version: u32, actions: u32, steps: u32, lists in proptest::collection::vec(
        (0u32..7, proptest::collection::vec("[a-z{}_]{1,20}", 0..5)), 0..7)) {
        let macros = lists
            .into_iter()
            .map(|(number, names)| (Stage::of_list_number(number).unwrap(), names.into_iter().map(Bytes::from).collect()))
            .collect();
        let options = Options { version, actions: Actions(actions), steps: Steps(steps), macros };
        let mut payload = BytesMut::new();
        options.encode(&mut payload);
        prop_assert_eq!(Options::decode(payload.freeze()), Ok(options));
    }

    #[test]
    fn m3_no_payload_panics(payload: Vec<u8>) {
        let _ = Options::decode(payload.into());
    }
}
