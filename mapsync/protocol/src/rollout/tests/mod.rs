//! A site that does what the newest release says, as far as nobody spoils it.

use super::*;
use crate::hash::Hash;
use crate::release::Release;
use crate::release::tests::release;
use crate::root::Root;
use crate::status::tests::status;
use crate::trust::tests::{by, root};

mod faults;
mod plan;
mod way;

const SITE: [(&str, &str, &str); 6] = [
    ("mx1", "mx", "north"),
    ("mx2", "mx", "north"),
    ("mx3", "mx", "south"),
    ("mx4", "mx", "south"),
    ("out1", "router", "north"),
    ("out2", "router", "north"),
];

fn target() -> HeadRef {
    HeadRef { generation: 7, hash: Hash::of(b"new") }
}

fn before() -> HeadRef {
    HeadRef { generation: 6, hash: Hash::of(b"old") }
}

/// Releases 5 and so on, for the site.
fn drawn() -> Vec<Release> {
    let hosts = SITE.map(|(name, role, site)| Host { name, role, site });
    let canaries = canaries(hosts, target().generation).unwrap();
    draw(&Release { canaries, ..release(5, 7, target().hash) }, &SITE.map(|(name, ..)| name))
}

fn signed(releases: &[Release]) -> Result<Plan, BadPlan> {
    let signed =
        releases.iter().map(|release| crate::envelope::Signed::from_json(&by(release, &[6]).0).unwrap());
    Plan::new(signed.collect(), &root(1))
}

/// A site whose hosts do what the newest release says, as far as nobody spoils it.
struct Site {
    rollout: Rollout,
    hosts: Vec<(Status, Duration)>,
    newest: u64,
    now: Duration,
}

impl Site {
    fn new() -> Self {
        let hosts = SITE.map(|(name, role, site)| {
            let mut status = Status { role: role.to_owned(), site: site.to_owned(), ..status(name) };
            status.progress.active = Some(before());
            status.progress.staged = Some(target());
            status.progress.wanted = Some(target());
            (status, Duration::ZERO)
        });
        let now = Duration::from_secs(1000);
        let rollout = Rollout::new(signed(&drawn()).unwrap(), Gates::default(), now);
        Self { rollout, hosts: hosts.into(), newest: 4, now }
    }

    fn host(&mut self, name: &str) -> &mut Status {
        &mut self.hosts.iter_mut().find(|(status, _)| status.host == name).unwrap().0
    }

    /// The hub only listens.
    fn hears(&mut self) {
        let words: Vec<_> = self.hosts.iter().map(|(status, age)| Word { status, age: *age }).collect();
        self.rollout.hear(&words);
    }

    fn look(&mut self) -> Verdict {
        let words: Vec<_> = self.hosts.iter().map(|(status, age)| Word { status, age: *age }).collect();
        self.rollout.look(self.newest, &words, self.now, self.now)
    }

    /// Ten seconds in which every host that is not silent does as the release says, serves mail, and tells so.
    fn passes(&mut self, mail: u64) {
        self.now += Duration::from_secs(10);
        let release = drawn().into_iter().find(|release| release.sequence == self.newest);
        for (status, age) in &mut self.hosts {
            if *age > Duration::ZERO {
                *age += Duration::from_secs(10);
                continue;
            }
            if release.as_ref().is_some_and(|release| release.moves(&status.host))
                && status.progress.state == State::Settled
            {
                status.progress.active = Some(target());
            }
            status.counters.taken += mail;
            status.nonce += 1;
        }
    }

    /// What comes next, if everybody is well for so long, and what was held until then.
    fn next(&mut self) -> (Verdict, Vec<String>) {
        let mut held = Vec::new();
        for _ in 0..200 {
            match self.look() {
                Verdict::Hold(why) => held.push(why),
                other => return (other, held),
            }
            self.passes(20);
        }
        panic!("held for ever: {held:?}");
    }

    /// The same, and it is published.
    fn step(&mut self) -> String {
        let (Verdict::Publish { sequence, why, octets }, _) = self.next() else {
            panic!("nothing to publish")
        };
        let part = crate::envelope::Signed::from_json(&octets).unwrap();
        assert_eq!(part.read::<Release>().unwrap().sequence, sequence);
        self.newest = sequence;
        why
    }

    /// The canaries have it, and are heard.
    fn at_canaries(mut self) -> Self {
        assert!(self.step().starts_with("step 1"));
        self.passes(20);
        assert!(matches!(self.look(), Verdict::Hold(_)));
        self
    }

    fn using(&self) -> usize {
        self.hosts.iter().filter(|(status, _)| uses(status, target())).count()
    }

    fn a_canary(&self) -> String {
        drawn()[0].canaries[0].clone()
    }

    #[track_caller]
    fn ends(&mut self, end: End, word: &str) {
        let canaries = drawn()[0].canaries.len();
        let why = self.step();
        assert!(why.contains(word), "{why}");
        assert!(self.using() <= canaries, "it left its step");
        assert_eq!(self.look(), Verdict::Over(end));
    }
}
