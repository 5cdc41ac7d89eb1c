//! A host with a disk, and hubs that show it a line of generations.

use super::*;
use crate::envelope::Message;
use crate::hash::Hash;
use crate::head::tests::head;
use crate::head::{File, Kind};
use crate::path::Path;
use crate::release::tests::release;
use crate::status::State;
use crate::trust::tests::{by, root};

mod hear;
mod way;

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
    /// What was counted as refused: what it was, and why.
    refused: Vec<(&'static str, &'static str)>,
    now: Timestamp,
}

impl Host {
    fn new() -> Self {
        let first = by(&root(1), &[1, 2]).0;
        let trusted = Trusted::begin(&first, &root(1).environment).unwrap();
        let kept = serde_json::to_vec(&Kept::new(trusted)).unwrap();
        let agent = Agent::start(HOST.to_owned(), 2, Kept::from_json(&kept).unwrap(), Vec::new(), None);
        Self { agent, kept, sets: Vec::new(), link: None, refused: Vec::new(), now: NOW }
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
        actions.retain(|action| match action {
            Action::Refused { what, why, .. } => {
                self.refused.push((what, why));
                false
            }
            other => !matches!(other, Action::Report | Action::Tidy(_)),
        });
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
