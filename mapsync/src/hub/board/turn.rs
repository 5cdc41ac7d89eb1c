//! The one who takes messages for an environment, alone as long as the turn lasts.
//!
//! Two ways lead in. What somebody brings is looked at first, then kept: of two pushes at once one wins, and the
//! other hears of it. What other hubs took already is heard, by the rules of a host. What was kept is shown by
//! `show`, which waits for files where there are others to fetch them from.

mod hear;
mod look;

use std::sync::Arc;

use bytes::Bytes;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, HeadRef};
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::trust::Trusted;
use tokio::sync::OwnedMutexGuard;

pub(crate) use self::hear::Waits;
use super::{Board, Kept, Kind, NotKept, showable};
use crate::hub::order::Place;
use crate::hub::store::blobs::Blobs;
use crate::hub::store::heads::Message;

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

    /// Shows what is trusted now; with `files`, as far as its files are here. The files that it waits for. Blocks on
    /// the disk.
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

#[cfg(test)]
mod tests;
