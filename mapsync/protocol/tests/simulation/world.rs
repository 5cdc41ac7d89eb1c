//! The world: hosts with disks, hubs with what they have heard, and what is under way between them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::agent::{Action, Agent, Input, Kept, Outcome, Set, Unfit};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, HeadRef};

use super::admin::{Admin, Octets, Pushed};

const HOSTS: usize = 3;
const HUBS: usize = 3;
/// The hub that lies.
const LIAR: usize = 2;
/// How long there is trouble, in milliseconds; then it is over.
const TROUBLE: u64 = 60_000;
/// When all must be well again.
const END: u64 = TROUBLE + 60_000;
const YEARS: i64 = 10 * 365 * 86_400;

/// What was seen, so that a run that shows nothing is found out.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) flips: u64,
    pub(crate) back: u64,
    pub(crate) crashes: u64,
    pub(crate) refusals: u64,
    pub(crate) forks: u64,
    pub(crate) rests: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.flips += other.flips;
        self.back += other.back;
        self.crashes += other.crashes;
        self.refusals += other.refusals;
        self.forks += other.forks;
        self.rests += other.rests;
    }
}

/// Chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

#[derive(Clone)]
enum Event {
    Poll(usize),
    Head {
        host: usize,
        life: u64,
        hub: usize,
        octets: Octets,
    },
    Release {
        host: usize,
        life: u64,
        hub: usize,
        octets: Octets,
    },
    Fetched {
        host: usize,
        life: u64,
        hub: usize,
        file: File,
        delta: bool,
        outcome: Outcome,
    },
    Staged {
        host: usize,
        life: u64,
        set: Set,
    },
    Flipped {
        host: usize,
        life: u64,
    },
    Rested {
        host: usize,
        life: u64,
    },
    /// What a hub hears from an admin or from another hub.
    Heard {
        hub: usize,
        head: Option<Pushed>,
        release: Option<Octets>,
    },
    Chaos,
    Last(u8),
}

#[derive(Default)]
struct Hub {
    heads: Vec<Pushed>,
    releases: Vec<Octets>,
    cut: bool,
    /// To which life of which host it has shown how much, so that it says nothing twice in vain.
    shown: BTreeMap<usize, (u64, usize, usize)>,
}

pub(crate) struct Host {
    agent: Agent,
    kept: Vec<u8>,
    /// Fetched files that are in no set; a crash may cost them.
    pool: BTreeSet<Hash>,
    sets: Vec<Set>,
    link: Option<HeadRef>,
    /// What was in use before, for the one step back.
    before: Option<HeadRef>,
    life: u64,
    deaths: u32,
    clock: i64,
}

impl Host {
    /// A set is made only of files that are here, all of one signed head.
    pub(crate) fn staged(&self, set: &Set, line: &[HeadRef]) {
        assert!(line.contains(&set.name), "a set that nobody signed");
        let mut here = self.sets.iter().flat_map(|set| &set.head.files).map(|file| file.hash);
        for file in &set.head.files {
            assert!(
                self.pool.contains(&file.hash) || here.any(|hash| hash == file.hash),
                "{} is not here",
                file.path
            );
        }
    }

    /// The link moves up, or one step back for a reason.
    pub(crate) fn moved(&self, to: HeadRef, back: bool, undone: &[HeadRef]) {
        assert!(self.sets.iter().any(|set| set.name == to), "a set that is not on disk");
        let up = self.link.is_none_or(|link| to.generation > link.generation);
        if !back {
            assert!(up, "from {:?} to {to:?} without a reason", self.link);
            return;
        }
        assert_eq!(Some(to), self.before, "further back than one step");
        let was_undone = self.link.is_some_and(|link| undone.contains(&link));
        assert!(was_undone || self.deaths >= 2, "back without a reason");
    }
}

pub(crate) struct World {
    chance: Chance,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    count: u64,
    admin: Admin,
    signed: Vec<HeadRef>,
    hosts: Vec<Host>,
    hubs: Vec<Hub>,
    seen: Seen,
}

fn born(n: usize, kept: &[u8], sets: &[Set], link: Option<HeadRef>) -> Agent {
    Agent::start(format!("mx{n}"), HUBS, Kept::from_json(kept).unwrap(), sets.to_vec(), link)
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let admin = Admin::new();
        let host = |n| Host {
            agent: born(n, &admin.first, &[], None),
            kept: admin.first.clone(),
            pool: BTreeSet::new(),
            sets: Vec::new(),
            link: None,
            before: None,
            life: 0,
            deaths: 0,
            clock: 0,
        };
        let (hosts, hubs) = ((0..HOSTS).map(host).collect(), (0..HUBS).map(|_| Hub::default()).collect());
        let (chance, events) = (Chance(seed), BTreeMap::new());
        let (signed, seen) = (Vec::new(), Seen::default());
        let mut world = Self { chance, now: 0, events, count: 0, admin, signed, hosts, hubs, seen };
        (0..HOSTS).for_each(|host| world.after(host as u64, Event::Poll(host)));
        world.after(1, Event::Chaos);
        world.after(TROUBLE, Event::Last(0));
        world
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.count += 1;
        self.events.insert((self.now + wait, self.count), event);
    }

    fn trouble(&self) -> bool {
        self.now < TROUBLE
    }

    /// A message on the network: lost, late, doubled, or only late.
    fn send(&mut self, hub: usize, event: Event) {
        if self.hubs[hub].cut || self.trouble() && self.chance.one_in(8) {
            return;
        }
        if self.trouble() && self.chance.one_in(8) {
            let late = self.chance.below(20_000);
            self.after(late, event.clone());
        }
        let late = self.chance.below(200);
        self.after(late, event);
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
    fn told(&mut self, n: usize, life: u64, input: Input<'_>) {
        let chance = self.chance.next();
        let host = &mut self.hosts[n];
        if host.life != life {
            return;
        }
        let now = Timestamp((self.now / 1000 + YEARS as u64).saturating_add_signed(host.clock));
        let before = host.agent.trusted().newest();
        let actions = host.agent.handle(input, now, chance);
        let fell =
            before.map(|head| head.generation) > host.agent.trusted().newest().map(|head| head.generation);
        self.seen.forks += u64::from(fell);
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
                host.staged(&set, &self.signed);
                let time = self.chance.below(500);
                self.after(time, Event::Staged { host: n, life, set: *set });
            }
            Action::Flip { to, back } => {
                host.moved(to, back, &self.admin.undone);
                host.before = host.link.filter(|_| !back);
                (host.link, host.deaths) = (Some(to), 0);
                self.seen.back += u64::from(back);
                self.seen.flips += u64::from(!back);
                self.after(1, Event::Flipped { host: n, life });
            }
            Action::Remove(name) => host.sets.retain(|set| set.name != name),
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
            // Nobody changes keys in this world.
            Action::AskRoot { .. } | Action::AskAgain { .. } | Action::Report => {}
        }
    }

    /// An answer comes always: the client gives up by itself.
    fn fetch(&mut self, host: usize, hub: usize, file: File, delta: bool) {
        let outcome = match self.chance.below(10) {
            _ if self.hubs[hub].cut => Outcome::Away("cut".to_owned()),
            0 | 1 if self.trouble() => Outcome::Away("no answer".to_owned()),
            2..=4 if self.trouble() && hub == LIAR => Outcome::Bad("a lie".to_owned()),
            5 if delta => Outcome::Missing,
            6 if self.trouble() => Outcome::Missing,
            _ => Outcome::Got,
        };
        let (life, late) = (self.hosts[host].life, self.chance.below(300));
        self.after(late, Event::Fetched { host, life, hub, file, delta, outcome });
    }

    fn poll(&mut self, host: usize) {
        let life = self.hosts[host].life;
        for hub in 0..HUBS {
            let lies = hub == LIAR && self.trouble();
            let what = (life, self.hubs[hub].heads.len(), self.hubs[hub].releases.len());
            let is_new = self.hubs[hub].shown.insert(host, what) != Some(what);
            if !is_new && !self.chance.one_in(6) {
                continue;
            }
            let (heads, releases) = (&self.hubs[hub].heads, &self.hubs[hub].releases);
            let old = |chance: &mut Chance, length: usize| chance.next() as usize % length.max(1);
            let head = if lies { heads.get(old(&mut self.chance, heads.len())) } else { heads.last() };
            let release =
                if lies { releases.get(old(&mut self.chance, releases.len())) } else { releases.last() };
            let (mut head, release) = (head.map(|head| Rc::clone(&head.octets)), release.cloned());
            if lies && self.chance.one_in(4) {
                head = head.map(|octets| {
                    let mut octets = octets.to_vec();
                    let at = self.chance.next() as usize % octets.len();
                    octets[at] ^= 1 << self.chance.below(7);
                    Rc::new(octets)
                });
            }
            if let Some(octets) = head {
                self.send(hub, Event::Head { host, life, hub, octets });
            }
            if let Some(octets) = release {
                self.send(hub, Event::Release { host, life, hub, octets });
            }
        }
        let wait = 2000 + self.chance.below(3000);
        self.after(wait, Event::Poll(host));
    }

    fn crash(&mut self, n: usize) {
        self.seen.crashes += 1;
        let lost = self.chance.one_in(2);
        let host = &mut self.hosts[n];
        host.life += 1;
        if lost {
            host.pool.clear();
        }
        host.agent = born(n, &host.kept, &host.sets, host.link);
    }

    fn tell_hubs(&mut self, head: Option<&Pushed>, release: Option<&Octets>) {
        for hub in 0..HUBS {
            let late = if self.trouble() { self.chance.below(15_000) } else { 0 };
            self.after(late, Event::Heard { hub, head: head.cloned(), release: release.cloned() });
        }
    }

    fn push(&mut self, twin: bool) -> Pushed {
        let (pushed, twin) = self.admin.push(self.now / 1000 + YEARS as u64, twin);
        self.signed.push(pushed.name);
        if let Some(twin) = twin {
            self.signed.push(twin.name);
            let hub = self.chance.below(HUBS as u64) as usize;
            self.after(0, Event::Heard { hub, head: Some(twin), release: None });
        }
        pushed
    }

    fn chaos(&mut self) {
        if !self.trouble() {
            return;
        }
        let host = self.chance.below(HOSTS as u64) as usize;
        let hub = self.chance.below(HUBS as u64) as usize;
        let time = self.now / 1000 + YEARS as u64;
        match self.chance.below(12) {
            0..=2 => {
                let twin = self.chance.one_in(5);
                let pushed = self.push(twin);
                self.tell_hubs(Some(&pushed), None);
            }
            // Admins release what is new; the hub with a key of its own releases anything, and undoes it.
            3..=6 if !self.signed.is_empty() => {
                let any = self.chance.next() as usize % self.signed.len();
                let newest = self.admin.line.last().map(|pushed| pushed.name);
                let head = newest.filter(|_| !self.chance.one_in(3)).unwrap_or(self.signed[any]);
                let permille = [0, 300, 1000][self.chance.below(3) as usize];
                let undo = self.chance.one_in(5);
                let release = self.admin.release(time, head, permille, undo);
                self.tell_hubs(None, Some(&release));
            }
            7 => self.hubs[hub].cut = !self.hubs[hub].cut,
            8 => self.hosts[host].clock = [0, YEARS, -YEARS, 200, -200][self.chance.below(5) as usize],
            9 => self.crash(host),
            _ => {
                for _ in 0..2 {
                    self.hosts[host].deaths += 1;
                    let life = self.hosts[host].life;
                    self.told(host, life, Input::Died);
                }
            }
        }
        let wait = self.chance.below(2500);
        self.after(wait, Event::Chaos);
    }

    /// The trouble is over: two more generations, as a twin among the last may stand in the way of the first of them.
    fn last(&mut self, step: u8) {
        self.hubs.iter_mut().for_each(|hub| hub.cut = false);
        self.hosts.iter_mut().for_each(|host| host.clock = 0);
        let pushed = self.push(false);
        if step == 0 {
            self.after(20_000, Event::Last(1));
            return;
        }
        let release = self.admin.release(self.now / 1000 + YEARS as u64, pushed.name, 1000, false);
        self.tell_hubs(Some(&pushed), Some(&release));
    }
}
