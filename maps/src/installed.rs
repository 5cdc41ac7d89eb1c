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

mod edits;
mod folder;
mod open;
mod over;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::artifact::container::VERSION;
use crate::artifact::{Bytes, Container, Install, Layered};
use crate::chain::{Member, Table};
use crate::compile::RULES;
use crate::fault::{Fault, Faults};
use crate::name::MapName;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{Files, MapSet, Slot};
pub use crate::set::{Followed, Proof};
pub use edits::{Edits, TooMuch};
pub(crate) use folder::Beside;
use folder::{Base, Folder, Written};
pub(crate) use open::open;
pub use over::{Installed, Over, Ways};

/// The file that makes a folder a set.
pub const MANIFEST: &str = "manifest.json";
/// The layout of the folder and of the manifest.
const FORMAT: u32 = 4;
/// How sets are made, texts read, tables and folder: a set made in another way is made again.
pub const LAYOUT: u32 = (RULES as u32) << 24 | FORMAT << 16 | VERSION as u32;
/// Octets of a manifest: some ten thousand tables.
const MAX_MANIFEST: u64 = 4 << 20;

/// What a set holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 4.
    pub format: u32,
    /// [`MapSet::digest`] of what was proved when it was installed, aliases followed to their ends among it: a set that
    /// answers like that one need not be proved again. In hexadecimal.
    pub digest: String,
    /// What was proved of its aliases: the next set is proved by what changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aliases: Option<Proof>,
    /// Each map's tables, in the order they are asked.
    pub maps: BTreeMap<String, Vec<Entry>>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As the settings name it.
    pub table: String,
    /// The file it was made from, as answers name it.
    pub source: PathBuf,
    /// Its artifact, in the folder of the set; a table without one is all in its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Artifact>,
    /// The tables of a `unionmap:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Entry>,
}

/// A file of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// Its name.
    pub file: String,
    /// BLAKE3 of its head, which holds those of all its sections; in hexadecimal.
    pub identity: String,
    /// Keys or rules.
    pub records: u64,
    /// What changed since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// What decided its octets; none of a table of several files, or of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl Artifact {
    /// Of both of its files.
    fn identities(&self) -> String {
        self.changes.iter().fold(self.identity.clone(), |both, changes| both + &changes.identity)
    }
}

/// A file that stands beside another one of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Its name.
    pub file: String,
    /// Of its head, as that of the other.
    pub identity: String,
}

/// What decided a table's octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// BLAKE3 of its text, in hexadecimal.
    pub source: String,
    /// Of all else that decided, likewise: what the settings say, and how this program reads.
    pub rules: String,
    /// Whether each key stands in the text once.
    pub once: bool,
}

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
    let mut into = Folder::new(folder, over.base.as_deref().and_then(Base::open));
    let (set, faults) = MapSet::compile(options, &remotes, &mut Files::over(options, over), &mut into);
    if !faults.is_empty() {
        return Err(faults.into());
    }
    let (proved, ways) = (into.proved(), into.ways());
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
    verify_but(&manifest, folder, |artifact| proved.contains(&artifact.file))?;
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

/// What the manifest of a folder says.
///
/// # Errors
/// Why it says nothing.
pub fn manifest(folder: &Path) -> Result<Manifest, Fault> {
    let file = folder.join(MANIFEST);
    let fault = |what: String| Fault::of_file(None, file.as_path().into(), what);
    let text = text(&file).map_err(fault)?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
    if manifest.format != FORMAT {
        return Err(fault(format!("format {}; this program reads format {FORMAT}", manifest.format)));
    }
    if let Some(name) = manifest.maps.keys().find(|name| MapName::parse(name).is_none()) {
        return Err(fault(format!("`{name}` is no map")));
    }
    Ok(manifest)
}

/// One set's name among all: of what its manifest says, which names all that is in it. In hexadecimal.
///
/// # Errors
/// When the manifest cannot be read.
pub fn identity(folder: &Path) -> Result<String, Fault> {
    let file = folder.join(MANIFEST);
    let text = text(&file).map_err(|what| Fault::of_file(None, file.as_path().into(), what))?;
    Ok(hex(blake3::hash(&text).as_bytes()))
}

/// A manifest's octets, if they are not too many.
fn text(file: &Path) -> Result<Vec<u8>, String> {
    let length = fs::metadata(file).map_err(|error| format!("cannot be read: {error}"))?.len();
    if length > MAX_MANIFEST {
        return Err(format!("larger than {MAX_MANIFEST} octets"));
    }
    fs::read(file).map_err(|error| format!("cannot be read: {error}"))
}

/// The keys of a table of whole keys; none for one of rules.
///
/// # Errors
/// When the table cannot be opened.
pub fn keys(folder: &Path, artifact: &Artifact) -> Result<Option<Layered>, Fault> {
    match table(artifact, folder, Bytes::open) {
        Ok(Table::Exact(table)) => Ok(Some(table)),
        Ok(_) => Ok(None),
        Err(what) => Err(Fault::of_file(None, folder.join(&artifact.file).into(), what)),
    }
}

/// The table of an artifact, not yet verified.
fn table(
    artifact: &Artifact,
    folder: &Path,
    open: impl Fn(&Path) -> io::Result<Bytes>,
) -> Result<Table, String> {
    let base = container(&artifact.file, &artifact.identity, folder, &open)?;
    let changes = artifact.changes.as_ref();
    let changes =
        changes.map(|Changes { file, identity }| container(file, identity, folder, &open)).transpose()?;
    Table::open(base, changes).map_err(|bad| format!("{}: {bad}", artifact.file))
}

fn container(
    file: &str,
    identity: &str,
    folder: &Path,
    open: impl Fn(&Path) -> io::Result<Bytes>,
) -> Result<Container, String> {
    // A name, never a way out of the folder.
    let name = Path::new(file);
    if name.file_name() != Some(name.as_os_str()) {
        return Err(format!("`{file}` is no file of the set"));
    }
    let bytes = open(&folder.join(name)).map_err(|error| format!("{file}: {error}"))?;
    let container = Container::open(bytes).map_err(|bad| format!("{file}: {bad}"))?;
    if hex(&container.identity()) != identity {
        return Err(format!("{file}: not the file that the manifest names"));
    }
    Ok(container)
}

/// The name of the file of changes beside another.
fn beside(file: &str) -> String {
    format!("{file}.changes")
}
