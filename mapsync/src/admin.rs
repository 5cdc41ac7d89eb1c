//! What an admin does at a hub: see what is newest, bring files, push a generation, release it.
//!
//! The hub is believed no more than by a host: what it shows is held against the root that the admin has.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use switchyard_mapsync_protocol::envelope::{Malformed, Message, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{self, Head};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::root::Role;
use switchyard_mapsync_protocol::trust::{HeadRef, Refused, Trusted};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use crate::client::{ClientError, Hub, Newest};
use crate::site::SiteFile;

/// An admin at a hub.
#[derive(Debug)]
pub struct Admin {
    hub: Hub,
    trusted: Trusted,
    newest: Option<(HeadRef, Head)>,
    release: Option<Release>,
    now: Timestamp,
}

/// It was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The hub cannot be asked, or says no.
    #[error(transparent)]
    Hub(#[from] ClientError),
    /// The hub shows what no host would take.
    #[error("what the hub shows is not to be trusted: {0}")]
    Refused(#[from] Refused),
    /// What was to be signed breaks a rule.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A file of an older generation cannot be laid down.
    #[error("{}: {error}", .at.display())]
    Disk {
        /// Which one.
        at: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The hub has no such generation.
    #[error("the hub shows another head for generation {0}")]
    Other(u64),
}

impl AdminError {
    /// Whether somebody else was faster.
    #[must_use]
    pub fn lost_the_race(&self) -> bool {
        matches!(self, Self::Hub(error) if error.status == Some(hyper::StatusCode::PRECONDITION_FAILED))
    }
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
        now: Timestamp,
    ) -> Result<Self, AdminError> {
        let mut trusted = Trusted::begin(root, environment)?;
        let at_once = Duration::ZERO;
        if let Some(shown) = hub.newest(Newest::Root, trusted.root().version, at_once).await? {
            for version in trusted.root().version.saturating_add(1)..=shown.number {
                trusted.accept_root(&hub.root(version).await?)?;
            }
        }
        let mut newest = None;
        if let Some(shown) = hub.newest(Newest::Head, 0, at_once).await? {
            newest = Some(look(&trusted, &shown.octets)?);
        }
        let release = match hub.newest(Newest::Release, 0, at_once).await? {
            Some(shown) => Some(read_release(&trusted, &shown.octets)?),
            None => None,
        };
        Ok(Self { hub, trusted, newest, release, now })
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

    /// What is to be in use; nothing before the first release.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.release.as_ref()
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

    /// Brings what the hub has not, and says of each file whether it was there.
    ///
    /// # Errors
    /// When a file cannot be read, or the hub does not take it.
    pub async fn bring(
        &mut self,
        files: &[SiteFile],
        mut done: impl FnMut(&head::File, Brought),
    ) -> Result<(), AdminError> {
        for SiteFile { file, at } in files {
            let was_there = self.hub.has(file.hash).await?;
            if !was_there {
                self.hub.bring(file, at).await?;
            }
            done(file, if was_there { Brought::WasThere } else { Brought::Now });
        }
        Ok(())
    }

    /// Lays a generation's files down in a folder: those that `files` has here are taken from there, the rest comes
    /// from the hub.
    ///
    /// # Errors
    /// When the hub has not what it shows, or there is no room.
    pub async fn lay_down(
        &mut self,
        head: &Head,
        files: &[SiteFile],
        folder: &Path,
    ) -> Result<(), AdminError> {
        for file in &head.files {
            let at = folder.join(file.path.as_str());
            let no_room = |error| AdminError::Disk { at: at.clone(), error };
            if let Some(folder) = at.parent() {
                fs::create_dir_all(folder).map_err(no_room)?;
            }
            match files.iter().find(|own| own.file.hash == file.hash) {
                Some(own) => drop(fs::copy(&own.at, &at).map_err(no_room)?),
                None => {
                    let mut open = File::create_new(&at).map_err(no_room)?;
                    self.hub.file(file, &mut open).await?;
                }
            }
        }
        Ok(())
    }

    /// Signs a generation that follows the newest one, and pushes it.
    ///
    /// # Errors
    /// When the keys are not enough, or the hub does not take it: [`AdminError::lost_the_race`].
    pub async fn push(&mut self, wish: Wish, keys: &[SecretKey]) -> Result<HeadRef, AdminError> {
        let before = self.newest.as_ref().map(|(at, _)| *at);
        let after = before.map_or(0, |at| at.generation);
        let head = Head {
            environment: self.trusted.root().environment.clone(),
            generation: after.saturating_add(1),
            previous: before.map(|at| at.hash),
            created: self.now,
            expires: Timestamp(self.now.0.saturating_add(wish.lifetime.as_secs())),
            author: wish.author,
            note: wish.note,
            files: wish.files,
        };
        let signed = signed(&head, keys)?;
        let octets = signed.to_json()?;
        // As a host would: a hub is not bothered with what no host takes.
        let mut host = self.trusted.clone();
        host.accept_head(&octets, self.now)?;
        self.hub.push_head(octets, after).await?;
        let at = HeadRef { generation: head.generation, hash: signed.hash() };
        self.trusted = host;
        self.newest = Some((at, head));
        Ok(at)
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
        let release = Release {
            environment: self.trusted.root().environment.clone(),
            sequence: self.release.as_ref().map_or(1, |release| release.sequence.saturating_add(1)),
            generation: head.generation,
            head: head.hash,
            permille: reach.permille,
            canaries: reach.canaries,
            halted: reach.halted || reach.undo,
            undo: reach.undo,
            expires: Timestamp(self.now.0.saturating_add(reach.lifetime.as_secs())),
        };
        let octets = signed(&release, keys)?.to_json()?;
        read_release(&self.trusted, &octets)?;
        self.hub.push_message(Newest::Release, octets).await?;
        let sequence = release.sequence;
        self.release = Some(release);
        Ok(sequence)
    }
}

/// What is to be signed as the next generation.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who.
    pub author: String,
    /// Why.
    pub note: String,
    /// How long hosts may take it.
    pub lifetime: Duration,
    /// Every file of the site.
    pub files: Vec<head::File>,
}

/// Which hosts a release moves.
#[derive(Debug, Clone)]
pub struct Reach {
    /// So many of a thousand.
    pub permille: u16,
    /// Hosts by name, besides.
    pub canaries: Vec<String>,
    /// Nobody moves.
    pub halted: bool,
    /// Who has moved goes back; nobody else moves.
    pub undo: bool,
    /// How long it moves anybody.
    pub lifetime: Duration,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// The hub had it.
    WasThere,
    /// It was brought.
    Now,
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
