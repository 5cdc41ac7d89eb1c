//! What must hold of a site before it is signed: no fault, every behaviour, and no more of a map gone than may go.

use std::path::Path;

use switchyard_config::Site;
use switchyard_maps::guard::over_budget;
use switchyard_maps::{MapOptions, MapSet};
use switchyard_mapsync::admin::Admin;
use switchyard_mapsync::proof::prove;
use switchyard_mapsync::site::SiteFile;
use switchyard_mapsync_protocol::head::Head;
use tempfile::TempDir;

use super::text;
use crate::check::faults_of;
use crate::output::Output;
use crate::texts;

/// What was found.
pub(super) enum Checked {
    /// It may be signed; what was looked at, in words.
    Good(String),
    /// It may not, and was told why.
    Bad,
}

pub(super) async fn check(folder: &Path, output: &mut Output) -> Result<Checked, String> {
    let (hosts, faults) = faults_of(folder);
    for fault in &faults {
        output.say(fault.line()).map_err(text)?;
    }
    if !faults.is_empty() {
        return Ok(Checked::Bad);
    }
    let site = Site::load(folder).map_err(text)?;
    let proof = prove(&site).await?;
    for broken in proof.broken.iter().chain(&proof.unasked) {
        output.say(broken).map_err(text)?;
    }
    if !proof.unasked.is_empty() {
        output
            .say("what cannot be asked is not signed: see that the tables' servers answer here")
            .map_err(text)?;
    }
    if !proof.broken.is_empty() || !proof.unasked.is_empty() {
        return Ok(Checked::Bad);
    }
    Ok(Checked::Good(format!("{hosts} hosts without a fault, {} behaviours hold", proof.hold)))
}

/// What changes too much at once between a generation and the folder, by the budgets that the hosts have (`maps.max_removed`
/// and `maps.max_changed`); a line each.
pub(super) async fn too_much(
    admin: &mut Admin,
    before: &Head,
    files: &[SiteFile],
    folder: &Path,
) -> Result<Vec<String>, String> {
    let is_same = |file: &SiteFile| before.files.contains(&file.file);
    if files.iter().all(is_same) && files.len() == before.files.len() {
        return Ok(Vec::new());
    }
    let old = TempDir::new().map_err(text)?;
    admin.lay_down(before, files, old.path()).await.map_err(text)?;
    // What was good when it was pushed may be none to a newer program: then there is nothing to compare with.
    let Ok(old) = Site::load(old.path()) else { return Ok(Vec::new()) };
    let new = Site::load(folder).map_err(text)?;
    let mut seen: Vec<(MapOptions, MapOptions)> = Vec::new();
    let mut told = Vec::new();
    for host in new.hosts.iter().filter(|host| host.role.is_of_mail()) {
        let Ok(was) = old.host(host.name.as_str()) else { continue };
        let Ok(was) = old.settings(was) else { continue };
        let pair = (texts::options(&old, was), texts::options(&new, new.settings(host).map_err(text)?));
        if seen.contains(&pair) {
            continue;
        }
        let budget = pair.1.budget;
        if let (Ok(was), Ok(is)) = (MapSet::load(&pair.0), MapSet::load(&pair.1)) {
            told.extend(over_budget(was.get(), is.get(), budget).iter().map(ToString::to_string));
        }
        seen.push(pair);
    }
    told.sort();
    told.dedup();
    Ok(told)
}
