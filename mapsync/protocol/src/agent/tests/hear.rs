//! What hubs show: taken, or not, and what moves nobody.

use super::*;

#[test]
fn a_host_that_was_away_fetches_the_head_that_is_released() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 1);
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(3) });
    let asked = host.told(Input::Release { hub: 1, envelope: &line.release(2, 2) });
    assert_eq!(asked, [Action::AskHead { hub: 1, head: line.name(2) }]);
    host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(2) });
    assert_eq!(host.link, Some(line.name(2)));
    assert_eq!(host.agent.trusted().newest(), Some(line.name(3)));
    // After a restart the head is taken already, but what it says is asked for again.
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    host.restart();
    let asked = host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    assert_eq!(asked, [Action::AskHead { hub: 0, head: line.name(2) }]);
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(2) });
    assert_eq!(host.link, Some(line.name(2)));
}

#[test]
fn y2_y13_when_all_is_expired_or_no_hub_is_left_nothing_moves() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(2) });
    // A release that came in time, but not for this host's share; thirty days later it is still at hand.
    let none = line.changed(2, 2, |release| release.permille = 0);
    host.all_goes_well(Input::Release { hub: 0, envelope: &none });
    host.now = Timestamp(NOW.0 + 30 * 86_400);
    host.restart();
    let lacks = Input::Lacks { hub: 0, asked: Asked::Root(2) };
    for input in [Input::Rested, Input::Head { hub: 0, envelope: line.octets(2) }, lacks] {
        let moved = host.all_goes_well(input);
        assert!(moved.iter().all(|action| matches!(action, Action::AskRoot { .. })), "{moved:?}");
    }
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(3, 2) });
    assert_eq!(host.link, Some(line.name(1)), "what is in use stays in use");
    let said: Vec<_> = host.agent.alarms(host.now).iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("the keys expired") && said[1].starts_with("the generation in use"),
        "{said:?}"
    );
    assert!(said[2].starts_with("hub 0 shows what is not taken"), "{said:?}");
    // A clock that goes back before anything was made takes nothing either.
    host.now = Timestamp(1);
    let moved = host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(2) });
    assert!(matches!(moved.as_slice(), [Action::Rest(_)]), "{moved:?}");
    assert_eq!(host.link, Some(line.name(1)));
}

#[test]
fn y7_of_two_heads_with_one_number_neither_is_put_in_use() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    let twin = Head { note: "another".to_owned(), ..head(2, Some(line.name(1).hash)) };
    let (twin, hash) = by(&twin, &[4, 5]);
    assert_eq!(host.told(Input::Head { hub: 1, envelope: &twin }), []);
    let said: Vec<_> = host.agent.alarms(NOW).iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|alarm| alarm.contains("fork: generation 2")), "{said:?}");
    let outcome = Outcome::Got;
    assert_eq!(host.told(Input::Fetched { hub: 0, file: &file("maps/a", 2), delta: true, outcome }), []);
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    host.all_goes_well(Input::Release { hub: 1, envelope: &by(&release(3, 2, hash), &[6]).0 });
    host.all_goes_well(Input::Head { hub: 1, envelope: &twin });
    assert_eq!(host.link, Some(line.name(1)));
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(3) });
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(4, 3) });
    assert_eq!(host.link, Some(line.name(3)), "the next generation ends it");
}

#[test]
fn new_keys_are_asked_for_when_a_message_needs_them() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    let mut next = root(2);
    next.roles.push.keys = [11, 12].map(|n| crate::trust::tests::key(n).public()).into();
    let (pushed, hash) = by(&head(1, None), &[11, 12]);
    let asked = host.told(Input::Head { hub: 1, envelope: &pushed });
    assert_eq!(asked, [Action::AskRoot { hub: 1, version: 2 }]);
    let next = by(&next, &[1, 2]).0;
    let asked = host.told(Input::Root { hub: 1, envelope: &next });
    assert_eq!(asked, [Action::AskRoot { hub: 1, version: 3 }, Action::AskAgain { hub: 1 }]);
    // No old key counts, so the numbers begin anew: generation 1 of the new keys is newer than what is in use.
    host.all_goes_well(Input::Head { hub: 1, envelope: &pushed });
    host.all_goes_well(Input::Release { hub: 1, envelope: &by(&release(9, 1, hash), &[6]).0 });
    assert_eq!(host.link, Some(HeadRef { generation: 1, hash }));
    // A root that is refused asks for nothing: no hub can make a host run in a circle.
    assert_eq!(host.told(Input::Root { hub: 1, envelope: &by(&root(2), &[1]).0 }), []);
}

#[test]
fn y2_a_release_that_is_out_of_time_when_its_set_is_ready_moves_nobody() {
    let line = Line::new(2);
    for (late, link) in [(false, 2), (true, 1)] {
        let mut host = Host::running(&line, 1);
        host.told(Input::Head { hub: 0, envelope: line.octets(2) });
        assert_eq!(host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) }), []);
        if late {
            host.now = release(2, 2, line.name(2).hash).expires;
        }
        let (new, outcome) = (file("maps/a", 2), Outcome::Got);
        let staging = host.told(Input::Fetched { hub: 0, file: &new, delta: true, outcome });
        let [Action::Stage(set)] = staging.as_slice() else { panic!("{staging:?}") };
        host.sets.push((**set).clone());
        host.all_goes_well(Input::Staged(Ok(())));
        host.all_goes_well(Input::Rested);
        assert_eq!(host.agent.active(), Some(line.name(link)), "late: {late}");
    }
}

#[test]
fn y4_what_keys_signed_that_are_struck_out_moves_nobody() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    let mut next = root(2);
    next.roles.push.keys = [11, 12].map(|n| crate::trust::tests::key(n).public()).into();
    host.told(Input::Root { hub: 0, envelope: &by(&next, &[1, 2]).0 });
    let (new, outcome) = (file("maps/a", 2), Outcome::Got);
    assert_eq!(host.told(Input::Fetched { hub: 0, file: &new, delta: true, outcome }), []);
    assert_eq!(host.told(Input::Rested), []);
    assert_eq!(host.agent.active(), Some(line.name(1)));
}

#[test]
fn a_head_from_the_future_is_asked_for_again() {
    let line = Line::new(1);
    let mut host = Host::new();
    host.now = Timestamp(1);
    let rest = host.told(Input::Head { hub: 1, envelope: line.octets(1) });
    assert!(matches!(rest.as_slice(), [Action::Rest(_)]), "{rest:?}");
    assert_eq!(host.told(Input::Head { hub: 0, envelope: line.octets(1) }), [], "one rest for both");
    assert_eq!(host.told(Input::Rested), [0, 1].map(|hub| Action::AskAgain { hub }));
    assert_eq!(host.told(Input::Rested), [], "once");
    host.now = NOW;
    host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(1) });
    assert_eq!(host.agent.trusted().newest(), Some(line.name(1)));
}

#[test]
fn what_has_expired_by_a_clock_that_is_ahead_is_asked_for_again() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    let mut long = root(2);
    long.expires = Timestamp(u64::MAX);
    host.told(Input::Root { hub: 0, envelope: &by(&long, &[1, 2]).0 });
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    host.now = Timestamp(NOW.0 + 400 * 86_400);
    for (hub, input) in [
        (1, Input::Head { hub: 1, envelope: line.octets(2) }),
        (0, Input::Release { hub: 0, envelope: &line.release(2, 2) }),
    ] {
        let rest = host.told(input);
        assert!(matches!(rest.as_slice(), [Action::Rest(_)]), "{rest:?}");
        assert_eq!(host.told(Input::Rested), [Action::AskAgain { hub }]);
    }
    assert_eq!(host.refused, [("head", "expired"), ("release", "expired")]);
    host.now = NOW;
    host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(2) });
    let of_before = (file("maps/a", 2), Outcome::Got);
    host.all_goes_well(Input::Fetched { hub: 0, file: &of_before.0, delta: true, outcome: of_before.1 });
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    assert_eq!(host.link, Some(line.name(2)));
}

#[test]
fn what_overtakes_what_it_needs_is_no_attack_unless_the_hub_has_no_answer() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 1);
    // Each of these comes over a connection of its own: the release before its head, a head before the keys.
    let asked = host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    assert_eq!(asked, [Action::AskHead { hub: 0, head: line.name(2) }]);
    let mut next = root(2);
    next.roles.push.keys.extend([11, 12].map(|n| crate::trust::tests::key(n).public()));
    let (pushed, hash) = by(&head(3, Some(line.name(2).hash)), &[11, 12]);
    let asked = host.told(Input::Head { hub: 1, envelope: &pushed });
    assert_eq!(asked, [Action::AskRoot { hub: 1, version: 2 }]);
    assert_eq!((host.refused.as_slice(), host.agent.alarms(NOW).as_slice()), (&[][..], &[][..]));
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(2) });
    assert_eq!(host.link, Some(line.name(2)));
    // Another hub shows the keys first: who showed what they signed is asked anew.
    let asked = host.told(Input::Root { hub: 0, envelope: &by(&next, &[1, 2]).0 });
    let again = [0, 1].map(|hub| Action::AskAgain { hub });
    assert_eq!(asked, [vec![Action::AskRoot { hub: 0, version: 3 }], again.to_vec()].concat());
    host.told(Input::Lacks { hub: 0, asked: Asked::Root(3) });
    host.told(Input::Head { hub: 1, envelope: &pushed });
    assert_eq!(host.agent.trusted().newest(), Some(HeadRef { generation: 3, hash }));
    assert_eq!((host.refused.as_slice(), host.agent.alarms(NOW).as_slice()), (&[][..], &[][..]));
    // A stranger's head, and a hub that has no newer keys, or shows those in force for newer ones.
    let stranger = by(&head(4, Some(hash)), &[21, 22]).0;
    let root = by(&next, &[1, 2]).0;
    for answer in [Input::Lacks { hub: 1, asked: Asked::Root(3) }, Input::Root { hub: 1, envelope: &root }] {
        let asked = host.told(Input::Head { hub: 1, envelope: &stranger });
        assert_eq!(asked, [Action::AskRoot { hub: 1, version: 3 }]);
        host.told(answer);
    }
    assert_eq!(host.refused, [("head", "signatures"); 2]);
}

#[test]
fn a_head_that_was_asked_for_and_is_too_old_when_it_comes_is_no_attack() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 1, envelope: line.octets(3) });
    host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) });
    host.told(Input::Release { hub: 1, envelope: &line.release(3, 3) });
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    assert_eq!((host.refused.as_slice(), host.agent.alarms(NOW).as_slice()), (&[][..], &[][..]));
    // Who shows it unasked lags.
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    assert_eq!(host.refused, [("head", "older")]);
}
