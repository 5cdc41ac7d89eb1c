//! What an admin does at a hub: see what is newest, bring files, push a generation, release it.
//!
//! The hub is believed no more than by a host: what it shows is held against the root that the admin has, and against
//! what was seen and signed from here before ([`Memory`]).

mod bring;
mod files;
mod memory;
mod push;
mod release;
mod rollout;
mod second;
mod words;

use std::time::Duration;

use switchyard_mapsync_protocol::envelope::{Malformed, Message, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::Head;
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::root::Role;
use switchyard_mapsync_protocol::trust::{HeadRef, Refused, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};

pub use self::memory::{Behind, Memory, MemoryError};
pub use self::release::Signing;
pub use self::second::{First, NotSecond};
pub use self::words::{AdminError, Brought, Earlier, Reach, Wish};
use crate::client::{ClientError, Hub, Newest};

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
    /// Of whom the rest is asked when the hub is gone.
    others: Vec<Hub>,
    /// An answer that did not come, although what was brought is there.
    lost: Option<ClientError>,
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
        let (others, lost) = (Vec::new(), None);
        Ok(Self { hub, trusted, newest, envelope, release, plan, memory, behind, others, lost, now })
    }

    /// What is wrong with what the hub shows, by what was seen from here.
    #[must_use]
    pub fn behind(&self) -> Option<Behind> {
        self.behind
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
