//! Taking a release, alone or with the head that it names.

use super::{HEADS, Link, Refused, ReleaseRef, Taken, Trusted, fresh, in_time};
use crate::head::{Head, HeadRef};
use crate::release::Release;
use crate::words::Timestamp;

impl Trusted {
    /// Takes a release; [`Release::moves`] then says whether this host is meant.
    pub fn accept_release(&mut self, octets: &[u8], start: Timestamp) -> Result<Taken<Release>, Refused> {
        self.take_release(octets, None, start)
    }

    /// Takes a release together with the head that it names, which this host has not seen.
    pub fn accept_release_with(
        &mut self,
        octets: &[u8],
        head: &[u8],
        start: Timestamp,
    ) -> Result<Taken<Release>, Refused> {
        self.take_release(octets, Some(head), start)
    }

    fn take_release(
        &mut self,
        octets: &[u8],
        head: Option<&[u8]>,
        start: Timestamp,
    ) -> Result<Taken<Release>, Refused> {
        in_time("root", self.root.expires, start)?;
        let (release, signed): (Release, _) = self.open(octets)?;
        let offered = ReleaseRef { sequence: release.sequence, hash: signed.hash() };
        let known = self.release == Some(offered);
        if let Some(ReleaseRef { sequence: trusted, .. }) = self.release {
            if release.sequence < trusted {
                return Err(Refused::Rollback { what: "release", have: release.sequence, trusted });
            }
            if release.sequence == trusted && !known {
                return Err(Refused::Fork { what: "release", number: trusted });
            }
        }
        let chosen = release.names();
        if let Some(HeadRef { generation: trusted, .. }) = self.released
            && chosen.generation < trusted
        {
            return Err(Refused::Rollback { what: "generation", have: chosen.generation, trusted });
        }
        let between = self.chosen(chosen, head, start)?;
        in_time("release", release.expires, start)?;
        if known {
            return Ok(Taken::Known(release));
        }
        // What is older is never put in use again, so only the chosen one and those after it are remembered.
        self.heads.retain(|link| link.head.generation >= chosen.generation);
        if let Some(link) = between {
            self.heads.insert(0, link);
            self.heads.truncate(HEADS);
        }
        self.released = Some(chosen);
        self.release = Some(offered);
        Ok(Taken::New(release))
    }

    /// The head that a release names: one that was taken, or the one that came with it, which is then told.
    fn chosen(
        &self,
        chosen: HeadRef,
        head: Option<&[u8]>,
        start: Timestamp,
    ) -> Result<Option<Link>, Refused> {
        let mut taken = self.heads.iter().map(|link| link.head).chain(self.released);
        match taken.find(|head| head.generation == chosen.generation) {
            Some(head) if head == chosen => return Ok(None),
            Some(_) => return Err(Refused::Fork { what: "generation", number: chosen.generation }),
            None => {}
        }
        let unknown = Refused::UnknownHead(chosen);
        let Some(octets) = head else { return Err(unknown) };
        let (head, signed): (Head, _) = self.open(octets)?;
        if (HeadRef { generation: head.generation, hash: signed.hash() }) != chosen {
            return Err(unknown);
        }
        self.follows(chosen, head.previous)?;
        fresh(&head, start)?;
        Ok(Some(Link { head: chosen, previous: head.previous }))
    }
}
