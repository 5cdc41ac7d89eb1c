//! A site whose hubs bring it a new generation by a rollout: each drives it as far as it can see, all of them at once.
//!
//! Hubs lose sight of hosts and of the store that they share, and forget all they knew; hosts are cut off. A
//! generation that is bad is in use on hosts of the first step at most, and a good one is never undone.

use std::collections::BTreeMap;
use std::time::Duration;

use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::agent::{Action, Input, Outcome, Unfit};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::rollout::{self, End, Gates, Plan, Rollout, Verdict, Word};
use switchyard_mapsync_protocol::status::{Counters, Status};

use super::admin::{Admin, Pushed, environment};
use super::chance::Chance;
use super::host::Host;

const HOSTS: usize = 9;
const HUBS: usize = 3;
/// Seconds from one look to the next.
const TICK: u64 = 10;
/// How long there is trouble, and how long all of it takes.
const TROUBLE: u64 = 600;
const END: u64 = 1800;
const NOW: u64 = 1_000_000;

/// What the new generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Good,
    /// No host can run by it.
    Unfit,
    /// Daemons die of it.
    Deadly,
    /// Half of the mail is refused by it.
    Refusing,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Good, Self::Unfit, Self::Deadly, Self::Refusing];
}

struct Member {
    host: Host,
    role: &'static str,
    site: &'static str,
    nonce: u64,
    counters: Counters,
    /// It hears no hub, and no hub hears it, before that time.
    cut: u64,
    /// The release that it was shown last.
    shown: u64,
}

struct Hub {
    rollout: Rollout,
    heard: BTreeMap<String, (Status, u64)>,
    /// When it began to listen; its clock is that far off, too.
    began: u64,
    cut: u64,
}

pub(crate) struct Fleet {
    chance: Chance,
    kind: Kind,
    now: u64,
    plan: Plan,
    new: HeadRef,
    first: Vec<String>,
    /// By number, rising: what the hubs agreed on.
    store: Vec<(u64, Vec<u8>)>,
    head: Pushed,
    members: Vec<Member>,
    hubs: Vec<Hub>,
}

impl Fleet {
    /// A site that runs its first generation and is shown the second.
    pub(crate) fn new(seed: u64, kind: Kind) -> Self {
        let mut admin = Admin::new();
        let places = [("mx", "north"), ("mx", "south"), ("router", "north")];
        let mut members: Vec<_> = (0..HOSTS)
            .map(|n| Member {
                host: Host::new(n, &admin.first),
                role: places[n % 3].0,
                site: places[n % 3].1,
                nonce: 0,
                counters: Counters::default(),
                cut: 0,
                shown: 0,
            })
            .collect();
        let (old, _) = admin.push(NOW, false);
        let release = admin.release(NOW, old.name, 1000, false);
        for member in &mut members {
            member.told(Input::Head { hub: 0, envelope: &old.octets }, Kind::Good, NOW);
            member.told(Input::Release { hub: 0, envelope: &release }, Kind::Good, NOW);
            assert_eq!(member.host.link, Some(old.name));
        }
        let (head, _) = admin.push(NOW, false);
        let hosts: Vec<_> = members
            .iter()
            .map(|m| rollout::Host { name: &m.host.name, role: m.role, site: m.site })
            .collect();
        let first = rollout::canaries(hosts.iter().copied(), head.name.generation).unwrap();
        let plan = admin.plan(NOW, head.name, &hosts);
        let hub = |_| Hub::new(&plan, 0);
        Self {
            chance: Chance(seed),
            kind,
            now: 0,
            hubs: (0..HUBS).map(hub).collect(),
            plan,
            new: head.name,
            first,
            store: vec![(1, release.to_vec())],
            head,
            members,
        }
    }

    /// Whether it went everywhere.
    pub(crate) fn run(mut self) -> bool {
        while self.now < END {
            self.now += TICK;
            if self.now < TROUBLE {
                self.trouble();
            }
            (0..HOSTS).for_each(|n| self.lives(n));
            (0..HUBS).for_each(|hub| self.drives(hub));
        }
        let newest = self.store.last().map_or(0, |(number, _)| *number);
        let everywhere = self.members.iter().all(|member| member.host.link == Some(self.new));
        let undone = newest == self.plan.last();
        if self.kind == Kind::Good {
            assert!(!undone, "a good one was undone");
        } else {
            assert!(undone, "a bad one was not undone: release {newest}");
            assert!(self.members.iter().all(|member| member.host.link != Some(self.new)));
        }
        everywhere
    }

    fn trouble(&mut self) {
        let until = self.now + self.chance.below(120);
        let (hub, host) = (self.chance.below(HUBS as u64) as usize, self.chance.below(HOSTS as u64) as usize);
        match self.chance.below(12) {
            0 => self.hubs[hub].cut = until,
            1 => self.hubs[hub] = Hub::new(&self.plan, self.now),
            2 => self.members[host].cut = until,
            _ => {}
        }
    }

    /// A host hears what hubs show, does its work, and says how it is.
    fn lives(&mut self, n: usize) {
        let member = &mut self.members[n];
        if member.cut <= self.now {
            let hub = self.chance.below(HUBS as u64) as usize;
            if member.host.agent.trusted().newest() != Some(self.new) {
                member.told(Input::Head { hub, envelope: &self.head.octets }, self.kind, NOW + self.now);
            }
            // A hub that is cut off shows what it knew.
            let back = self.chance.below(2) as usize;
            let shown = self.store.iter().rev().nth(back).filter(|(number, _)| *number != member.shown);
            if let Some((number, octets)) = shown {
                member.shown = *number;
                member.told(Input::Release { hub, envelope: octets }, self.kind, NOW + self.now);
            }
        }
        let uses = member.host.link == Some(self.new);
        if uses {
            assert!(
                self.kind == Kind::Good || self.first.contains(&member.host.name),
                "{} has it",
                member.host.name
            );
        }
        if uses && self.kind == Kind::Deadly {
            member.dies(NOW + self.now);
        }
        let refused = if uses && self.kind == Kind::Refusing { 20 } else { 0 };
        member.counters.taken += 40 - refused;
        member.counters.rejected += refused;
        if member.cut > self.now {
            return;
        }
        let status = member.status(NOW + self.now);
        for hub in &mut self.hubs {
            if hub.cut <= self.now && !self.chance.one_in(8) {
                hub.heard.insert(status.host.clone(), (status.clone(), self.now));
            }
        }
    }

    /// A hub looks, and publishes if nobody was before it.
    fn drives(&mut self, n: usize) {
        let Some((newest, _)) = self.store.last() else { return };
        let hub = &mut self.hubs[n];
        if hub.cut > self.now {
            return;
        }
        let words: Vec<_> = hub
            .heard
            .values()
            .map(|(status, at)| Word { status, age: Duration::from_secs(self.now - at) })
            .collect();
        let (listening, now) = (Duration::from_secs(self.now - hub.began), Duration::from_secs(self.now));
        match hub.rollout.look(*newest, &words, listening, now) {
            Verdict::Publish { sequence, octets, .. } => {
                assert!(sequence > *newest, "what was ended goes on");
                self.store.push((sequence, octets));
            }
            Verdict::Over(End::Undone) => assert_ne!(self.kind, Kind::Good),
            Verdict::Over(_) | Verdict::Hold(_) => {}
        }
    }
}

impl Hub {
    fn new(plan: &Plan, began: u64) -> Self {
        let rollout = Rollout::new(plan.clone(), Gates::default(), Duration::from_secs(began));
        Self { rollout, heard: BTreeMap::new(), began, cut: 0 }
    }
}

impl Member {
    /// One input, and all that follows, which goes well as far as the generation lets it.
    fn told(&mut self, input: Input<'_>, kind: Kind, now: u64) {
        let now = Timestamp(now);
        let mut actions = self.host.agent.handle(input, now, 7);
        while !actions.is_empty() {
            let mut next = Vec::new();
            for action in actions {
                let input = match action {
                    Action::Fetch { hub, ref file, ref base } => {
                        Input::Fetched { hub, file, delta: base.is_some(), outcome: Outcome::Got }
                    }
                    Action::Stage(_) if kind == Kind::Unfit => {
                        Input::Staged(Err(Unfit::Wrong("a case fails".to_owned())))
                    }
                    Action::Stage(set) => {
                        self.host.sets.push(*set);
                        Input::Staged(Ok(()))
                    }
                    Action::Flip { to, .. } => {
                        self.host.link = Some(to);
                        Input::Flipped(Ok(()))
                    }
                    Action::Keep(_) | Action::Remove(_) | Action::Tidy(_) | Action::Rest(_) => continue,
                    Action::Refused { .. } | Action::Report => continue,
                    Action::AskRoot { .. } | Action::AskHead { .. } | Action::AskAgain { .. } => continue,
                };
                next.extend(self.host.agent.handle(input, now, 7));
            }
            actions = next;
        }
    }

    fn dies(&mut self, now: u64) {
        for _ in 0..2 {
            self.counters.deaths += 1;
            self.told(Input::Died, Kind::Deadly, now);
        }
    }

    fn status(&mut self, now: u64) -> Status {
        self.nonce += 1;
        Status {
            environment: environment(),
            host: self.host.name.clone(),
            role: self.role.to_owned(),
            site: self.site.to_owned(),
            version: String::new(),
            nonce: self.nonce,
            at: Timestamp(now),
            progress: self.host.agent.progress(),
            counters: self.counters,
            disk_free: 0,
        }
    }
}
