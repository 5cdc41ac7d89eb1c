//! The layers of a host: the suite's own, and those in the site's folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{BASE, Host, Role, Site};
use crate::check::{Faults, Place, hint};
use crate::document::{Document, Entry};
use crate::template::asked_for;

impl Site {
    /// From the lowest up.
    pub(super) fn layers(&self, host: &Host) -> Vec<Result<Document, Faults>> {
        let (role, name) = (host.role.as_str(), host.name.as_str());
        let suite = [BASE, host.role.template()].map(|(file, text)| Document::parse(file, text));
        let site = ["base.toml".into(), format!("role/{role}.toml"), format!("host/{name}.toml")]
            .map(|file| self.folder.join(file));
        let present = site.iter().filter(|path| path.exists()).map(|path| Document::load(path));
        suite.into_iter().chain(present).collect()
    }

    /// Layers in the site's folder that are of no role or of no host: somebody thinks they hold.
    pub(super) fn stray_layers(&self) -> Faults {
        let mut faults = Faults::new();
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        for (folder, what, known) in [("role", "role", &roles), ("host", "host of site.toml", &hosts)] {
            for (path, stem) in layer_files(&self.folder.join(folder)) {
                if !known.contains(&stem.as_str()) {
                    let place = Place::whole(&path.display().to_string());
                    faults
                        .push(place, format!("`{stem}` is no {what}{}", hint(&stem, known.iter().copied())));
                }
            }
        }
        faults
    }

    /// Facts that no layer of any role asks for: mistaken names, since a hole may be optional.
    pub(super) fn idle_facts(&self) -> Faults {
        let mut layers: Vec<Document> =
            self.hosts.iter().flat_map(|host| self.layers(host)).flatten().collect();
        layers.extend(Role::ALL.iter().filter_map(|role| {
            let (file, text) = role.template();
            Document::parse(file, text).ok()
        }));
        let mut asked = BTreeSet::new();
        layers.iter().for_each(|layer| asked_for(&layer.root, &mut asked));
        let mut faults = Faults::new();
        let stated = self.hosts.iter().flat_map(|host| &host.facts.entries).chain(&self.facts.entries);
        for Entry { key, place, .. } in stated.filter(|entry| !asked.contains(entry.key.as_str())) {
            let own = asked.iter().copied().filter(|name| !name.contains('.'));
            faults.push(place.clone(), format!("no template asks for the fact `{key}`{}", hint(key, own)));
        }
        faults
    }
}

/// The TOML files of a folder with their stems, in order; none where there is no such folder.
fn layer_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let stem = |path: PathBuf| {
        let stem = path.file_name()?.to_str()?.strip_suffix(".toml")?.to_owned();
        Some((path, stem))
    };
    let mut files: Vec<_> = entries.filter_map(|entry| stem(entry.ok()?.path())).collect();
    files.sort();
    files
}
