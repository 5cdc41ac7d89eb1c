//! The world: what happens, in its order.

use std::collections::BTreeMap;

use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::agent::{Action, Asked, Input, Outcome, Unfit};

use super::admin::{Admin, Pushed};
use super::chance::{Chance, Seen};
use super::host::Host;
use super::wire::{Event, HUBS, Hub};

pub(crate) const HOSTS: usize = 3;
/// How long there is trouble, in milliseconds; then it is over.
const TROUBLE: u64 = 60_000;
/// When all must be well again.
const END: u64 = TROUBLE + 60_000;
pub(crate) const YEARS: i64 = 10 * 365 * 86_400;

pub(crate) struct World {
    pub(crate) chance: Chance,
    /// In milliseconds since the start.
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    pub(crate) admin: Admin,
    pub(crate) hosts: Vec<Host>,
    pub(crate) hubs: Vec<Hub>,
    pub(crate) seen: Seen,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let admin = Admin::new();
        let mut world = Self {
            chance: Chance(seed),
            now: 0,
            events: BTreeMap::new(),
            count: 0,
            hosts: (0..HOSTS).map(|n| Host::new(n, &admin.first)).collect(),
            hubs: (0..HUBS).map(|_| Hub::default()).collect(),
            admin,
            seen: Seen::default(),
        };
        (0..HOSTS).for_each(|host| world.after(host as u64, Event::Poll(host)));
        world.after(1, Event::Chaos);
        world.after(TROUBLE, Event::Last(0));
        world
    }

    pub(crate) fn after(&mut self, wait: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now + wait, self.count), event);
    }

    pub(crate) fn trouble(&self) -> bool {
        self.now < TROUBLE
    }

    /// The time of day, in seconds.
    pub(crate) fn time(&self) -> u64 {
        self.now / 1000 + YEARS as u64
    }

    pub(crate) fn run(mut self) -> Seen {
        while let Some(((at, _), event)) = self.events.pop_first().filter(|((at, _), _)| *at < END) {
            self.now = at;
            self.happens(event);
        }
        let last = self.admin.line.last().map(|pushed| pushed.name);
        for host in &self.hosts {
            assert_eq!(host.link, last, "a host that stays behind: {:?}", host.agent.progress());
        }
        self.seen
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Poll(host) => self.poll(host),
            Event::Head { host, life, hub, octets } => {
                self.told(host, life, Input::Head { hub, envelope: &octets });
            }
            Event::Release { host, life, hub, octets } => {
                self.told(host, life, Input::Release { hub, envelope: &octets });
            }
            Event::Lacks { host, life, hub, version } => {
                self.told(host, life, Input::Lacks { hub, asked: Asked::Root(version) });
            }
            Event::Fetched { host, life, hub, file, delta, outcome } => {
                if outcome == Outcome::Got && self.hosts[host].life == life {
                    self.hosts[host].pool.insert(file.hash);
                }
                self.told(host, life, Input::Fetched { hub, file: &file, delta, outcome });
            }
            Event::Staged { host, life, set } => {
                let outcome = match self.chance.below(20) {
                    0 if self.trouble() => Err(Unfit::Wrong("not here".to_owned())),
                    1 | 2 if self.trouble() => Err(Unfit::Later("no space left".to_owned())),
                    _ => Ok(()),
                };
                self.seen.refusals += u64::from(matches!(outcome, Err(Unfit::Wrong(_))));
                if outcome.is_ok() && self.hosts[host].life == life {
                    self.hosts[host].sets.push(set);
                }
                self.told(host, life, Input::Staged(outcome));
            }
            Event::Flipped { host, life } => self.told(host, life, Input::Flipped(Ok(()))),
            Event::Rested { host, life } => self.told(host, life, Input::Rested),
            Event::Heard { hub, head, release } => {
                self.hubs[hub].heads.extend(head);
                self.hubs[hub].releases.extend(release);
            }
            Event::Chaos => self.chaos(),
            Event::Last(step) => self.last(step),
        }
    }

    /// One input to a host, and what it then does, until it crashes in between.
    pub(crate) fn told(&mut self, n: usize, life: u64, input: Input<'_>) {
        let chance = self.chance.next();
        let time = self.time();
        let host = &mut self.hosts[n];
        if host.life != life {
            return;
        }
        let newest = |host: &Host| host.agent.trusted().newest().map(|head| head.generation);
        let before = newest(host);
        let actions = host.agent.handle(input, Timestamp(time.saturating_add_signed(host.clock)), chance);
        self.seen.forks += u64::from(newest(host) < before);
        for action in actions {
            if self.trouble() && self.chance.one_in(60) {
                self.crash(n);
                return;
            }
            self.done(n, life, action);
        }
    }

    fn done(&mut self, n: usize, life: u64, action: Action) {
        let host = &mut self.hosts[n];
        match action {
            Action::Keep(octets) => host.kept = octets,
            Action::Stage(set) => {
                host.staged(&set, &self.admin.signed);
                let time = self.chance.below(500);
                self.after(time, Event::Staged { host: n, life, set: *set });
            }
            Action::Flip { to, back } => {
                host.moves(to, back, &self.admin.undone);
                self.seen.back += u64::from(back);
                self.seen.flips += u64::from(!back);
                self.after(1, Event::Flipped { host: n, life });
            }
            Action::Remove(name) => host.sets.retain(|set| set.name != name),
            Action::Tidy(but) => host.pool.retain(|hash| but.contains(hash)),
            Action::Rest(time) => {
                self.seen.rests += 1;
                self.after(time.as_millis() as u64, Event::Rested { host: n, life });
            }
            Action::Fetch { hub, file, base } => self.fetch(n, hub, file, base.is_some()),
            Action::AskHead { hub, head } => {
                let known = self.hubs[hub].heads.iter().find(|pushed| pushed.name == head).cloned();
                if let Some(Pushed { octets, .. }) = known {
                    self.send(hub, Event::Head { host: n, life, hub, octets });
                }
            }
            Action::Report => host.reports(),
            Action::AskRoot { hub, version } => {
                // Nobody changes keys in this world.
                self.send(hub, Event::Lacks { host: n, life, hub, version });
            }
            // What hubs show they show again.
            Action::AskAgain { .. } | Action::Refused { .. } => {}
        }
    }
}
