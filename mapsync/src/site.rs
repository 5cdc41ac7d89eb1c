//! A site's folder as what travels: its files by path, kind, hash and length.
//!
//! Every file below the folder is one, but for hidden ones (an editor's, a version control's). What cannot travel
//! is a fault: a link, a device, a name that no path may have; and whatever looks like a secret key, for keys stay
//! on the hosts that use them.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use switchyard_mapsync_protocol::head::{self, FILE_OCTETS, FILES, Kind};
use switchyard_mapsync_protocol::path::{self, DEEPEST, NoPath};
use switchyard_mapsync_protocol::records::{BadRecord, Summary, measure};

/// A file that travels, and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteFile {
    /// What is signed of it.
    pub file: head::File,
    /// Where its octets are.
    pub at: PathBuf,
}

/// One thing about a folder that cannot travel.
#[derive(Debug)]
pub struct SiteFault {
    /// The file, or the folder.
    pub at: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The disk's.
    #[error("cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// A name that travels nowhere.
    #[error("cannot be distributed: {0}")]
    Name(#[from] NoPath),
    /// A link, a socket, a device.
    #[error("is neither a file nor a folder: put the file itself here")]
    NoFile,
    /// A key.
    #[error(
        "holds a secret key, and keys are never distributed: keep it on the host that uses it (`tls.key` and \
         its like name the place) and take it out of the site's folder"
    )]
    Secret,
    /// Longer than any file may be.
    #[error("has more than {FILE_OCTETS} octets")]
    TooLong,
    /// More than any site has.
    #[error("has more than {FILES} files")]
    TooMany,
}

impl fmt::Display for SiteFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.at.display(), self.why)
    }
}

/// The files of a site, in rising order of path.
///
/// # Errors
/// Everything that cannot travel.
pub fn pack(folder: &Path) -> Result<Vec<SiteFile>, Vec<SiteFault>> {
    let mut packing = Packing::default();
    packing.folder(folder, "", 0);
    packing.files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
    if packing.faults.is_empty() { Ok(packing.files) } else { Err(packing.faults) }
}

#[derive(Default)]
struct Packing {
    files: Vec<SiteFile>,
    faults: Vec<SiteFault>,
}

impl Packing {
    fn folder(&mut self, folder: &Path, under: &str, depth: usize) {
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => return self.fault(folder, error.into()),
        };
        // Faults come in the order in which a person looks for them.
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            // Not UTF-8 is no path, and the fault says which letters are.
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let (at, path) = (entry.path(), format!("{under}{name}"));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEEPEST => {
                    self.folder(&at, &format!("{path}/"), depth + 1);
                }
                Ok(kind) if kind.is_dir() => self.fault(&at, NoPath::Depth(depth + 1).into()),
                Ok(kind) if kind.is_file() => self.file(at, path),
                Ok(_) => self.fault(&at, Why::NoFile),
                Err(error) => self.fault(&at, error.into()),
            }
            if self.files.len() > FILES {
                return self.fault(folder, Why::TooMany);
            }
        }
    }

    fn file(&mut self, at: PathBuf, path: String) {
        let file = path::Path::try_from(path).map_err(Why::from).and_then(|path| look(&at, path));
        match file {
            Ok(file) => self.files.push(SiteFile { file, at }),
            Err(why) => self.fault(&at, why),
        }
    }

    fn fault(&mut self, at: &Path, why: Why) {
        self.faults.push(SiteFault { at: at.to_owned(), why });
    }
}

/// Reads a file once: its hash, its length, and whether it may travel at all.
fn look(at: &Path, path: path::Path) -> Result<head::File, Why> {
    if is_keys_name(&path) {
        return Err(Why::Secret);
    }
    let mut open = File::open(at)?.take(FILE_OCTETS + 1);
    let mut hasher = blake3::Hasher::new();
    let (mut bytes, mut piece, mut kept) = (0, vec![0; PIECE], 0);
    loop {
        let (_, room) = piece.split_at_mut(kept);
        let read = open.read(room)?;
        if read == 0 {
            break;
        }
        let (fresh, _) = room.split_at(read);
        hasher.update(fresh);
        bytes += read as u64;
        let (seen, _) = piece.split_at(kept + read);
        if is_secret(seen) {
            return Err(Why::Secret);
        }
        // A word may begin in one piece and end in the next.
        let from = seen.len().saturating_sub(LONGEST_WORD);
        kept = seen.len() - from;
        piece.copy_within(from..from + kept, 0);
    }
    if bytes > FILE_OCTETS {
        return Err(Why::TooLong);
    }
    let file = head::File { path, kind: Kind::Text, hash: hasher.finalize().into(), bytes, records: 0 };
    Ok(as_table(at, &file).unwrap_or(file))
}

/// A file that is a table in its one spelling travels as one. Any other, sorted otherwise or with a remark, is a text:
/// nothing in it is changed on the way.
fn as_table(at: &Path, file: &head::File) -> Option<head::File> {
    let summary = spelling(at).ok()?;
    // It may be written to while we read it.
    let is_same = (summary.hash, summary.bytes) == (file.hash, file.bytes);
    (is_same && summary.records > 0).then(|| head::File::table(file.path.clone(), summary))
}

/// Reads a file as a table in its one spelling.
///
/// # Errors
/// The first line that is not in its place or form.
pub fn spelling(at: &Path) -> Result<Summary, BadRecord> {
    measure(BufReader::new(File::open(at).map_err(BadRecord::from)?))
}

/// What keys are called by, whatever is in them.
fn is_keys_name(path: &path::Path) -> bool {
    let path = path.folded();
    [".key", ".p12", ".pfx", ".jks"].iter().any(|end| path.ends_with(end))
}

/// RFC 7468 §10, §11: a private key of any kind stands behind a line that ends so. Our own key files say `secret`.
fn is_secret(octets: &[u8]) -> bool {
    WORDS.iter().any(|word| memchr::memmem::find(octets, word).is_some())
}

const WORDS: [&[u8]; 2] = [b"PRIVATE KEY-----", b"\"secret\": \""];
const LONGEST_WORD: usize = 16;
const PIECE: usize = 1 << 20;

#[cfg(test)]
mod tests;
