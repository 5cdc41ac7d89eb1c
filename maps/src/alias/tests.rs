//! Aliases followed to their end.

use proptest::prelude::*;

use super::*;

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

#[test]
fn l2_a_loop_and_a_long_way_are_told() {
    let next = |mailbox: &Mailbox| {
        let number: usize = mailbox.local.as_str()[1..].parse().unwrap();
        mailbox
            .local
            .as_str()
            .starts_with('r')
            .then(|| format!("r{}@x.example", (number + 1) % 3))
            .or_else(|| (number > 0).then(|| format!("d{}@x.example", number - 1)))
    };
    let ask = |asked: &Mailbox| match next(asked) {
        Some(target) => Answer::Found(vec![mailbox(&target)]),
        None => Answer::NotFound,
    };
    assert_eq!(expand(&mailbox("r0@x.example"), ask), Err(ExpandError::Loop(mailbox("r0@x.example"))));
    let deep = |steps: usize| expand(&mailbox(&format!("d{steps}@x.example")), ask);
    assert_eq!(deep(MAX_DEPTH), Ok(vec![mailbox("d0@x.example")]));
    assert_eq!(deep(MAX_DEPTH + 1), Err(ExpandError::TooDeep(mailbox("d1@x.example"))));
}

#[test]
fn a_map_that_cannot_say_is_no_end() {
    let unavailable = Unavailable { map: MapName::VirtualAlias, why: "gone".into() };
    let answer = expand(&mailbox("a@x.example"), |_| Answer::Unavailable(unavailable.clone()));
    assert_eq!(answer, Err(ExpandError::Unavailable(unavailable)));
}

proptest! {
    #[test]
    fn what_is_read_is_what_it_means(locals in proptest::collection::vec("[ -~é]{1,12}", 1..6)) {
        let expected: Vec<_> = locals
            .iter()
            .map(|local| Mailbox { local: LocalPart::new(local).unwrap(), host: Host::parse("x.example").unwrap() })
            .collect();
        let value = expected.iter().map(Mailbox::to_string).collect::<Vec<_>>().join(", ");
        let text = read(&value, None).unwrap();
        let asked = mailbox("any@y.example");
        prop_assert_eq!(targets(&text, &asked, Matched::Whole, &Rules::default()), Some(expected));
    }

    #[test]
    fn no_text_panics(value in "\\PC{0,80}", word in "[@<>\", \\\\a.é]{0,20}") {
        let origin = Domain::parse("x.example").ok();
        for value in [&value, &word] {
            if let Ok(text) = read(value, origin.as_ref()) {
                let asked = mailbox("any@y.example");
                prop_assert!(targets(&text, &asked, Matched::Whole, &Rules::default()).is_some(), "{}", text);
            }
        }
    }
}
