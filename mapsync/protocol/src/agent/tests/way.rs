//! The way of a generation, forward and back.

use super::*;

#[test]
fn a_generation_is_fetched_staged_and_flipped_when_it_is_released() {
    let line = Line::new(2);
    let mut host = Host::new();
    let asked = host.told(Input::Head { hub: 1, envelope: line.octets(1) });
    let whole = |name| Action::Fetch { hub: 1, file: file(name, 1), base: None };
    assert_eq!(asked, [whole("maps/a"), whole("maps/b")], "from the hub that showed it");
    assert_eq!(host.agent.progress().state, State::Fetching);
    // The same head through the other hub changes nothing; the release comes before all is there.
    assert_eq!(host.told(Input::Head { hub: 0, envelope: line.octets(1) }), []);
    assert_eq!(host.told(Input::Release { hub: 0, envelope: &line.release(1, 1) }), []);
    let got = |name| (file(name, 1), Outcome::Got);
    let (first, outcome) = got("maps/a");
    assert_eq!(host.told(Input::Fetched { hub: 1, file: &first, delta: false, outcome }), []);
    let (second, outcome) = got("maps/b");
    let staged = host.told(Input::Fetched { hub: 1, file: &second, delta: false, outcome });
    assert!(matches!(staged.as_slice(), [Action::Stage(set)] if set.name == line.name(1)), "{staged:?}");
    let flip = host.told(Input::Staged(Ok(())));
    assert_eq!(flip, [Action::Flip { to: line.name(1), back: false }]);
    assert_eq!(host.told(Input::Flipped(Ok(()))), []);
    assert_eq!(host.agent.active(), Some(line.name(1)));
    assert_eq!(host.agent.progress().state, State::Settled);
    // Of the next only what changed, and as a change.
    let asked = host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    assert_eq!(asked, [Action::Fetch { hub: 0, file: file("maps/a", 2), base: Some(file("maps/a", 1)) }]);
}

#[test]
fn what_one_hub_does_not_have_another_is_asked_for() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    let (new, old) = (file("maps/a", 2), file("maps/a", 1));
    let mut failed = |hub, delta, outcome| host.told(Input::Fetched { hub, file: &new, delta, outcome });
    let ask = |hub, base| vec![Action::Fetch { hub, file: new.clone(), base }];
    // An answer that nobody waits for.
    assert_eq!(failed(1, true, Outcome::Missing), []);
    assert_eq!(failed(0, true, Outcome::Missing), ask(0, None), "no change: the whole");
    assert_eq!(failed(0, false, Outcome::Bad("cut".into())), ask(1, Some(old.clone())), "bad: the next hub");
    assert_eq!(failed(1, true, Outcome::Bad("lies".into())), ask(1, None));
    let rest = failed(1, false, Outcome::Away("gone".into()));
    assert!(matches!(rest.as_slice(), [Action::Rest(time)] if *time <= Duration::from_secs(1)), "{rest:?}");
    assert!(host.agent.progress().reason.unwrap().contains("no hub gives"));
    assert_eq!(host.told(Input::Head { hub: 0, envelope: line.octets(2) }), [], "it rests");
    assert_eq!(host.told(Input::Rested), ask(0, Some(old.clone())), "and begins anew");
    // A hub that does not answer is not asked for the whole.
    let away = Outcome::Away("gone".to_owned());
    assert_eq!(
        host.told(Input::Fetched { hub: 0, file: &new, delta: true, outcome: away }),
        ask(1, Some(old))
    );
}

#[test]
fn rests_grow_and_are_bounded() {
    let line = Line::new(1);
    let mut host = Host::new();
    let mut longest = Duration::ZERO;
    host.told(Input::Head { hub: 0, envelope: line.octets(1) });
    for round in 0..40 {
        let mut rested = false;
        for hub in [0, 1] {
            let outcome = Outcome::Away("gone".to_owned());
            let input = Input::Fetched { hub, file: &file("maps/a", 1), delta: false, outcome };
            for action in host.agent.handle(input, NOW, u64::MAX - 7 * round) {
                if let Action::Rest(time) = action {
                    (longest, rested) = (longest.max(time), true);
                }
            }
        }
        assert!(rested, "round {round}");
        host.told(Input::Rested);
    }
    assert!(longest > Duration::from_secs(20) && longest <= Duration::from_millis(REST), "{longest:?}");
}

#[test]
fn an_unfit_generation_is_refused_for_good_and_the_next_is_taken() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    host.told(Input::Fetched { hub: 0, file: &file("maps/a", 2), delta: true, outcome: Outcome::Got });
    host.told(Input::Staged(Err(Unfit::Wrong("transport:3: no such host".to_owned()))));
    for _ in 0..2 {
        let progress = host.agent.progress();
        assert_eq!((progress.state, progress.active), (State::Refused, Some(line.name(1))));
        assert_eq!(progress.reason.as_deref(), Some("transport:3: no such host"));
        assert_eq!(host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) }), []);
        host.restart();
        host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    }
    host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(3) });
    host.all_goes_well(Input::Release { hub: 1, envelope: &line.release(3, 3) });
    assert_eq!(host.link, Some(line.name(3)));
}

#[test]
fn y13_a_full_disk_is_tried_again() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 1);
    host.told(Input::Head { hub: 0, envelope: line.octets(2) });
    let got = || (file("maps/a", 2), Outcome::Got);
    let (new, outcome) = got();
    host.told(Input::Fetched { hub: 0, file: &new, delta: true, outcome });
    let rest = host.told(Input::Staged(Err(Unfit::Later("no space left".to_owned()))));
    assert!(matches!(rest.as_slice(), [Action::Rest(_)]), "{rest:?}");
    host.all_goes_well(Input::Rested);
    assert_eq!(host.agent.progress().state, State::Staged);
}

#[test]
fn a_host_whose_daemons_die_goes_back_and_stays_there() {
    let line = Line::new(3);
    let mut host = Host::running(&line, 2);
    host.now = Timestamp(NOW.0 + 61);
    assert_eq!([host.told(Input::Died), host.told(Input::Died)], [[], []], "too late to blame the flip");
    host.now = Timestamp(NOW.0 + 60);
    assert_eq!(host.told(Input::Died), []);
    let back = host.told(Input::Died);
    assert_eq!(back, [Action::Flip { to: line.name(1), back: true }]);
    // Killed before the link moved, or after: both times it ends on the set of before.
    host.restart();
    assert_eq!(host.all_goes_well(Input::Rested), [Action::Flip { to: line.name(1), back: true }]);
    host.restart();
    assert_eq!(host.told(Input::Release { hub: 0, envelope: &line.release(2, 2) }), []);
    let progress = host.agent.progress();
    assert_eq!((progress.state, progress.active), (State::Returned, Some(line.name(1))));
    assert!(progress.reason.unwrap().contains("daemons died"));
    // One step and no further.
    assert_eq!([host.told(Input::Died), host.told(Input::Died)], [[], []]);
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(3) });
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(3, 3) });
    assert_eq!(host.link, Some(line.name(3)));
}

#[test]
fn a_release_that_is_undone_takes_those_back_who_flipped_to_it() {
    let line = Line::new(2);
    let mut host = Host::running(&line, 2);
    let halted = line.changed(3, 2, |release| release.halted = true);
    assert_eq!(host.told(Input::Release { hub: 0, envelope: &halted }), [], "who has flipped stays");
    let undone = line.changed(4, 2, |release| (release.halted, release.undo) = (true, true));
    let back = host.all_goes_well(Input::Release { hub: 0, envelope: &undone });
    assert_eq!(back, [Action::Flip { to: line.name(1), back: true }]);
    let again = line.release(5, 2);
    assert_eq!(
        host.told(Input::Release { hub: 1, envelope: &again }),
        [],
        "it does not take this head again"
    );
    assert_eq!(host.agent.progress().state, State::Returned);
}

#[test]
fn the_disk_does_not_fill_and_what_may_be_needed_stays() {
    let line = Line::new(10);
    let mut host = Host::running(&line, 9);
    let left: Vec<_> = host.sets.iter().map(|set| set.name.generation).collect();
    assert_eq!(left, [6, 7, 8, 9]);
    assert_eq!(host.agent.previous(), Some(line.name(8)));
    // Those that may be needed stay, however few are wished for.
    host.agent.keep(1);
    host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(10) });
    host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(10, 10) });
    let left: Vec<_> = host.sets.iter().map(|set| set.name.generation).collect();
    assert_eq!(left, [9, 10]);
}

#[test]
fn what_is_kept_is_bounded_and_must_not_contradict_itself() {
    let trusted = Trusted::begin(&by(&root(1), &[1, 2]).0, &root(1).environment).unwrap();
    let mut kept = Kept::new(trusted);
    for generation in 1..=40 {
        kept.refuse(HeadRef { generation, hash: Hash::of(b"") }, &"x".repeat(9999), false);
    }
    let octets = serde_json::to_vec(&kept).unwrap();
    assert!(octets.len() < 64 << 10, "{}", octets.len());
    assert_eq!(Kept::from_json(&octets).unwrap(), kept);
    assert!(Kept::from_json(b"{}").is_err());
    let more = String::from_utf8(octets).unwrap().replace("\"anew\"", "\"more\": 1, \"anew\"");
    assert!(Kept::from_json(more.as_bytes()).is_err());
    assert!(Release::check(&Release { undo: true, ..release(1, 1, Hash::of(b"")) }).is_err());
}

#[test]
fn a_host_that_never_flips_does_not_fill_its_disk() {
    let line = Line::new(20);
    let mut host = Host::running(&line, 1);
    for generation in 2..=18 {
        host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(generation) });
        assert!(host.sets.len() <= SETS, "{} sets", host.sets.len());
    }
    let left: Vec<_> = host.sets.iter().map(|set| set.name.generation).collect();
    assert_eq!(left, [1, 16, 17, 18]);
    // A disk with more than that, by other settings of before: the start lets go of them.
    host.restart();
    host.agent.keep(2);
    host.all_goes_well(Input::Rested);
    let left: Vec<_> = host.sets.iter().map(|set| set.name.generation).collect();
    assert_eq!(left, [1, 18]);
    // What was fetched for a set that never was made goes, but for what the next one has as well.
    let tidied = |host: &mut Host, generation| {
        let envelope = line.octets(generation);
        let actions = host.agent.handle(Input::Head { hub: 0, envelope }, NOW, 7);
        actions.into_iter().find(|action| matches!(action, Action::Tidy(_)))
    };
    for generation in [19, 20] {
        let files = [file("maps/a", generation), file("maps/b", 1)].map(|file| file.hash).to_vec();
        assert_eq!(tidied(&mut host, generation), Some(Action::Tidy(files)));
        assert_eq!(tidied(&mut host, generation), None, "once");
    }
}
