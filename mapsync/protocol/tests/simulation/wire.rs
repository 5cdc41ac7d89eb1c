//! Hubs, and the network between them and the hosts.

use std::collections::BTreeMap;
use std::rc::Rc;

use switchyard_mapsync_protocol::agent::{Outcome, Set};
use switchyard_mapsync_protocol::head::File;

use super::admin::{Octets, Pushed};
use super::chance::Chance;
use super::world::World;

pub(crate) const HUBS: usize = 3;
/// The hub that lies.
const LIAR: usize = 2;

/// What happens. What was meant for another life of a host than its present one is lost.
#[derive(Clone)]
pub(crate) enum Event {
    /// A host asks its hubs.
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
    Lacks {
        host: usize,
        life: u64,
        hub: usize,
        version: u64,
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
    /// Something goes wrong.
    Chaos,
    /// The trouble ends.
    Last(u8),
}

/// What a hub has heard of.
#[derive(Default)]
pub(crate) struct Hub {
    pub(crate) heads: Vec<Pushed>,
    pub(crate) releases: Vec<Octets>,
    pub(crate) cut: bool,
    /// To which life of which host it has shown how much, so that it says nothing twice in vain.
    shown: BTreeMap<usize, (u64, usize, usize)>,
}

impl World {
    /// A message on the network: lost, late, doubled, or only late.
    pub(crate) fn send(&mut self, hub: usize, event: Event) {
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

    /// An answer comes always: the client gives up by itself.
    pub(crate) fn fetch(&mut self, host: usize, hub: usize, file: File, delta: bool) {
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

    pub(crate) fn poll(&mut self, host: usize) {
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
}
