//! The one who takes messages for an environment, alone as long as the turn lasts.
//!
//! Two ways lead in. What somebody brings is looked at first, then kept: of two pushes at once one wins, and the
//! other hears of it. What other hubs took already is heard, by the rules of a host. What was kept is shown by `show`,
//! which waits for files where there are others to fetch them from.

mod hear;

use std::sync::Arc;

use bytes::Bytes;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, HeadRef};
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::trust::{Taken, Trusted};
use tokio::sync::OwnedMutexGuard;

pub(crate) use self::hear::Waits;
use super::{Board, Kept, Kind, NotKept, said, showable};
use crate::hub::order::Place;
use crate::hub::store::blobs::Blobs;
use crate::hub::store::heads::Message;
use crate::hub::sweep::LEAST;

/// A turn.
#[derive(Debug)]
pub(crate) struct Turn {
    board: Arc<Board>,
    trusted: OwnedMutexGuard<Trusted>,
    name: String,
}

/// A message as it is brought.
#[derive(Debug, Clone)]
pub(crate) enum Brought {
    Root(Bytes),
    /// With the generation that it is to follow.
    Head(Bytes, u64),
    Release(Bytes),
    /// The plan of a rollout.
    Plan(Bytes),
}

/// A message as other hubs have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) octets: Bytes,
    /// With a release that names a head of old: this head.
    pub(crate) head: Option<Bytes>,
}

/// What a look at a message shows.
#[derive(Debug)]
pub(crate) enum Look {
    /// It is here already.
    Known(Kept),
    New(Box<Checked>),
}

/// A message that may be kept in the turn in which it was looked at.
#[derive(Debug)]
pub(crate) struct Checked {
    next: Trusted,
    number: u64,
    hash: Hash,
    pub(crate) entry: Entry,
    /// The files that the head before does not have.
    pub(crate) files: Vec<File>,
}

impl Entry {
    pub(crate) fn new(kind: Kind, octets: impl Into<Bytes>) -> Self {
        Self { kind, octets: octets.into(), head: None }
    }
}

impl Brought {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Root(_) => Kind::Root,
            Self::Head(..) => Kind::Head,
            Self::Release(_) => Kind::Release,
            Self::Plan(_) => Kind::Plan,
        }
    }
}

impl Turn {
    pub(super) fn new(board: Arc<Board>, trusted: OwnedMutexGuard<Trusted>) -> Self {
        let name = board.environment.to_string();
        Self { board, trusted, name }
    }

    /// Of which environment.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The newest head and the released one.
    pub(crate) fn place_of_heads(&self) -> [Option<HeadRef>; 2] {
        [self.trusted.newest(), self.trusted.released()]
    }

    /// Does it where the disk may be waited for. Who stops waiting stops nothing: it is done to its end.
    pub(crate) async fn off<T: Send + 'static>(
        mut self,
        act: impl FnOnce(&mut Self) -> T + Send + 'static,
    ) -> Result<(Self, T), NotKept> {
        let done = tokio::task::spawn_blocking(move || {
            let told = act(&mut self);
            (self, told)
        });
        Ok(done.await?)
    }

    /// Whether what is brought may be kept.
    pub(crate) fn look(&self, brought: &Brought, blobs: &Blobs, now: Timestamp) -> Result<Look, NotKept> {
        match brought {
            Brought::Root(octets) => self.look_at_root(octets),
            Brought::Head(octets, after) => self.look_at_head(octets, *after, blobs, now),
            Brought::Release(octets) => self.look_at_release(octets, blobs, now),
            Brought::Plan(octets) => self.look_at_plan(octets),
        }
    }

    fn look_at_root(&self, octets: &Bytes) -> Result<Look, NotKept> {
        let mut next = self.trusted.clone();
        let taken = next.accept_root(octets)?;
        let (number, hash) = (next.root().version, Signed::from_json(octets)?.hash());
        if taken == Taken::Known(()) {
            return Ok(Look::Known(Kept { number, hash, is_new: false }));
        }
        let entry = Entry::new(Kind::Root, octets.clone());
        Ok(Look::New(Box::new(Checked { next, number, hash, entry, files: Vec::new() })))
    }

    fn look_at_head(
        &self,
        octets: &Bytes,
        expected: u64,
        blobs: &Blobs,
        now: Timestamp,
    ) -> Result<Look, NotKept> {
        let hash = Signed::from_json(octets)?.hash();
        let current = self.trusted.newest();
        // The same push again, because its first answer was lost: it was taken, and that is the answer.
        if let Some(newest) = current.filter(|newest| newest.hash == hash) {
            return Ok(Look::Known(Kept { number: newest.generation, hash, is_new: false }));
        }
        let current = current.map_or(0, |newest| newest.generation);
        if current != expected {
            return Err(NotKept::Lost { expected, current });
        }
        let mut next = self.trusted.clone();
        let (Taken::New(head) | Taken::Known(head)) = next.accept_head(octets, now)?;
        let (number, follows) = (head.generation, current.saturating_add(1));
        // A hub that has nothing yet may begin anywhere: what is newest, its hosts know.
        // Of a number that an admin signed and no hub took, the next one is signed without it.
        if current != 0 && !(follows..=current.saturating_add(LEAP)).contains(&number) {
            return Err(NotKept::Gap { have: number, current, next: follows });
        }
        let missing = missing_of(&head.files, blobs);
        if !missing.is_empty() {
            return Err(NotKept::Missing(missing));
        }
        let before = self.board.heads.head(&self.name, current)?;
        let before =
            before.map(|octets| said(&octets)).transpose()?.map_or(Vec::new(), |(_, head)| head.files);
        let is_new = |file: &File| before.iter().all(|known| known.hash != file.hash);
        let files = head.files.into_iter().filter(is_new).collect();
        let entry = Entry::new(Kind::Head, octets.clone());
        Ok(Look::New(Box::new(Checked { next, number, hash, entry, files })))
    }

    fn look_at_release(&self, octets: &Bytes, blobs: &Blobs, now: Timestamp) -> Result<Look, NotKept> {
        let mut next = self.trusted.clone();
        let taken = next.accept_release(octets, now)?;
        let is_new = matches!(taken, Taken::New(_));
        let (Taken::New(release) | Taken::Known(release)) = taken;
        let (number, hash) = (release.sequence, Signed::from_json(octets)?.hash());
        if !is_new {
            return Ok(Look::Known(Kept { number, hash, is_new }));
        }
        if !release.halted && !release.undo {
            self.look_for_files(release.generation, blobs)?;
        }
        let entry = Entry::new(Kind::Release, octets.clone());
        Ok(Look::New(Box::new(Checked { next, number, hash, entry, files: Vec::new() })))
    }

    /// Whether the files of a generation of long ago are still here; what is newer, no hub sweeps away.
    fn look_for_files(&self, generation: u64, blobs: &Blobs) -> Result<(), NotKept> {
        let newest = self.trusted.newest().map_or(0, |newest| newest.generation);
        if newest.saturating_sub(generation) < LEAST as u64 {
            return Ok(());
        }
        let Some(head) = self.board.heads.head(&self.name, generation)? else { return Ok(()) };
        let missing = missing_of(&said(&head)?.1.files, blobs);
        if missing.is_empty() { Ok(()) } else { Err(NotKept::Missing(missing)) }
    }

    fn look_at_plan(&self, octets: &Bytes) -> Result<Look, NotKept> {
        let plan = Plan::from_json(octets, self.trusted.root())?;
        let (number, hash) = (plan.last(), Hash::of(octets));
        let kept = self.board.heads.plan(&self.name)?;
        if kept.as_deref() == Some(octets) {
            return Ok(Look::Known(Kept { number, hash, is_new: false }));
        }
        // Numbers of a plan that nobody goes by any more are not used again: a host may have seen some of them.
        let newest = self.trusted.sequence().max(self.planned(kept.as_deref()));
        if plan.first() <= newest {
            return Err(NotKept::OldPlan { first: plan.first(), newest });
        }
        if Some(plan.names()) != self.trusted.newest() {
            return Err(NotKept::OtherPlan);
        }
        let (next, entry) = (self.trusted.clone(), Entry::new(Kind::Plan, octets.clone()));
        Ok(Look::New(Box::new(Checked { next, number, hash, entry, files: Vec::new() })))
    }

    /// The number of a plan that is kept; 0 if it is none by the keys in force.
    fn planned(&self, kept: Option<&[u8]>) -> u64 {
        let plan = kept.and_then(|octets| Plan::from_json(octets, self.trusted.root()).ok());
        plan.map_or(0, |plan| plan.last())
    }

    /// Keeps what was looked at, with its place in the ledger, if there is one. Blocks on the disk.
    pub(crate) fn keep(&mut self, checked: Checked, place: Option<&Place>) -> Result<Kept, NotKept> {
        let Checked { next, number, hash, entry, .. } = checked;
        let message = match entry.kind {
            Kind::Root => Message::Root(number, &entry.octets),
            Kind::Head => Message::Head(number, &entry.octets),
            Kind::Release => Message::Release(&entry.octets),
            Kind::Plan => Message::Plan(&entry.octets),
        };
        let place = place.map(Place::to_octets);
        self.board.heads.keep(&self.name, &next.to_json()?, &[message], place.as_deref())?;
        *self.trusted = next;
        Ok(Kept { number, hash, is_new: true })
    }

    /// Shows what is trusted now; with `files`, as far as its files are here. The files that it waits for. Blocks on the
    /// disk.
    pub(crate) fn show(&self, files: Option<&Blobs>) -> Result<Vec<File>, NotKept> {
        let board = &self.board;
        let before = board.shown.borrow().clone();
        let (now, lacks) = showable(&self.name, &self.trusted, &board.heads, files, Some(&before))?;
        board.shown.send_if_modified(|shown| {
            let differs = *shown != now;
            *shown = now;
            differs
        });
        board.lacks.send_if_modified(|before| {
            let differs = *before != lacks;
            before.clone_from(&lacks);
            differs
        });
        Ok(lacks)
    }

    /// How far the ledger was heard; none before the first time.
    pub(crate) fn place(&self) -> Result<Option<Place>, NotKept> {
        Ok(self.board.heads.place(&self.name)?.and_then(|octets| Place::from_octets(&octets)))
    }

    /// All that a hub which knows nothing needs to come to what is trusted here, in order. Blocks on the disk.
    pub(crate) fn own(&self) -> Result<Vec<Entry>, NotKept> {
        let heads = &self.board.heads;
        let mut own = Vec::new();
        // The first root stands in the settings of every hub; those after it each sign the next.
        let mut version = self.trusted.root().version;
        while let Some(root) = heads.root(&self.name, version)? {
            own.push(Entry::new(Kind::Root, root));
            version = version.saturating_sub(1);
        }
        own.pop();
        own.reverse();
        let (newest, released) = (self.trusted.newest(), self.trusted.released());
        for head in [released, newest.filter(|_| newest != released)].into_iter().flatten() {
            let octets = heads.head(&self.name, head.generation)?;
            own.extend(octets.map(|octets| Entry::new(Kind::Head, octets)));
        }
        let release = heads.release(&self.name)?.filter(|_| released.is_some());
        own.extend(release.map(|octets| Entry::new(Kind::Release, octets)));
        let plan = heads.plan(&self.name)?;
        own.extend(plan.map(|octets| Entry::new(Kind::Plan, octets)));
        Ok(own)
    }
}

/// How far a head may be from the one before: admins give up few, and nobody is to use up all numbers.
const LEAP: u64 = 16;

/// Which of these files are not here.
fn missing_of(files: &[File], blobs: &Blobs) -> Vec<Hash> {
    let is_missing = |file: &&File| blobs.length(file.hash) != Some(file.bytes);
    files.iter().filter(is_missing).map(|file| file.hash).collect()
}

#[cfg(test)]
mod tests;
