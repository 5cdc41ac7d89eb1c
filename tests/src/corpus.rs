//! Real messages: what mail software's authors keep as test data because it once broke something.
//!
//! `cargo xtask peers` unpacks them under `target/corpus/`. They are read as they are, but for their line ends:
//! files hold LF where the wire has CR LF (RFC 5321 §2.3.8). A CR that stands alone is kept, since it is in
//! the message; a server must refuse that one with a reason.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use switchyard_smtp::wire::line_ends::lines;

/// Where each package keeps its messages, and how their names end.
const PLACES: &[(&str, &[&str])] = &[
    (
        "golang-github-jhillyerd-enmime-dev/usr/share/gocode/src/github.com/jhillyerd/enmime/testdata",
        &["raw"],
    ),
    ("libpython3.11-testsuite/usr/lib/python3.11/test/test_email/data", &["txt"]),
    ("mail-auth/dkim2", &["eml"]),
    ("mail-parser/eml", &["eml"]),
    ("mailman3/usr/lib/python3/dist-packages/mailman", &["eml"]),
    ("python3-authheaders/usr/lib/python3/dist-packages/authheaders/test", &["*"]),
    ("python3-django-hyperkitty/usr/lib/python3/dist-packages/hyperkitty/tests/testdata", &["txt"]),
    ("python3-dkim/usr/lib/python3/dist-packages/dkim/tests/data", &["message", "msg"]),
    ("python3-flufl.bounce/usr/lib/python3/dist-packages/flufl/bounce/tests/data", &["txt"]),
    ("spamassassin/usr/share/doc/spamassassin/examples", &["txt"]),
];

/// A message that somebody once got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Package and file, for reports.
    pub name: String,
    /// As it goes over the wire, without dot stuffing: every line ends in CR LF.
    pub content: Vec<u8>,
}

impl Message {
    /// Any byte of 128 or more.
    #[must_use]
    pub fn is_eight_bit(&self) -> bool {
        !self.content.is_ascii()
    }

    /// A CR that is not before an LF, or a NUL: no server may take it as text (RFC 5321 §2.3.8, §4.5.2).
    #[must_use]
    pub fn has_stray_bytes(&self) -> bool {
        let alone = |pair: &[u8]| pair[0] == b'\r' && pair[1] != b'\n';
        self.content.windows(2).any(alone) || self.content.contains(&0)
    }

    /// The longest line, without its end. RFC 5322 §2.1.1 allows 998.
    #[must_use]
    pub fn longest_line(&self) -> usize {
        let lines = self.content.split(|&byte| byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line).len()).max().unwrap_or_default()
    }

    /// A line that begins with a dot and so is stuffed on the wire.
    #[must_use]
    pub fn has_dots(&self) -> bool {
        self.content.starts_with(b".") || self.content.windows(2).any(|pair| pair == b"\n.")
    }
}

/// Every distinct message, in the order of their names.
///
/// # Panics
/// When they are not there, or cannot be read.
#[must_use]
pub fn messages() -> Vec<Message> {
    let root = folder();
    let mut seen = HashSet::new();
    let mut messages = Vec::new();
    for (place, endings) in PLACES {
        let folder = root.join(place);
        assert!(folder.is_dir(), "{} is not there: run `cargo xtask peers`", folder.display());
        let mut files = Vec::new();
        gather(&folder, endings, &mut files);
        files.sort();
        for path in files {
            let content = lines(&fs::read(&path).expect("a message can be read")).to_vec();
            if is_message(&content) && seen.insert(content.clone()) {
                let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
                messages.push(Message { name, content });
            }
        }
    }
    messages
}

/// Where `cargo xtask peers` lays them out, a folder for each package.
#[must_use]
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target")).join("corpus")
}

fn gather(folder: &Path, endings: &[&str], files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of messages").flatten() {
        let path = entry.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if path.is_dir() {
            gather(&path, endings, files);
        } else if endings.contains(&ending) || (endings == ["*"] && ending != "py") {
            files.push(path);
        }
    }
}

/// Whether its head holds at least one field: test data holds keys and settings as well.
fn is_message(content: &[u8]) -> bool {
    let head = content.split(|&byte| byte == b'\n').take_while(|line| !matches!(line, [] | [b'\r'])).take(30);
    head.into_iter().any(|line| {
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        name.len() < line.len() && !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic())
    })
}
