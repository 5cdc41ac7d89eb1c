//! `--into`: the folder that a host is restored from: its settings and its maps, from its name and role alone.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use switchyard_config::Site;

use super::{Arguments, Rendered};
use crate::folder::Making;
use crate::output::{Exit, Output};

impl Arguments {
    pub(super) fn lay_down(
        &self,
        site: &Site,
        hosts: &[Vec<Rendered<'_>>],
        folder: &Path,
        output: &mut Output,
    ) -> Result<Exit, String> {
        let making = Making::begin(folder)?;
        let maps = files(&site.folder.join("maps"))?;
        let mut made = Vec::new();
        for rendered in hosts.iter().flatten() {
            let Rendered { host, daemon, .. } = rendered;
            // One host: the folder is its own.
            let under = if self.host.is_some() { PathBuf::new() } else { host.name.as_str().into() };
            let file = under.join(daemon.file());
            making.write(&file, rendered.toml(self.origins()).as_bytes())?;
            if *daemon == host.role.runs() && host.role.is_of_mail() {
                for (name, octets) in &maps {
                    making.write(&under.join("maps").join(name), octets)?;
                }
            }
            made.push((rendered, folder.join(file)));
        }
        making.finish()?;
        let told = if self.json {
            let made = made.iter().map(|(Rendered { host, daemon, .. }, file)| {
                json!({ "host": host.name.as_str(), "file": file, "unit": daemon.unit() })
            });
            format!("{:#}\n", json!(made.collect::<Vec<_>>()))
        } else {
            let line = |(Rendered { host, daemon, .. }, file): &(&Rendered<'_>, PathBuf)| {
                format!("{}: {}, for {}\n", host.name, file.display(), daemon.unit())
            };
            made.iter().map(line).collect()
        };
        output.data(told).map_err(|error| error.to_string())?;
        Ok(Exit::Fine)
    }
}

/// The maps of the site, in folders if they stand in some; none where there is no such folder. Where a link leads to
/// a file, the file is taken.
///
/// What would be left out is an error: a host without one of its maps answers 451.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(under) = folders.pop() {
        let at = folder.join(&under);
        if !at.is_dir() {
            continue;
        }
        let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", at.display());
        for entry in fs::read_dir(&at).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let (path, name) = (entry.path(), under.join(entry.file_name()));
            if entry.file_type().map_err(cannot)?.is_dir() {
                folders.push(name);
                continue;
            }
            let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
            let kind = fs::metadata(&path).map_err(cannot)?.file_type();
            // It may lead in a circle, or out of the site.
            if kind.is_dir() {
                let what = "a link to a folder is not followed: put the folder itself there";
                return Err(format!("{}: {what}", path.display()));
            }
            if !kind.is_file() {
                return Err(format!("{}: neither a file nor a folder", path.display()));
            }
            found.push((name, fs::read(&path).map_err(cannot)?));
        }
    }
    found.sort();
    Ok(found)
}
