//! All maps of a role as one: read together, checked together, swapped together.

mod ends;
mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use switchyard_smtp::address::Domain;

pub(crate) use self::ends::{Earlier, EarlierTable, Known};
pub use self::ends::{Followed, Proof};
pub(crate) use self::files::Files;
use crate::access::Access;
use crate::chain::{Asking, Chain, Found, Hit, Member, Why};
use crate::compile::{Compiler, InMemory, Keep, Read, Texts};
use crate::entry::Route;
use crate::fault::{Fault, Faults};
use crate::grammar::{Grammar, Words};
use crate::installed::{self, Beside, Over};
use crate::lookup::Rules;
use crate::name::{MapName, Values};
use crate::options::{self, MapOptions};
use crate::remote::Remotes;
use crate::trace::Trace;
use crate::typed::Remembered;

/// A proof: this was read and checked whole. Only [`MapSet`]'s loaders make one.
#[derive(Debug)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was checked.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// To be called by what did the checking.
    pub(crate) fn proven(checked: T) -> Self {
        Self(checked)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// One map of a set.
#[derive(Debug)]
pub(crate) enum Slot {
    /// The role has no such map: every answer is "not found".
    Absent,
    /// It answers.
    Ready(Chain),
    /// It could not be read when the daemon started: every answer is "unavailable".
    Unavailable(Arc<str>),
}

/// Each map at the place of its number.
pub(crate) type Slots = [Slot; MapName::ALL.len()];

/// All maps of a role; it is asked through a [`Snapshot`](crate::Snapshot).
#[derive(Debug)]
pub struct MapSet {
    slots: Slots,
    pub(crate) rules: Rules,
    pub(crate) words: Words,
    pub(crate) routes: BTreeMap<MapName, Remembered<Route>>,
    pub(crate) access: BTreeMap<MapName, Remembered<Access>>,
    /// What was read for it, or could not be.
    files: BTreeSet<PathBuf>,
    digest: [u8; 32],
    /// What was seen of the aliases; nothing without any, and of a set that was proved before.
    pub(crate) followed: Option<(Proof, Followed)>,
}

impl MapSet {
    /// Reads the files of a set. It may take seconds: not for a thread that serves connections.
    ///
    /// # Errors
    /// With everything that is wrong with any of them.
    pub fn load(options: &MapOptions) -> Result<Verified<Self>, Faults> {
        let (set, faults) = Self::start(options);
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    /// Reads the files of a set as a daemon's first: a map that is bad or missing answers "unavailable" until
    /// it is mended, and the others answer.
    #[must_use]
    pub fn start(options: &MapOptions) -> (Verified<Self>, Faults) {
        Self::start_with(options, &Remotes::unmetered(&options.remote))
    }

    /// The same, with servers of tables that are shared with other sets.
    #[must_use]
    pub fn start_with(options: &MapOptions, remotes: &Remotes) -> (Verified<Self>, Faults) {
        match &options.installed {
            Some(folder) => installed::open(folder, options, remotes),
            None => Self::start_of(options, remotes, Files::new(options), &mut InMemory),
        }
    }

    /// The same, with the tables that an installed set has as they are there.
    #[must_use]
    pub fn start_over(options: &MapOptions, over: &Over) -> (Verified<Self>, Faults) {
        if options.installed.is_some() || over.base.is_none() && over.later.is_none() {
            return Self::start(options);
        }
        let remotes = Remotes::unmetered(&options.remote);
        Self::start_of(options, &remotes, Files::over(options, over), &mut Beside::new(over))
    }

    fn start_of(
        options: &MapOptions,
        remotes: &Remotes,
        mut files: Files<'_>,
        keep: &mut impl Keep,
    ) -> (Verified<Self>, Faults) {
        let (Verified(set), faults) = Self::compile(options, remotes, &mut files, keep);
        (Verified(Self { files: files.asked(), ..set }), faults)
    }

    /// Makes a set from texts; only the maps given are in it.
    ///
    /// # Errors
    /// With everything that is wrong with them; a map's name stands in for the file's.
    pub fn from_texts(options: &MapOptions, texts: &[(MapName, &str)]) -> Result<Verified<Self>, Faults> {
        let tables = texts.iter().map(|(map, _)| (*map, vec![options::text(map.as_str())])).collect();
        let options = MapOptions { tables, ..options.clone() };
        let remotes = Remotes::unmetered(&options.remote);
        let (set, faults) = Self::compile(&options, &remotes, &mut Texts(texts), &mut InMemory);
        if faults.is_empty() { Ok(set) } else { Err(faults) }
    }

    /// Makes a set of what `read` gives, and puts its artifacts where `keep` says.
    pub(crate) fn compile(
        options: &MapOptions,
        remotes: &Remotes,
        read: &mut impl Read,
        keep: &mut impl Keep,
    ) -> (Verified<Self>, Faults) {
        let words = Words::new(options);
        let mut slots = MapName::ALL.map(|_| Slot::Absent);
        let mut all = Faults::default();
        for (number, specs) in &options.tables {
            let grammar = Grammar::new(*number, &words);
            let (map, allow_dead_rules) = (Some(*number), options.allow_dead_rules);
            let mut compiler = Compiler { map, read, keep, grammar, remotes, allow_dead_rules };
            slots[*number as usize] = match chain(specs, |spec| compiler.table(spec)) {
                Ok(chain) => Slot::Ready(chain),
                Err(faults) => Slot::refused(faults, &mut all),
            };
        }
        let known = keep.earlier().map(Known::Earlier);
        (Verified(Self::of_slots(slots, options, known.as_ref(), &mut all)), all)
    }

    /// Puts maps together that were read one by one.
    pub(crate) fn of_slots(
        slots: Slots,
        options: &MapOptions,
        known: Option<&Known>,
        all: &mut Faults,
    ) -> Self {
        let (rules, words) = (Rules::new(options), Words::new(options));
        let (routes, access) = (BTreeMap::new(), BTreeMap::new());
        let (files, digest) = (BTreeSet::new(), [0; 32]);
        let mut set = Self { slots, rules, words, routes, access, files, digest, followed: None };
        set.digest = set.take_digest();
        match set.follow_aliases(options, known) {
            Ok(followed) => set.followed = followed,
            Err(faults) => {
                set.slots[MapName::VirtualAlias as usize] = Slot::refused(faults, all);
                set.digest = set.take_digest();
            }
        }
        for map in MapName::ALL {
            let Slot::Ready(chain) = &set.slots[map as usize] else { continue };
            match map.values() {
                Values::Route => drop(set.routes.insert(map, Remembered::new(map, chain))),
                Values::Access => drop(set.access.insert(map, Remembered::new(map, chain))),
                Values::Targets
                | Values::Address
                | Values::Relocated
                | Values::SigningKeys
                | Values::FieldEdits
                | Values::Nothing => {}
            }
        }
        set
    }

    /// Equal for sets that answer alike: the same tables, asked in the same way.
    fn take_digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}{:?}", self.rules, self.words).as_bytes());
        for (map, slot) in MapName::ALL.into_iter().zip(&self.slots) {
            hasher.update(map.as_str().as_bytes());
            match slot {
                Slot::Absent => {}
                Slot::Ready(chain) => chain.members.iter().for_each(|member| member.digest(&mut hasher)),
                Slot::Unavailable(why) => drop(hasher.update(why.as_bytes())),
            }
        }
        hasher.finalize().into()
    }

    pub(crate) fn slot(&self, map: MapName) -> &Slot {
        &self.slots[map as usize]
    }

    /// Asks the tables of a map; nothing when the role has none.
    pub(crate) fn ask<'a, T>(
        &'a self,
        map: MapName,
        trace: Option<&'a Trace>,
        find: impl FnOnce(&Asking<'a, '_>) -> Found<Option<(Hit<'a>, T)>>,
    ) -> Found<Option<(Hit<'a>, T)>> {
        match self.slot(map) {
            Slot::Absent => Ok(None),
            Slot::Unavailable(why) => {
                if let Some(trace) = trace {
                    trace.of(map).unavailable(why);
                }
                Err(Why::Unavailable(Arc::clone(why)))
            }
            Slot::Ready(chain) => find(&chain.traced(trace.map(|trace| trace.of(map)))),
        }
    }

    /// What an address without a domain is completed with.
    pub(crate) fn origin(&self) -> Option<&Domain> {
        self.words.origin.as_ref()
    }

    /// Equal for sets that were made from equal tables and settings.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The files whose texts the set was made of, those that tables include among them, and those that could not
    /// be read; none for a set that is installed.
    #[must_use]
    pub fn files(&self) -> &BTreeSet<PathBuf> {
        &self.files
    }

    /// How many keys a map has.
    #[must_use]
    pub fn entries(&self, map: MapName) -> usize {
        match self.slot(map) {
            Slot::Ready(chain) => chain.len(),
            Slot::Absent | Slot::Unavailable(_) => 0,
        }
    }
}

impl Slot {
    pub(crate) fn refused(mut faults: Faults, all: &mut Faults) -> Self {
        faults.sort();
        let why = faults.iter().next().map(Fault::to_string).unwrap_or_default();
        all.append(faults);
        Self::Unavailable(why.into())
    }
}

/// All tables of a map, or all that is wrong with them.
pub(crate) fn chain<T>(
    specs: &[T],
    mut table: impl FnMut(&T) -> Result<Member, Faults>,
) -> Result<Chain, Faults> {
    let mut members = Vec::with_capacity(specs.len());
    let mut faults = Faults::default();
    for spec in specs {
        match table(spec) {
            Ok(member) => members.push(member),
            Err(mut more) => {
                more.sort();
                faults.append(more);
            }
        }
    }
    if faults.is_empty() { Ok(Chain { members }) } else { Err(faults) }
}
