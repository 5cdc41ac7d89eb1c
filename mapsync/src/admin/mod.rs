//! What an admin does at a hub: see what is newest, bring files, push a generation, release it.
//!
//! The hub is believed no more than by a host: what it shows is held against the root that the admin has, and against
//! what was seen and signed from here before ([`Memory`]).

mod files;
mod memory;
mod rollout;
mod second;
mod words;

use std::time::Duration;

use hyper::StatusCode;
use switchyard_mapsync_protocol::envelope::{Malformed, Message, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::Head;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::root::{Role, Root};
use switchyard_mapsync_protocol::trust::{HeadRef, Refused, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};

pub use self::memory::{Behind, Memory, MemoryError};
pub use self::second::{ByTwo, NotSecond};
pub use self::words::{AdminError, Brought, Earlier, Reach, Wish};
use crate::client::{ClientError, Hub, Newest};
use crate::site::SiteFile;

/// An admin at a hub.
#[derive(Debug)]
pub struct Admin {
    hub: Hub,
    trusted: Trusted,
    newest: Option<(HeadRef, Head)>,
    /// The newest head as it was signed.
    envelope: Option<Signed>,
    release: Option<Release>,
    plan: Option<Plan>,
    memory: Memory,
    behind: Option<Behind>,
    now: Timestamp,
}

impl Admin {
    /// Looks at what the hub has, beginning with a root that the admin trusts.
    ///
    /// # Errors
    /// When it cannot be asked, or shows what no host would take.
    pub async fn meet(
        mut hub: Hub,
        root: &[u8],
        environment: &Environment,
        mut memory: Memory,
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        let mut trusted = Trusted::begin(root, environment)?;
        let at_once = Duration::ZERO;
        if let Some(shown) = hub.newest(Newest::Root, trusted.root().version, at_once).await? {
            for version in trusted.root().version.saturating_add(1)..=shown.number {
                trusted.accept_root(&hub.root(version).await?)?;
            }
        }
        let (mut newest, mut envelope) = (None, None);
        if let Some(shown) = hub.newest(Newest::Head, 0, at_once).await? {
            newest = Some(look(&trusted, &shown.octets)?);
            envelope = Some(Signed::from_json(&shown.octets)?);
        }
        let release = match hub.newest(Newest::Release, 0, at_once).await? {
            Some(shown) => Some(read_release(&trusted, &shown.octets)?),
            None => None,
        };
        let plan = match hub.newest(Newest::Plan, 0, at_once).await? {
            Some(shown) => Some(Plan::from_json(&shown.octets, trusted.root())?),
            None => None,
        };
        memory.by(trusted.root());
        let behind = memory.behind(newest.as_ref().map(|(at, _)| *at));
        Ok(Self { hub, trusted, newest, envelope, release, plan, memory, behind, now })
    }

    /// What is wrong with what the hub shows, by what was seen from here.
    #[must_use]
    pub fn behind(&self) -> Option<Behind> {
        self.behind
    }

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

    /// The newest generation that the hub shows; 0 before the first.
    fn shown(&self) -> u64 {
        self.newest.as_ref().map_or(0, |(at, _)| at.generation)
    }

    /// Whose word it is.
    #[must_use]
    pub fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// The newest generation; none before the first.
    #[must_use]
    pub fn newest(&self) -> Option<&(HeadRef, Head)> {
        self.newest.as_ref()
    }

    /// Whether one of these keys signed the newest generation.
    #[must_use]
    pub fn newest_is_by(&self, keys: &[SecretKey]) -> bool {
        let keys: Vec<_> = keys.iter().map(SecretKey::public).collect();
        self.envelope.as_ref().is_some_and(|envelope| envelope.signers(&keys) > 0)
    }

    /// Whether less than half of such a lifetime is left to the newest generation: it is time to sign it anew.
    #[must_use]
    pub fn newest_wears_out(&self, lifetime: Duration) -> bool {
        let left = |head: &Head| head.expires.0.saturating_sub(self.now.0);
        self.newest.as_ref().is_some_and(|(_, head)| left(head) < lifetime.as_secs() / 2)
    }

    /// What is to be in use; nothing before the first release.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.release.as_ref()
    }

    /// The highest number that a release has, or is to have; 0 before the first.
    fn highest(&self) -> u64 {
        let release = self.release.as_ref().map_or(0, |release| release.sequence);
        release.max(self.plan.as_ref().map_or(0, Plan::last))
    }

    /// The release that follows all that were seen or signed, yet to be signed.
    fn next_release(&self, reach: Reach, head: HeadRef) -> Release {
        Release {
            environment: self.trusted.root().environment.clone(),
            sequence: self.memory.next_release(self.highest()),
            generation: head.generation,
            head: head.hash,
            permille: reach.permille,
            canaries: reach.canaries,
            halted: reach.halted || reach.undo,
            undo: reach.undo,
            expires: Timestamp(self.now.0.saturating_add(reach.lifetime.as_secs())),
        }
    }

    /// A generation of old.
    ///
    /// # Errors
    /// When the hub has none of this number, or it is not signed.
    pub async fn generation(&mut self, number: u64) -> Result<(HeadRef, Head), AdminError> {
        let octets = self.hub.head(number).await?;
        let found = look(&self.trusted, &octets)?;
        if found.0.generation == number { Ok(found) } else { Err(AdminError::Other(number)) }
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
        host.accept_head(&octets, self.now)?;
        // Before it leaves this machine: an answer that is lost must not let its number be signed for again.
        self.memory.saw(newest, self.highest());
        self.memory.signs(&octets);
        self.memory.keep()?;
        self.hub.push_head(octets, shown).await?;
        let at = HeadRef { generation: head.generation, hash: signed.hash() };
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
        next.accept_root(&octets).map_err(AdminError::Root)?;
        self.hub.push_message(Newest::Root, octets).await?;
        self.trusted = next;
        Ok(self.trusted.root())
    }

    /// Signs a release and pushes it.
    ///
    /// # Errors
    /// When the keys are not enough, or the hub does not take it.
    pub async fn put_in_use(
        &mut self,
        reach: Reach,
        head: HeadRef,
        keys: &[SecretKey],
    ) -> Result<u64, AdminError> {
        let _turn = self.memory.turn(self.trusted.root())?;
        let release = self.next_release(reach, head);
        let octets = signed(&release, keys)?.to_json()?;
        read_release(&self.trusted, &octets)?;
        self.memory.saw(None, release.sequence);
        self.memory.keep()?;
        self.hub.push_message(Newest::Release, octets).await?;
        let sequence = release.sequence;
        self.release = Some(release);
        Ok(sequence)
    }
}

/// Whether a hub says no for good. It does not when somebody else was faster, or when it only had no time.
fn is_refused(error: &ClientError) -> bool {
    let again = [StatusCode::PRECONDITION_FAILED, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    error.status.is_some_and(|status| status.is_client_error() && !again.contains(&status))
}

fn signed<M: Message>(message: &M, keys: &[SecretKey]) -> Result<Signed, Malformed> {
    let mut signed = Signed::new(message)?;
    keys.iter().for_each(|key| signed.sign(key));
    Ok(signed)
}

/// A head that admins signed. It may be old, or have expired: the next one follows it all the same.
fn look(trusted: &Trusted, octets: &[u8]) -> Result<(HeadRef, Head), AdminError> {
    let (hash, head): (_, Head) = verified("push", &trusted.root().roles.push, octets)?;
    for_us(trusted, &head.environment)?;
    Ok((HeadRef { generation: head.generation, hash }, head))
}

/// A release that its keys signed.
fn read_release(trusted: &Trusted, octets: &[u8]) -> Result<Release, AdminError> {
    let (_, release): (_, Release) = verified("release", &trusted.root().roles.release, octets)?;
    for_us(trusted, &release.environment)?;
    Ok(release)
}

fn verified<M: Message>(name: &'static str, role: &Role, octets: &[u8]) -> Result<(Hash, M), Refused> {
    let signed = Signed::from_json(octets)?;
    signed.expect(M::TYPE)?;
    let few = |have| Refused::TooFewSignatures { role: name, have, need: role.threshold };
    role.signed(&signed).map_err(few)?;
    Ok((signed.hash(), signed.read()?))
}

fn for_us(trusted: &Trusted, have: &Environment) -> Result<(), Refused> {
    let want = &trusted.root().environment;
    if want == have {
        return Ok(());
    }
    Err(Refused::WrongEnvironment { want: want.clone(), have: have.clone() })
}

/// Octets of a signed head: no etcd that hubs share takes 1.5 MiB at once, and what is signed is not to fail there.
const LARGEST_HEAD: usize = 1_500_000;
