//! The operator's tool, as a person runs it, and a site to run it on.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::expect;
use crate::peer::process::{Group, Process};
use crate::site::binary;

/// What it said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub data: String,
    /// Standard error.
    pub speech: String,
}

impl Told {
    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `switchyard` with these arguments.
///
/// # Panics
/// When it can't be started.
pub fn switchyard<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Told {
    told(Command::new(binary::program("switchyard")).args(arguments).output().expect("switchyard starts"))
}

/// The tool at work: it ends with its handle.
#[derive(Debug)]
pub struct Running {
    process: Process,
    data: mpsc::Receiver<Vec<u8>>,
    speech: mpsc::Receiver<Vec<u8>>,
    command: String,
    limit: Duration,
}

/// Begins `switchyard` with these arguments: of what waits for something that may never come, so long and no longer.
///
/// # Panics
/// When it can't be started.
pub fn begin<A: AsRef<OsStr>>(limit: Duration, arguments: impl IntoIterator<Item = A>) -> Running {
    let mut command = Command::new(binary::program("switchyard"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::start(&mut command, Group::Ours);
    let child = process.child();
    let data = read_aside(child.stdout.take().expect("a pipe"));
    let speech = read_aside(child.stderr.take().expect("a pipe"));
    Running { process, data, speech, command: format!("{command:?}"), limit }
}

impl Running {
    /// Looks until `look` finds what is to come while it is at work.
    ///
    /// # Panics
    /// As soon as it has ended without that, with what it said; or after [`expect::PATIENCE`].
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        expect::until(what, || {
            let runs = self.process.runs();
            let found = look();
            assert!(found.is_some() || runs, "ended before {what}: {:?}", self.told());
            found
        })
    }

    /// Waits for a fact that is to hold while it is at work.
    ///
    /// # Panics
    /// As [`Self::until`].
    pub fn holds(&mut self, what: &str, mut fact: impl FnMut() -> bool) {
        self.until(what, || fact().then_some(()));
    }

    /// Waits for its end, and tells what it said.
    ///
    /// # Panics
    /// When it goes on for too long.
    pub fn told(&mut self) -> Told {
        // Both pipes end with it; if it does not, it ends with us.
        let [stdout, stderr] = [&self.data, &self.speech].map(|read| {
            read.recv_timeout(self.limit)
                .unwrap_or_else(|_| panic!("{} goes on after {:?}", self.command, self.limit))
        });
        told(Output { status: self.process.wait(), stdout, stderr })
    }
}

/// All that comes out of a pipe, when it has come.
fn read_aside(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (to, read) = mpsc::channel();
    thread::spawn(move || {
        let mut octets = Vec::new();
        if pipe.read_to_end(&mut octets).is_ok() {
            // Whoever waited may have given up.
            let _ = to.send(octets);
        }
    });
    read
}

/// The same, with something to read on its standard input.
///
/// # Panics
/// When it can't be started, or does not read.
pub fn switchyard_reads<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>, input: &str) -> Told {
    let mut command = Command::new(binary::program("switchyard"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("switchyard starts");
    let mut writer = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        // It may answer while it is still asked: both pipes must move.
        scope.spawn(move || writer.write_all(input.as_bytes()).expect("it reads its questions"));
        told(child.wait_with_output().expect("switchyard runs"))
    })
}

fn told(output: Output) -> Told {
    let text = |octets| String::from_utf8(octets).expect("plain text");
    Told { code: output.status.code(), data: text(output.stdout), speech: text(output.stderr) }
}

/// The example site in a folder of its own, to change; the path is the site's.
///
/// # Panics
/// When it can't be copied.
#[must_use]
pub fn example() -> (TempDir, String) {
    let folder = TempDir::with_prefix("switchyard-example-").expect("a folder");
    let site = folder.path().join("site");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/templates/example-site"), &site);
    let site = site.to_str().expect("a plain path").to_owned();
    (folder, site)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the example").flatten() {
        let (path, place) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).expect("room for a file");
        }
    }
}

/// Writes a file of it anew.
///
/// # Panics
/// When that fails.
pub fn write(path: &Path, text: &str) {
    File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("room for a file");
}
