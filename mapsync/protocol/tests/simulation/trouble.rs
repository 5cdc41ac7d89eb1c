//! What goes wrong, and what admins do meanwhile.

use switchyard_mapsync_protocol::agent::Input;

use super::admin::{Octets, Pushed};
use super::wire::{Event, HUBS};
use super::world::{HOSTS, World, YEARS};

impl World {
    /// One thing happens that nobody asked for, and the next in a while.
    pub(crate) fn chaos(&mut self) {
        if !self.trouble() {
            return;
        }
        let host = self.chance.below(HOSTS as u64) as usize;
        let hub = self.chance.below(HUBS as u64) as usize;
        match self.chance.below(12) {
            0..=2 => {
                let twin = self.chance.one_in(5);
                let pushed = self.push(twin);
                self.tell_hubs(Some(&pushed), None);
            }
            3..=6 if !self.admin.signed.is_empty() => self.release(),
            7 => self.hubs[hub].cut = !self.hubs[hub].cut,
            8 => self.hosts[host].clock = [0, YEARS, -YEARS, 200, -200][self.chance.below(5) as usize],
            9 => self.crash(host),
            _ => self.daemons_die(host),
        }
        let wait = self.chance.below(2500);
        self.after(wait, Event::Chaos);
    }

    /// The trouble is over: two more generations, as a twin among the last may stand in the way of the first of them.
    pub(crate) fn last(&mut self, step: u8) {
        self.hubs.iter_mut().for_each(|hub| hub.cut = false);
        self.hosts.iter_mut().for_each(|host| host.clock = 0);
        let pushed = self.push(false);
        if step == 0 {
            self.after(20_000, Event::Last(1));
            return;
        }
        let release = self.admin.release(self.time(), pushed.name, 1000, false);
        self.tell_hubs(Some(&pushed), Some(&release));
    }

    /// A host stops, at any moment, and starts with what its disk has.
    pub(crate) fn crash(&mut self, n: usize) {
        self.seen.crashes += 1;
        if self.chance.one_in(2) {
            self.hosts[n].pool.clear();
        }
        self.hosts[n].starts();
    }

    fn daemons_die(&mut self, host: usize) {
        for _ in 0..2 {
            self.hosts[host].deaths += 1;
            let life = self.hosts[host].life;
            self.told(host, life, Input::Died);
        }
    }

    fn push(&mut self, twin: bool) -> Pushed {
        let (pushed, twin) = self.admin.push(self.time(), twin);
        if twin.is_some() {
            let hub = self.chance.below(HUBS as u64) as usize;
            self.after(0, Event::Heard { hub, head: twin, release: None });
        }
        pushed
    }

    /// Admins release what is new; the hub with a key of its own releases anything, and undoes it.
    fn release(&mut self) {
        let any = self.chance.next() as usize % self.admin.signed.len();
        let any = self.admin.signed.keys().nth(any).copied();
        let newest = self.admin.line.last().map(|pushed| pushed.name);
        let head = newest.filter(|_| !self.chance.one_in(3)).or(any);
        let permille = [0, 300, 1000][self.chance.below(3) as usize];
        let undo = self.chance.one_in(5);
        if let Some(head) = head {
            let release = self.admin.release(self.time(), head, permille, undo);
            self.tell_hubs(None, Some(&release));
        }
    }

    fn tell_hubs(&mut self, head: Option<&Pushed>, release: Option<&Octets>) {
        for hub in 0..HUBS {
            let late = if self.trouble() { self.chance.below(15_000) } else { 0 };
            self.after(late, Event::Heard { hub, head: head.cloned(), release: release.cloned() });
        }
    }
}
