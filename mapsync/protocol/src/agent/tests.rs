use super::*;
use crate::envelope::Message;
use crate::hash::Hash;
use crate::head::tests::head;
use crate::head::{File, Kind};
use crate::path::Path;
use crate::release::tests::release;
use crate::status::State;
use crate::trust::tests::{by, root};

const NOW: Timestamp = Timestamp(1500);
const HOST: &str = "mx1.example.net";

fn file(name: &str, version: u64) -> File {
    let octets = format!("{name}\t{version}\n");
    let path = Path::try_from(name.to_owned()).unwrap();
    let text = File::text(path, octets.as_bytes());
    File { kind: Kind::Records, records: 1, ..text }
}

/// A line of heads: each changes the table `maps/a` and keeps `maps/b`.
struct Line(Vec<(Vec<u8>, HeadRef)>);

impl Line {
    fn new(heads: u64) -> Self {
        let mut line = Vec::<(Vec<u8>, HeadRef)>::new();
        for generation in 1..=heads {
            let previous = line.last().map(|(_, name)| name.hash);
            let files = vec![file("maps/a", generation), file("maps/b", 1)];
            let (octets, hash) = by(&Head { files, ..head(generation, previous) }, &[4, 5]);
            line.push((octets, HeadRef { generation, hash }));
        }
        Self(line)
    }

    fn octets(&self, generation: u64) -> &[u8] {
        &self.0[generation as usize - 1].0
    }

    fn name(&self, generation: u64) -> HeadRef {
        self.0[generation as usize - 1].1
    }

    fn release(&self, sequence: u64, generation: u64) -> Vec<u8> {
        self.changed(sequence, generation, |_| ())
    }

    fn changed(&self, sequence: u64, generation: u64, change: impl FnOnce(&mut Release)) -> Vec<u8> {
        let mut release = release(sequence, generation, self.name(generation).hash);
        change(&mut release);
        by(&release, &[6]).0
    }
}

/// An agent with a disk: what it kept, its sets and its link.
struct Host {
    agent: Agent,
    kept: Vec<u8>,
    sets: Vec<Set>,
    link: Option<HeadRef>,
    now: Timestamp,
}

impl Host {
    fn new() -> Self {
        let first = by(&root(1), &[1, 2]).0;
        let trusted = Trusted::begin(&first, &root(1).environment).unwrap();
        let kept = serde_json::to_vec(&Kept::new(trusted)).unwrap();
        let agent = Agent::start(HOST.to_owned(), 2, Kept::from_json(&kept).unwrap(), Vec::new(), None);
        Self { agent, kept, sets: Vec::new(), link: None, now: NOW }
    }

    /// A host that runs the first generation of a line and knows its way back to nothing.
    fn running(line: &Line, generations: u64) -> Self {
        let mut host = Self::new();
        for generation in 1..=generations {
            host.all_goes_well(Input::Head { hub: 0, envelope: line.octets(generation) });
            host.all_goes_well(Input::Release { hub: 0, envelope: &line.release(generation, generation) });
            assert_eq!(host.link, Some(line.name(generation)));
        }
        host
    }

    fn restart(&mut self) {
        let kept = Kept::from_json(&self.kept).unwrap();
        self.agent = Agent::start(HOST.to_owned(), 2, kept, self.sets.clone(), self.link);
    }

    /// One input; what is to be kept is kept, and what follows is handed back.
    fn told(&mut self, input: Input<'_>) -> Vec<Action> {
        let mut actions = self.agent.handle(input, self.now, 7);
        if let Some(Action::Keep(octets)) = actions.first() {
            self.kept = octets.clone();
            actions.remove(0);
        }
        actions.retain(|action| *action != Action::Report);
        actions
    }

    /// One input and everything that follows from it, all of it done and done well.
    fn all_goes_well(&mut self, input: Input<'_>) -> Vec<Action> {
        let mut all = self.told(input);
        let mut next = 0;
        while let Some(action) = all.get(next).cloned() {
            next += 1;
            let more = match action {
                Action::Fetch { hub, file, base } => {
                    let delta = base.is_some();
                    self.told(Input::Fetched { hub, file: &file, delta, outcome: Outcome::Got })
                }
                Action::Stage(set) => {
                    self.sets.push(*set);
                    self.told(Input::Staged(Ok(())))
                }
                Action::Flip { to, .. } => {
                    assert!(self.sets.iter().any(|set| set.name == to), "a set that is not there");
                    self.link = Some(to);
                    self.told(Input::Flipped(Ok(())))
                }
                Action::Remove(name) => {
                    self.sets.retain(|set| set.name != name);
                    Vec::new()
                }
                _ => Vec::new(),
            };
            all.extend(more);
        }
        all
    }
}

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
    for input in [Input::Rested, Input::Head { hub: 0, envelope: line.octets(2) }] {
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
    assert_eq!(host.told(Input::Rested), [Action::AskAgain { hub: 1 }]);
    assert_eq!(host.told(Input::Rested), [], "once");
    host.now = NOW;
    host.all_goes_well(Input::Head { hub: 1, envelope: line.octets(1) });
    assert_eq!(host.agent.trusted().newest(), Some(line.name(1)));
}
