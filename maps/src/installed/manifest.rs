//! What the manifest of a set says, and the tables that it names.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Proof, hex};
use crate::artifact::container::VERSION;
use crate::artifact::{Bytes, Container, Layered};
use crate::chain::Table;
use crate::compile::RULES;
use crate::fault::Fault;
use crate::name::MapName;

/// The file that makes a folder a set.
pub const MANIFEST: &str = "manifest.json";
/// The layout of the folder and of the manifest.
pub(super) const FORMAT: u32 = 4;
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
    /// [`MapSet::digest`](crate::MapSet::digest) of what was proved when it was installed, aliases followed to their
    /// ends among it: a set that answers like that one need not be proved again. In hexadecimal.
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
    pub(super) fn identities(&self) -> String {
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
pub(super) fn table(
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
pub(super) fn beside(file: &str) -> String {
    format!("{file}.changes")
}
