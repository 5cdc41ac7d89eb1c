//! From a site's files to what this host runs by: its settings, its maps, and the proof that the site still does
//! what it says.
//!
//! In the folder of a set stand `site/` (what was signed), `maps/` (compiled for this host) and `DAEMON.toml`: the
//! host's settings, by the templates, with one layer on top that says where the agent keeps the maps. That layer
//! names `current` and `next` and never a set, so a generation that changes no setting changes no octet of the
//! file. A filter beside the host's own daemon has `milter.toml` and `maps-milter/`. On a hub's own host there is
//! `hub.toml`, and no maps.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use switchyard_behaviour::texts;
use switchyard_config::change::Difference;
use switchyard_config::document::Document;
use switchyard_config::render::{Origins, render};
use switchyard_config::site::{Daemon, Host, HostSettings, NoSuchHost, Role};
use switchyard_config::{Faults, Site};
use switchyard_maps::installed::{self, Checked, Edits, InstallError, Later, Over, Ways};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;

use super::counts;
use super::disk::{DiskError, Making, NEXT};
use crate::proof::{Proof, prove_over};

/// What a set says about its host.
#[derive(Debug)]
pub struct Made {
    /// What the host is for.
    pub role: &'static str,
    /// The daemon that reads it.
    pub daemon: &'static str,
    /// Where that daemon answers the operator's tool; none for nowhere.
    pub control: Option<PathBuf>,
    /// Where that daemon says what it counts; none where systemd holds the socket.
    pub metrics: Option<SocketAddr>,
    /// What the behaviours came to; none fails.
    pub proof: Proof,
    /// How its tables came to be.
    pub tables: Ways,
}

/// Why a host cannot run by a site.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its settings are wrong.
    #[error("{0}")]
    Settings(#[from] Faults),
    /// It has other hosts.
    #[error("{0}")]
    NoSuchHost(#[from] NoSuchHost),
    /// Its maps are wrong, or there is no room for them.
    #[error("{0}")]
    Maps(#[from] InstallError),
    /// Behaviours that fail, or cannot be read.
    #[error("{0}")]
    Behaviours(String),
    /// Behaviours that nobody can answer now.
    #[error("{0}")]
    Unasked(String),
    /// The disk's.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn metrics(site: &Site, host: &Host) -> Result<Option<SocketAddr>, Faults> {
    Ok(match host.role {
        // No mail passes it.
        Role::Hub => None,
        _ => match site.settings(host)? {
            HostSettings::Mx(settings) => counts::address(&settings.common.metrics),
            HostSettings::Router(settings) => counts::address(&settings.common.metrics),
        },
    })
}

/// What a set may be made over.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// The folder of a set that was made for this host.
    pub base: Option<&'a Path>,
    /// The site's files, as they were signed and as they stand there.
    pub files: &'a [head::File],
    /// By which lines some of them differ from those of before, by their hashes.
    pub edits: BTreeMap<Hash, Arc<Edits>>,
    /// Tables of earlier sets that were read not long ago.
    pub checked: Arc<Checked>,
    /// Who brings those of the files that are not in their places yet.
    pub later: Option<Arc<dyn Later>>,
}

impl Known<'_> {
    /// Over which compiled maps the texts of the set in this folder are made.
    pub(super) fn over(&self, folder: &Path, base: Option<PathBuf>) -> Over {
        let site = folder.join(SITE);
        let at = |file: &head::File| site.join(file.path.as_str());
        let hash = |file: &head::File| (at(file), *file.hash.as_bytes());
        let edits = |file: &head::File| Some((at(file), Arc::clone(self.edits.get(&file.hash)?)));
        let (hashes, edits) =
            (self.files.iter().map(hash).collect(), self.files.iter().filter_map(edits).collect());
        let (checked, later) = (Arc::clone(&self.checked), self.later.clone());
        Over { base, hashes, edits, checked, later }
    }
}

/// Makes a host of the site's files, which stand in `site/` already.
///
/// # Errors
/// When the host could not run by it; nothing is in use of it then.
pub async fn make(making: &Making, host: &str, current: &Path, known: Known<'_>) -> Result<Made, Unfit> {
    let site = Site::load(&making.path().join(SITE))?;
    let host = site.host(host)?;
    let control = site.control(host)?;
    let metrics = metrics(&site, host)?;
    let mut tables = Ways::default();
    for daemon in follow(&site, host) {
        let document = document(&site, host, daemon, current)?;
        making.write(&daemon.file(), render(&document, Origins::Hidden).as_bytes())?;
        if let Some(maps) = texts::of_daemon(&site, host, daemon)? {
            let folder = maps_of(host, daemon);
            let over = known.over(making.path(), known.base.map(|base| base.join(&folder)));
            tables += installed::install_over(&maps, &making.path().join(folder), &over)?.ways;
        }
    }
    let daemon = host.role.daemon();
    // Many hosts of the site have tables in common with this one.
    let over = known.over(making.path(), Some(making.path().join(MAPS)));
    let proof = prove_over(&site, &over).await.map_err(Unfit::Behaviours)?;
    match (proof.broken.is_empty(), proof.unasked.is_empty()) {
        (true, true) => Ok(Made { role: host.role.as_str(), daemon, control, metrics, proof, tables }),
        (true, false) => Err(Unfit::Unasked(proof.unasked.join("\n"))),
        (false, _) => Err(Unfit::Behaviours(proof.broken.join("\n"))),
    }
}

/// What differs for a host's daemons between two sets: what each takes while it runs, and what needs a restart. Of one
/// that a set does not have, nothing is told.
///
/// # Errors
/// When the host's settings in either cannot be read.
pub fn changes(
    old: &Path,
    new: &Path,
    host: &str,
    current: &Path,
) -> Result<Vec<(Daemon, Difference)>, Unfit> {
    let (old, new) = (Site::load(&old.join(SITE))?, Site::load(&new.join(SITE))?);
    let (was, is) = (old.host(host)?, new.host(host)?);
    let effective = |site: &Site, host: &Host, daemon: Daemon| {
        Ok::<_, Unfit>(daemon.effective(&document(site, host, daemon, current)?, None)?)
    };
    let mut changes = Vec::new();
    let before = old.daemons(was);
    for daemon in follow(&new, is).filter(|daemon| before.contains(daemon)) {
        let differences = effective(&old, was, daemon)?.differences(&effective(&new, is, daemon)?);
        changes.extend(differences.into_iter().map(|difference| (daemon, difference)));
    }
    Ok(changes)
}

/// The daemons of a host that run by a set: all but the agent itself, whose settings are a person's.
fn follow(site: &Site, host: &Host) -> impl Iterator<Item = Daemon> {
    site.daemons(host).into_iter().filter(|daemon| *daemon != Daemon::Agent)
}

/// The settings of a daemon, by what the agent has put in use.
fn document(site: &Site, host: &Host, daemon: Daemon, current: &Path) -> Result<Document, Faults> {
    let own = daemon.asks_maps().then(|| own_layer(current, &maps_of(host, daemon))).transpose()?;
    site.document_of(host, daemon, own)
}

/// The folder of a daemon's compiled maps in a set.
fn maps_of(host: &Host, daemon: Daemon) -> String {
    if daemon == host.role.runs() { MAPS.to_owned() } else { format!("{MAPS}-{}", daemon.as_str()) }
}

/// Where the maps are on this host, those in use and those to come, whatever the site says. How much may change at
/// once was asked when it was pushed: a daemon that asked again would stay behind what an admin has accepted.
fn own_layer(current: &Path, maps: &str) -> Result<Document, Faults> {
    let place = |place: PathBuf| toml::Value::from(place.display().to_string());
    let (texts, set) = (place(current.join(SITE).join("maps")), place(current.join(maps)));
    let next = place(current.with_file_name(NEXT).join(maps));
    let text = format!(
        "[maps]\nfolder = {texts}\nset = {set}\ncandidate = {next}\nmax_removed = 100\nmax_changed = 100\n"
    );
    Document::parse("the agent's own layer", &text)
}

/// The site's files in a set.
pub const SITE: &str = "site";
/// The compiled maps of the host's own daemon in a set.
pub(super) const MAPS: &str = "maps";

#[cfg(test)]
mod tests;
