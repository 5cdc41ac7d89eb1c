//! A set on disk: compiled elsewhere or earlier, verified when it was installed, opened in constant time.
//!
//! A folder with a file a table (`0.swm`), or two (`0.swm.changes`), and `manifest.json`, which names them, what they were
//! made from, and each one's identity. The manifest is written last and is what makes the folder a set. A
//! daemon that is told to use a set (`maps.set`) reads no map text at all; whoever moves the link that the
//! setting names to another folder puts that set in use.
//!
//! The manifest says of each table what decided its octets, so that the next set is made over this one
//! ([`install_over`]): a table of which nothing changed is the same file under one more name. So is a large one of
//! text that changed in some lines, with a second file beside it that says what changed; it answers as one does that
//! a compiler makes of all of the text. A small one, and one with many such changes, is made anew, of the old one and
//! of them: octet for octet as a compiler makes it.

mod checked;
mod edits;
mod folder;
mod manifest;
mod open;
mod over;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::artifact::{Bytes, Install};
use crate::chain::{Member, Table};
use crate::fault::{Fault, Faults};
use crate::name::MapName;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{Files, MapSet, Slot};
pub use crate::set::{Followed, Proof};
pub use checked::Checked;
pub use edits::{Edits, TooMuch};
pub(crate) use folder::Beside;
use folder::{Base, Folder, Written};
pub use manifest::{Artifact, Changes, Entry, LAYOUT, MANIFEST, Manifest, Origin, identity, keys, manifest};
use manifest::{FORMAT, beside, table};
pub(crate) use open::open;
pub use over::{Installed, Later, Over, Ways};

/// A set could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Something is wrong with its maps; nothing was put in use.
    #[error(transparent)]
    Maps(#[from] Faults),
    /// The disk's.
    #[error("{}: {error}", .file.display())]
    Disk {
        /// What was to be written.
        file: PathBuf,
        /// What came of it.
        error: io::Error,
    },
}

/// Compiles a set into a folder that is new or empty, reads all of it back, and makes it a set.
///
/// # Errors
/// With everything that is wrong with the maps, or the disk's.
pub fn install(options: &MapOptions, folder: &Path) -> Result<Manifest, InstallError> {
    install_over(options, folder, &Over::default()).map(|installed| installed.manifest)
}

/// The same, with less work where another set has some of it: what comes from there was proved there, and is not read
/// back.
///
/// # Errors
/// As there.
pub fn install_over(options: &MapOptions, folder: &Path, over: &Over) -> Result<Installed, InstallError> {
    let disk = |file: &Path| {
        let file = file.to_owned();
        move |error| InstallError::Disk { file, error }
    };
    fs::create_dir_all(folder).map_err(disk(folder))?;
    if fs::read_dir(folder).map_err(disk(folder))?.next().is_some() {
        return Err(disk(folder)(io::Error::other("the folder is not empty: a set is never written over")));
    }
    let remotes = Remotes::unmetered(&options.remote);
    let mut into = Folder::new(folder, Base::open(over));
    let (set, faults) = MapSet::compile(options, &remotes, &mut Files::over(options, over), &mut into);
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let (compiled, ways) = (into.compiled(), into.ways());
    let mut written = into.written.into_iter();
    let mut maps = BTreeMap::new();
    for map in MapName::ALL {
        let Slot::Ready(chain) = set.get().slot(map) else { continue };
        maps.insert(
            map.as_str().to_owned(),
            chain.members.iter().map(|member| entry(member, &mut written)).collect(),
        );
    }
    let set = set.into_inner();
    let digest = hex(&set.digest());
    let (aliases, followed) = set.followed.unzip();
    let manifest = Manifest { format: FORMAT, digest, aliases, maps };
    // The others were proved where they come from.
    verify_but(&manifest, folder, |artifact| !compiled.contains(&artifact.file))?;
    compiled.iter().for_each(|file| over.checked.note(&folder.join(file)));
    let file = folder.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| disk(&file)(error.into()))?;
    let mut install = Install::create(&file).map_err(disk(&file))?;
    install.write_all(text.as_bytes()).and_then(|()| install.write_all(b"\n")).map_err(disk(&file))?;
    install.commit().map_err(disk(&file))?;
    Ok(Installed { manifest, ways, followed })
}

fn entry(member: &Member, written: &mut impl Iterator<Item = Written>) -> Entry {
    let members = match &member.table {
        Table::Union(members) => members.iter().map(|member| entry(member, written)).collect(),
        _ => Vec::new(),
    };
    let mut identities = member.table.containers().map(|container| hex(&container.identity()));
    let artifact = identities.next().and_then(|identity| {
        let Written { file, made } = written.next()?;
        let changes = identities.next().map(|identity| Changes { file: beside(&file), identity });
        Some(Artifact { file, identity, records: member.table.len() as u64, changes, origin: made.origin })
    });
    Entry { table: member.spec.to_string(), source: member.file.to_path_buf(), artifact, members }
}

pub(crate) fn hex(octets: &[u8; 32]) -> String {
    blake3::Hash::from(*octets).to_hex().to_string()
}

/// Reads every octet of a set's artifacts.
///
/// # Errors
/// With all that is damaged.
pub fn verify(manifest: &Manifest, folder: &Path) -> Result<(), Faults> {
    verify_but(manifest, folder, |_| false)
}

fn verify_but(
    manifest: &Manifest,
    folder: &Path,
    is_proved: impl Fn(&Artifact) -> bool,
) -> Result<(), Faults> {
    let mut faults = Faults::default();
    let mut open: Vec<&Entry> = manifest.maps.values().flatten().collect();
    while let Some(entry) = open.pop() {
        open.extend(&entry.members);
        let Some(artifact) = entry.artifact.as_ref().filter(|artifact| !is_proved(artifact)) else {
            continue;
        };
        let verified = table(artifact, folder, Bytes::open)
            .and_then(|table| table.verify().map_err(|bad| format!("{}: {bad}", artifact.file)));
        if let Err(what) = verified {
            faults.push(Fault::of_file(None, folder.join(&artifact.file).into(), what));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
