//! A host's disk, and what must hold on it all the time.

use std::collections::{BTreeMap, BTreeSet};

use switchyard_mapsync_protocol::agent::{Agent, Kept, SETS, Set};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{Head, HeadRef};

use super::wire::HUBS;

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) agent: Agent,
    pub(crate) kept: Vec<u8>,
    /// Fetched files that are in no set; a crash may cost them.
    pub(crate) pool: BTreeSet<Hash>,
    pub(crate) sets: Vec<Set>,
    pub(crate) link: Option<HeadRef>,
    /// What was in use before, for the one step back.
    before: Option<HeadRef>,
    /// The highest release and released generation that it told a hub of.
    acknowledged: (u64, u64),
    /// How often it has started.
    pub(crate) life: u64,
    /// Of daemons since the last flip.
    pub(crate) deaths: u32,
    /// How far its clock is off, in seconds.
    pub(crate) clock: i64,
}

fn born(name: &str, kept: &[u8], sets: &[Set], link: Option<HeadRef>) -> Agent {
    Agent::start(name.to_owned(), HUBS, Kept::from_json(kept).unwrap(), sets.to_vec(), link)
}

impl Host {
    pub(crate) fn new(n: usize, kept: &[u8]) -> Self {
        let name = format!("mx{n}");
        Self {
            agent: born(&name, kept, &[], None),
            name,
            kept: kept.to_vec(),
            pool: BTreeSet::new(),
            sets: Vec::new(),
            link: None,
            before: None,
            acknowledged: (0, 0),
            life: 0,
            deaths: 0,
            clock: 0,
        }
    }

    /// A start with what the disk has: at least what was acknowledged.
    pub(crate) fn starts(&mut self) {
        self.life += 1;
        self.agent = born(&self.name, &self.kept, &self.sets, self.link);
        self.remembers();
    }

    /// What a hub was told of is never forgotten.
    pub(crate) fn remembers(&self) {
        let trusted = self.agent.trusted();
        let (sequence, released) = self.acknowledged;
        assert!(trusted.sequence() >= sequence, "release {sequence} is forgotten");
        let generation = trusted.released().map_or(0, |head| head.generation);
        assert!(generation >= released, "generation {released} is forgotten");
    }

    /// The host tells its hubs where it is.
    pub(crate) fn reports(&mut self) {
        self.remembers();
        // One more while a flip is under way, and one that a crash kept from being removed.
        assert!(self.sets.len() <= SETS + 2, "{} sets fill the disk", self.sets.len());
        let trusted = self.agent.trusted();
        self.acknowledged = (trusted.sequence(), trusted.released().map_or(0, |head| head.generation));
    }

    /// A set is made only of files that are here, and they are those of one signed head.
    pub(crate) fn staged(&self, set: &Set, signed: &BTreeMap<HeadRef, Head>) {
        assert_eq!(Some(&set.head), signed.get(&set.name), "a set that nobody signed");
        let of_sets = self.sets.iter().flat_map(|set| &set.head.files).map(|file| file.hash);
        let here: BTreeSet<_> = self.pool.iter().copied().chain(of_sets).collect();
        for file in &set.head.files {
            assert!(here.contains(&file.hash), "{} is not here", file.path);
        }
    }

    /// The link moves up, or one step back for a reason.
    pub(crate) fn moves(&mut self, to: HeadRef, back: bool, undone: &BTreeSet<HeadRef>) {
        assert!(self.sets.iter().any(|set| set.name == to), "a set that is not on disk");
        if back {
            assert_eq!(Some(to), self.before, "further back than one step");
            let was_undone = self.link.is_some_and(|link| undone.contains(&link));
            assert!(was_undone || self.deaths >= 2, "back without a reason");
        } else {
            let up = self.link.is_none_or(|link| to.generation > link.generation);
            assert!(up, "from {:?} to {to:?} without a reason", self.link);
        }
        self.before = self.link.filter(|_| !back);
        (self.link, self.deaths) = (Some(to), 0);
    }
}
