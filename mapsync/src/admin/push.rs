//! An admin signs a generation and pushes it; or a root, which says whose keys count.

use hyper::StatusCode;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::root::Root;

use super::bring::Message;
use super::{Admin, AdminError, Behind, Earlier, Wish, signed};
use crate::client::{ClientError, Newest};
use crate::site::SiteFile;

impl Admin {
    /// Brings a head that was signed here before, if nobody knows whether a hub has it: its number is not signed for
    /// again. The hub may never have heard of its files: those that are among `files` come first. One that the hub
    /// refuses all the same is given up, and the next push passes over its number.
    ///
    /// # Errors
    /// When the hub cannot be asked, or somebody else was faster.
    pub async fn bring_unsure(&mut self, files: &[SiteFile]) -> Result<Earlier, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let shown = self.shown();
        let unsure = self.memory.unsure(shown, self.now).filter(|_| self.behind.is_none());
        let Some(unsure) = unsure else { return Ok(Earlier::None) };
        let names = |file: &&SiteFile| unsure.head.files.iter().any(|named| named.hash == file.file.hash);
        let files: Vec<SiteFile> = files.iter().filter(names).cloned().collect();
        self.bring(&files, |_, _| {}).await?;
        let envelope = Signed::from_json(&unsure.envelope)?;
        match self.hub.push_head(unsure.envelope, shown).await {
            Ok(()) => {}
            Err(error) if is_refused(&error) => {
                return Ok(Earlier::GivenUp { generation: unsure.at.generation, why: error });
            }
            Err(error) => return Err(error.into()),
        }
        self.took(unsure.at, unsure.head, envelope)?;
        Ok(Earlier::Brought(unsure.at))
    }

    /// The hub has it now.
    fn took(&mut self, at: HeadRef, head: Head, envelope: Signed) -> Result<(), AdminError> {
        self.memory.saw(Some(at), 0);
        self.newest = Some((at, head));
        self.envelope = Some(envelope);
        self.behind = None;
        Ok(self.memory.keep()?)
    }

    /// Signs a generation that follows the newest one, and pushes it.
    ///
    /// # Errors
    /// When the keys are not enough, or the hub does not take it: [`AdminError::lost_the_race`],
    /// [`AdminError::is_unsure`]; or it is behind, and not known to be lost.
    pub async fn push(&mut self, wish: Wish, keys: &[SecretKey]) -> Result<HeadRef, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let (shown, newest) = (self.shown(), self.newest.as_ref().map(|(at, _)| *at));
        match self.memory.behind(newest) {
            // Such a hub begins with any number; the one that follows what was seen is the next.
            Some(Behind::Empty { .. }) if wish.hub_is_lost => {}
            Some(behind) => {
                return Err(AdminError::Behind { behind, memory: self.memory.file().to_owned() });
            }
            None => {}
        }
        let before = newest.or(self.memory.seen());
        let head = Head {
            environment: self.trusted.root().environment.clone(),
            generation: self.memory.next_generation(shown),
            previous: before.map(|at| at.hash),
            created: self.now,
            expires: Timestamp(self.now.0.saturating_add(wish.lifetime.as_secs())),
            author: wish.author,
            note: wish.note,
            files: wish.files,
        };
        let signed = signed(&head, keys)?;
        let octets = signed.to_json()?;
        if octets.len() > LARGEST_HEAD {
            return Err(AdminError::TooLarge { octets: octets.len(), most: LARGEST_HEAD });
        }
        // As a host would: a hub is not bothered with what no host takes.
        let mut host = self.trusted.clone();
        host.accept_head(&octets, self.now).map_err(AdminError::NotTaken)?;
        // Before it leaves this machine: an answer that is lost must not let its number be signed for again.
        self.memory.saw(newest, self.highest());
        self.memory.signs(&octets);
        self.memory.keep()?;
        let number = head.generation;
        self.bring_message(Message { what: Newest::Head, number, after: shown, octets }).await?;
        let at = HeadRef { generation: number, hash: signed.hash() };
        self.trusted = host;
        self.took(at, head, signed)?;
        Ok(at)
    }

    /// Brings the next root, and counts by its keys from then on.
    ///
    /// # Errors
    /// When no host would take it, or the hub does not.
    pub async fn bring_root(&mut self, octets: Vec<u8>) -> Result<&Root, AdminError> {
        let mut next = self.trusted.clone();
        next.accept_root(&octets).map_err(AdminError::NotTaken)?;
        let number = next.root().version;
        self.bring_message(Message { what: Newest::Root, number, after: 0, octets }).await?;
        self.trusted = next;
        Ok(self.trusted.root())
    }
}

/// Whether a hub says no for good. It does not when somebody else was faster, or when it only had no time.
fn is_refused(error: &ClientError) -> bool {
    let again = [StatusCode::PRECONDITION_FAILED, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    error.status.is_some_and(|status| status.is_client_error() && !again.contains(&status))
}

/// Octets of a signed head: no etcd that hubs share takes 1.5 MiB at once, and what is signed is not to fail there.
const LARGEST_HEAD: usize = 1_500_000;
