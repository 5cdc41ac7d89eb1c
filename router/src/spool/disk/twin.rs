//! A disk in memory that forgets at a power cut what was not synced, and fails where a test says.
//!
//! It is as hard as POSIX lets a disk be: a write is durable only after `fdatasync` of its file, a name only
//! after a sync of its folder, and a failed `fdatasync` drops what it was for, as Linux does.

mod file;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Condvar, Mutex};

pub(in crate::spool) use self::file::Chance;
use self::file::{File, Handle};
use super::{Disk, DiskFile, Place};

/// Calls that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::spool) enum Call {
    Create,
    Write,
    Sync,
    Rename,
    Unlink,
    SyncFolder,
}

/// What of the unsynced a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum Left {
    /// Only what was synced.
    Synced,
    /// All: the process was killed, the system lives on.
    All,
    /// Some sectors and the first few changes of names, by this seed.
    Some(u64),
}

#[derive(Debug, Clone, Default)]
pub(in crate::spool) struct Twin(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    files: HashMap<u64, File>,
    names: BTreeMap<(Place, String), u64>,
    durable_names: BTreeMap<(Place, String), u64>,
    /// Changes of names since the folder's last sync, each whole or not at all.
    unsynced_names: Vec<Change>,
    next: u64,
    calls: u64,
    counts: BTreeMap<Call, u64>,
    /// The power goes in this call, of which so many octets still reach the cache.
    cut: Option<(u64, usize)>,
    /// It goes in the next write.
    tear: Option<usize>,
    faults: Vec<(Call, std::ops::Range<u64>, io::ErrorKind)>,
    free: Option<u64>,
    gate: Arc<Gate>,
}

/// Holds syncs up while it is shut.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

/// Which file each of these names stands for from now on, if any.
type Change = Vec<((Place, String), Option<u64>)>;

impl Twin {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Cuts the power in the call of this number, the first being 0.
    pub(in crate::spool) fn cut_at(&self, call: u64, octets: usize) {
        self.state().cut = Some((call, octets));
    }

    /// Cuts the power in the next write.
    pub(in crate::spool) fn tear_next_write(&self, octets: usize) {
        self.state().tear = Some(octets);
    }

    /// Lets every sync from now on wait, until it is called with `false`.
    pub(in crate::spool) fn hold_syncs(&self, hold: bool) {
        let gate = Arc::clone(&self.state().gate);
        *gate.shut.lock().unwrap() = hold;
        gate.opened.notify_all();
    }

    /// Changing calls so far.
    pub(in crate::spool) fn calls(&self) -> u64 {
        self.state().calls
    }

    pub(in crate::spool) fn count(&self, call: Call) -> u64 {
        self.state().counts.get(&call).copied().unwrap_or(0)
    }

    /// Lets calls of this kind fail, counted from now.
    pub(in crate::spool) fn fail(&self, call: Call, which: std::ops::Range<u64>, kind: io::ErrorKind) {
        let now = self.count(call);
        self.state().faults.push((call, now + which.start..now.saturating_add(which.end), kind));
    }

    pub(in crate::spool) fn heal(&self) {
        self.state().faults.clear();
    }

    pub(in crate::spool) fn set_free(&self, free: u64) {
        self.state().free = Some(free);
    }

    /// What a new process finds after the end of this one.
    pub(in crate::spool) fn after(&self, left: Left) -> Self {
        let state = self.state();
        let mut chance = Chance(if let Left::Some(seed) = left { seed } else { 0 });
        let mut files = HashMap::new();
        let mut numbers: Vec<_> = state.files.keys().copied().collect();
        numbers.sort_unstable();
        for number in numbers {
            let content = state.files[&number].after(left, &mut chance);
            files.insert(number, File { cached: content.clone(), durable: content, unsynced: Vec::new() });
        }
        let names = match left {
            Left::Synced => state.durable_names.clone(),
            Left::All => state.names.clone(),
            Left::Some(_) => {
                let mut names = state.durable_names.clone();
                let kept = chance.below(state.unsynced_names.len() + 1);
                state.unsynced_names[..kept].iter().for_each(|change| apply(&mut names, change));
                names
            }
        };
        let next = state.next;
        Self(Arc::new(Mutex::new(State {
            files,
            durable_names: names.clone(),
            names,
            next,
            free: state.free,
            ..State::default()
        })))
    }

    pub(in crate::spool) fn names(&self, place: Place) -> Vec<String> {
        self.list(place).unwrap()
    }

    pub(in crate::spool) fn content(&self, place: Place, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[&state.names[&(place, name.to_owned())]].cached.clone()
    }

    /// Changes a file behind the spool's back, durably.
    pub(in crate::spool) fn tamper(&self, place: Place, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let number = state.names[&(place, name.to_owned())];
        let file = state.files.get_mut(&number).unwrap();
        change(&mut file.cached);
        file.durable = file.cached.clone();
        file.unsynced.clear();
    }
}

impl State {
    /// Counts a call; an error if it is to fail, and how many octets of it still count if the power goes in it.
    fn call(&mut self, call: Call) -> Result<(), (io::Error, usize)> {
        let number = self.calls;
        self.calls += 1;
        let count = self.counts.entry(call).or_default();
        let index = *count;
        *count += 1;
        if call == Call::Write
            && let Some(octets) = self.tear.take()
        {
            self.cut = Some((number, octets));
        }
        if let Some((cut, octets)) = self.cut
            && number >= cut
        {
            return Err((io::ErrorKind::BrokenPipe.into(), if number == cut { octets } else { 0 }));
        }
        let fault = self.faults.iter().find(|(kind, range, _)| *kind == call && range.contains(&index));
        fault.map_or(Ok(()), |(_, _, kind)| Err(((*kind).into(), 0)))
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.unsynced_names.push(change);
    }
}

fn apply(names: &mut BTreeMap<(Place, String), u64>, change: &Change) {
    for (name, file) in change {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

// ---------------------------------------------------------------------------------------------------------

impl Disk for Twin {
    fn list(&self, place: Place) -> io::Result<Vec<String>> {
        let state = self.state();
        Ok(state.names.keys().filter(|(at, _)| *at == place).map(|(_, name)| name.clone()).collect())
    }

    fn create(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.call(Call::Create).map_err(|(error, _)| error)?;
        let name = (place, name.to_owned());
        if state.names.contains_key(&name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.next += 1;
        let number = state.next;
        state.files.insert(number, File::default());
        state.change(vec![(name, Some(number))]);
        Ok(Arc::new(Handle { disk: self.clone(), number }))
    }

    fn open(&self, place: Place, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.state();
        let number = *state.names.get(&(place, name.to_owned())).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(Handle { disk: self.clone(), number }))
    }

    fn rename(&self, place: Place, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call(Call::Rename).map_err(|(error, _)| error)?;
        let from = (place, from.to_owned());
        let number = *state.names.get(&from).ok_or(io::ErrorKind::NotFound)?;
        state.change(vec![((place, to.to_owned()), Some(number)), (from, None)]);
        Ok(())
    }

    fn unlink(&self, place: Place, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.call(Call::Unlink).map_err(|(error, _)| error)?;
        let name = (place, name.to_owned());
        if !state.names.contains_key(&name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        state.change(vec![(name, None)]);
        Ok(())
    }

    fn sync_folder(&self, place: Place) -> io::Result<()> {
        let mut state = self.state();
        state.call(Call::SyncFolder).map_err(|(error, _)| error)?;
        let changes = std::mem::take(&mut state.unsynced_names);
        let (synced, rest) = changes.into_iter().partition(|change: &Change| change[0].0.0 == place);
        state.unsynced_names = rest;
        let synced: Vec<Change> = synced;
        synced.iter().for_each(|change| apply(&mut state.durable_names, change));
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.state().free.unwrap_or(u64::MAX))
    }
}
