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
        hosts: &[Rendered<'_>],
        folder: &Path,
        output: &mut Output,
    ) -> Result<Exit, String> {
        let making = Making::begin(folder)?;
        let maps = files(&site.folder.join("maps"))?;
        let mut made = Vec::new();
        for rendered in hosts {
            let host = rendered.host;
            // One host: the folder is its own.
            let under = if self.host.is_some() { PathBuf::new() } else { host.name.as_str().into() };
            let file = under.join(format!("{}.toml", host.role.daemon()));
            making.write(&file, rendered.toml(self.origins()).as_bytes())?;
            for (name, octets) in &maps {
                making.write(&under.join("maps").join(name), octets)?;
            }
            made.push((host, folder.join(file)));
        }
        making.finish()?;
        let told = if self.json {
            let made = made.iter().map(|(host, file)| json!({ "host": host.name.as_str(), "file": file }));
            format!("{:#}\n", json!(made.collect::<Vec<_>>()))
        } else {
            made.iter().map(|(host, file)| format!("{}: {}\n", host.name, file.display())).collect()
        };
        output.data(told).map_err(|error| error.to_string())?;
        Ok(Exit::Fine)
    }
}

/// The maps of the site, in folders if they stand in some; none where there is no such folder.
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
            // A link to a folder may lead in a circle: what it holds is not a map of this site.
            if entry.file_type().map_err(cannot)?.is_dir() {
                folders.push(name);
            } else if path.is_file() {
                let octets = fs::read(&path);
                found.push((
                    name,
                    octets.map_err(|error| format!("{}: cannot be read: {error}", path.display()))?,
                ));
            }
        }
    }
    found.sort();
    Ok(found)
}
