//! Whether what somebody brings may be kept: each kind of message is looked at by rules of its own. Nothing is kept
//! here.

use bytes::Bytes;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::File;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::trust::Taken;

use super::{Checked, Entry, Look, Turn};
use crate::hub::board::{Kept, Kind, NotKept, said};
use crate::hub::store::blobs::Blobs;
use crate::hub::sweep::LEAST;

impl Turn {
    pub(super) fn look_at_root(&self, octets: &Bytes) -> Result<Look, NotKept> {
        let mut next = self.trusted.clone();
        let taken = next.accept_root(octets)?;
        let (number, hash) = (next.root().version, Signed::from_json(octets)?.hash());
        if taken == Taken::Known(()) {
            return Ok(Look::Known(Kept { number, hash, is_new: false }));
        }
        let entry = Entry::new(Kind::Root, octets.clone());
        Ok(Look::New(Box::new(Checked { next, number, hash, entry, files: Vec::new() })))
    }

    pub(super) fn look_at_head(
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

    pub(super) fn look_at_release(
        &self,
        octets: &Bytes,
        blobs: &Blobs,
        now: Timestamp,
    ) -> Result<Look, NotKept> {
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

    pub(super) fn look_at_plan(&self, octets: &Bytes) -> Result<Look, NotKept> {
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
}

/// How far a head may be from the one before: admins give up few, and nobody is to use up all numbers.
const LEAP: u64 = 16;

/// Which of these files are not here.
fn missing_of(files: &[File], blobs: &Blobs) -> Vec<Hash> {
    let is_missing = |file: &&File| blobs.length(file.hash) != Some(file.bytes);
    files.iter().filter(is_missing).map(|file| file.hash).collect()
}
