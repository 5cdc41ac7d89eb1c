//! The layers of a host's daemons: the suite's own, and those in the site's folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Daemon, Host, Role, Site};
use crate::check::{Faults, Place, hint};
use crate::document::{Document, Entry};
use crate::template::asked_for;

/// The suite's lowest layer of the roles that mail passes.
const BASE: (&str, &str) = ("suite/base.toml", include_str!("../../templates/base.toml"));

/// What the daemon of a role is told where a filter stands beside it.
const ASKS_FILTER: (&str, &str) =
    ("suite/daemon/asks-milter.toml", include_str!("../../templates/daemon/asks-milter.toml"));

/// What a hub is told that agrees with others by an etcd.
const AGREES: (&str, &str) =
    ("suite/daemon/agrees-etcd.toml", include_str!("../../templates/daemon/agrees-etcd.toml"));

impl Site {
    /// The layers of a daemon on a host, from the lowest up.
    pub(super) fn layers(&self, host: &Host, daemon: Daemon) -> Vec<Result<Document, Faults>> {
        let of_mail = host.role.is_of_mail();
        let suite = if daemon == host.role.runs() {
            let base = of_mail.then_some(BASE);
            let asks = self.has_beside(host, Daemon::Milter).then_some(ASKS_FILTER);
            let agrees = (host.role == Role::Hub && self.states("etcd_members")).then_some(AGREES);
            vec![base, Some(host.role.template()), asks, agrees]
        } else {
            vec![daemon.template()]
        };
        let suite = suite.into_iter().flatten().map(|(file, text)| Document::parse(file, text));
        let site = self.own_layers(host, daemon);
        let present = site.iter().filter(|path| path.exists()).map(|path| Document::load(path));
        suite.chain(present).collect()
    }

    /// Where the site may have layers of its own, from the lowest up.
    pub(super) fn own_layers(&self, host: &Host, daemon: Daemon) -> Vec<PathBuf> {
        let (role, name) = (host.role.as_str(), host.name.as_str());
        let files = if daemon == host.role.runs() {
            // A hub knows none of what the others share.
            let base = host.role.is_of_mail().then(|| "base.toml".to_owned());
            vec![base, Some(format!("role/{role}.toml")), Some(format!("host/{name}.toml"))]
        } else {
            let file = daemon.file();
            [format!("daemon/{file}"), format!("role/{role}/{file}"), format!("host/{name}/{file}")]
                .map(Some)
                .to_vec()
        };
        files.into_iter().flatten().map(|file| self.folder.join(file)).collect()
    }

    /// Layers in the site's folder that hold for nobody, because there is no such role, host or daemon: somebody
    /// thinks that they do.
    pub(super) fn stray_layers(&self) -> Faults {
        let mut faults = Faults::new();
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        let hosts: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let beside: Vec<&str> = Daemon::BESIDE.iter().map(|daemon| daemon.as_str()).collect();
        for (folder, what, known) in [("role", "role", &roles), ("host", "host of site.toml", &hosts)] {
            let folder = self.folder.join(folder);
            let (files, folders) = (layer_files(&folder), folders(&folder));
            for (path, stem) in files.iter().chain(&folders) {
                refuse_unknown(path, stem, what, known, &mut faults);
            }
            for (path, name) in folders {
                self.stray_beside(&path, &beside, &mut faults);
                let is_hub = |host: &Host| host.role == Role::Hub && host.name.as_str() == name;
                if name == Role::Hub.as_str() || self.hosts.iter().any(is_hub) {
                    refuse_filter(&path, &mut faults);
                }
            }
        }
        self.stray_beside(&self.folder.join("daemon"), &beside, &mut faults);
        faults
    }

    /// The same of a folder of layers for daemons beside another.
    fn stray_beside(&self, folder: &Path, known: &[&str], faults: &mut Faults) {
        for (path, stem) in layer_files(folder) {
            refuse_unknown(&path, &stem, "daemon that stands beside another", known, faults);
            if stem == Daemon::Agent.as_str() && !self.has_hubs() {
                let message = "no agent runs here: the site has no host of the role hub";
                faults.push(Place::whole(&path.display().to_string()), message);
            }
        }
    }

    /// Facts that no layer of any role asks for: mistaken names, since a hole may be optional.
    pub(super) fn idle_facts(&self) -> Faults {
        let of_host = |host| self.daemons(host).into_iter().flat_map(move |daemon| self.layers(host, daemon));
        let mut layers: Vec<Document> = self.hosts.iter().flat_map(of_host).flatten().collect();
        layers.extend(suite_layers());
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

/// Every layer that the suite has of its own.
pub(super) fn suite_layers() -> Vec<Document> {
    let roles = Role::ALL.into_iter().map(Role::template);
    let beside = Daemon::BESIDE.into_iter().filter_map(Daemon::template);
    let all = [BASE, ASKS_FILTER, AGREES].into_iter().chain(roles).chain(beside);
    all.filter_map(|(file, text)| Document::parse(file, text).ok()).collect()
}

/// A layer for a filter where no mail passes.
fn refuse_filter(folder: &Path, faults: &mut Faults) {
    let filter = layer_files(folder).into_iter().find(|(_, stem)| stem == Daemon::Milter.as_str());
    if let Some((path, _)) = filter {
        faults.push(
            Place::whole(&path.display().to_string()),
            "no filter stands beside a hub: no mail passes it",
        );
    }
}

fn refuse_unknown(path: &Path, stem: &str, what: &str, known: &[&str], faults: &mut Faults) {
    if !known.contains(&stem) {
        let message = format!("`{stem}` is no {what}{}", hint(stem, known.iter().copied()));
        faults.push(Place::whole(&path.display().to_string()), message);
    }
}

/// The TOML files of a folder with their stems, in order; none where there is no such folder.
fn layer_files(folder: &Path) -> Vec<(PathBuf, String)> {
    let stem = |path: &Path, name: &str| match path.is_dir() {
        true => None,
        false => name.strip_suffix(".toml").map(str::to_owned),
    };
    entries(folder, stem)
}

/// The folders in a folder with their names, in order; hidden ones are nobody's layers.
fn folders(folder: &Path) -> Vec<(PathBuf, String)> {
    entries(folder, |path, name| (path.is_dir() && !name.starts_with('.')).then(|| name.to_owned()))
}

fn entries(folder: &Path, known_as: impl Fn(&Path, &str) -> Option<String>) -> Vec<(PathBuf, String)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let known = |path: PathBuf| {
        let name = known_as(&path, path.file_name()?.to_str()?)?;
        Some((path, name))
    };
    let mut found: Vec<_> = entries.filter_map(|entry| known(entry.ok()?.path())).collect();
    found.sort();
    found
}
