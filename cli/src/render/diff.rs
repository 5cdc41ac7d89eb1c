//! `--diff`: which settings of a host are not what they were, and what each change takes.

use std::collections::HashMap;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};
use switchyard_config::Site;
use switchyard_config::change::{Difference, Effective};
use switchyard_config::document::Document;
use switchyard_config::reference::Change;
use switchyard_config::render::origins;
use switchyard_config::site::{Daemon, Host};
use switchyard_daemon::reload::Shown;

use super::{Arguments, Rendered, text};
use crate::control::Control;
use crate::output::{Exit, Output};

impl Arguments {
    pub(super) fn differ(
        &self,
        rendered: &Rendered<'_>,
        old: &Path,
        output: &mut Output,
    ) -> Result<Exit, String> {
        let (host, daemon) = (rendered.host, rendered.daemon);
        let (before, folder) = before(old, host, daemon)?;
        let after = daemon.effective(&rendered.document, folder.as_deref()).map_err(text)?;
        let differences = before.differences(&after);
        let origins: HashMap<String, String> = match self.origin {
            true => origins(&rendered.document).into_iter().collect(),
            false => HashMap::new(),
        };
        let told =
            if self.json { json_of(host, &differences, &origins)? } else { lines_of(&differences, &origins) };
        output.data(told).map_err(text)?;
        Ok(if differences.is_empty() { Exit::Fine } else { Exit::Wrong })
    }
}

/// What held: by a running daemon, by the file of one, or by the host's own site as it was; and the folder from which
/// relative paths were seen there, if from one.
fn before(old: &Path, host: &Host, daemon: Daemon) -> Result<(Effective, Option<PathBuf>), String> {
    match std::fs::metadata(old).map(|found| found.file_type()) {
        Ok(kind) if kind.is_socket() => running(old, host, daemon),
        Ok(kind) if kind.is_dir() => Ok((in_site(old, host, daemon)?, None)),
        _ => {
            let file = Document::load(old).map_err(text)?;
            Ok((daemon.effective(&file, None).map_err(text)?, None))
        }
    }
}

/// What the daemon says that it runs with.
fn running(socket: &Path, host: &Host, daemon: Daemon) -> Result<(Effective, Option<PathBuf>), String> {
    let at = socket.display();
    let shown: Shown = Control::new(socket).get("/settings").map_err(text)?;
    let running = shown.running.ok_or_else(|| format!("{at}: this daemon does not say what it runs with"))?;
    let (program, wanted) = (running.program, daemon.program());
    if program != wanted {
        let name = &host.name;
        return Err(format!("{at}: {program} answers here, and what is asked for is {wanted} of `{name}`"));
    }
    let holds = Effective::deserialize(running.settings);
    let holds = holds.map_err(|error| format!("{at}: what it runs with cannot be read: {error}"))?;
    Ok((holds, running.folder))
}

/// What held by a site as it was.
fn in_site(old: &Path, host: &Host, daemon: Daemon) -> Result<Effective, String> {
    let site = Site::load(old).map_err(text)?;
    let before = site.host(host.name.as_str()).map_err(|error| text(site.fault(error)))?;
    if !site.daemons(before).contains(&daemon) {
        let (name, was, daemon) = (&host.name, before.role.as_str(), daemon.as_str());
        let message = format!("`{name}` was of the role {was} and had no `{daemon}`: all of it differs");
        return Err(text(site.fault(message)));
    }
    site.effective_of(before, daemon).map_err(text)
}

/// A line a setting, and how many there are.
fn lines_of(differences: &[Difference], origins: &HashMap<String, String>) -> String {
    let mut lines = String::new();
    for Difference { path, before, after, change } in differences {
        let what = match (before, after) {
            (Some(before), Some(after)) => format!("{path} = {after}, was {before}"),
            (None, Some(after)) => format!("{path} = {after}, was not set"),
            (Some(before), None) => format!("{path} is not set, was {before}"),
            (None, None) => path.clone(),
        };
        let origin = origins.get(path).map_or_else(String::new, |origin| format!("  # {origin}"));
        lines.push_str(&format!("{:<7}  {what}{origin}\n", change.to_string()));
    }
    let restart = differences.iter().filter(|difference| difference.change == Change::Restart).count();
    let live = differences.len() - restart;
    lines.push_str(&match differences.len() {
        0 => "no setting differs\n".to_owned(),
        1 => format!("1 difference: {live} live, {restart} with a restart\n"),
        all => format!("{all} differences: {live} live, {restart} with a restart\n"),
    });
    lines
}

fn json_of(
    host: &Host,
    differences: &[Difference],
    origins: &HashMap<String, String>,
) -> Result<String, String> {
    let told = differences.iter().map(|Difference { path, before, after, change }| {
        let mut told = json!({
            "setting": path,
            "before": value(before.as_deref())?,
            "after": value(after.as_deref())?,
            "change": change.to_string(),
        });
        if let Some(origin) = origins.get(path) {
            told["origin"] = json!(origin);
        }
        Ok(told)
    });
    let told: Vec<Value> = told.collect::<Result<_, String>>()?;
    Ok(format!("{:#}\n", json!({ "host": host.name.as_str(), "differences": told })))
}

/// A setting's TOML as JSON; null where it is not set.
fn value(toml: Option<&str>) -> Result<Value, String> {
    let Some(toml) = toml else { return Ok(Value::Null) };
    let mut table: serde_json::Map<String, Value> = toml::from_str(&format!("v = {toml}")).map_err(text)?;
    Ok(table.remove("v").unwrap_or_default())
}
