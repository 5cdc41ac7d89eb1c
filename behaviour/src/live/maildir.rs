//! Maildirs that the servers under test deliver to, looked at as a catcher: each folder below is a mailbox, named by
//! its address.
//!
//! What lies there at the start is old mail. New files are looked for again and again, as Maildir readers do
//! (maildir(5)): a file in `new` is whole, for it was moved there.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use switchyard_daemon::drain::Drain;

use super::catch::Kept;
use super::header::{MOST_HEADER, fields, token};
use crate::pattern::bare;
use crate::seen::Caught;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Files that are remembered as seen; more is no folder of a test.
const MOST_FILES: usize = 1_000_000;

/// A folder of Maildirs.
#[derive(Debug)]
pub(super) struct Maildirs {
    place: String,
    folder: PathBuf,
    seen: HashSet<PathBuf>,
}

impl Maildirs {
    /// Remembers what lies there already.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub(super) fn open(place: &str, folder: &Path) -> io::Result<Self> {
        fs::read_dir(folder)?;
        let mut maildirs = Self { place: place.to_owned(), folder: folder.to_owned(), seen: HashSet::new() };
        let _old = maildirs.fresh();
        Ok(maildirs)
    }

    /// Looks until the run ends.
    pub(super) async fn look(mut self, kept: std::sync::Arc<Kept>, drain: Drain) {
        loop {
            let kept_there = std::sync::Arc::clone(&kept);
            let looked = tokio::task::spawn_blocking(move || {
                for (mailbox, path) in self.fresh() {
                    // One that is gone again was somebody else's to read.
                    if let Ok(header) = header(&path) {
                        kept_there.keep(token(&header), vec![copy(&self.place, &mailbox, header)]);
                    }
                }
                self
            });
            match looked.await {
                Ok(back) => self = back,
                Err(_panicked) => return,
            }
            tokio::select! {
                () = drain.wait_started() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Files that were not there at the last look, each with its mailbox.
    fn fresh(&mut self) -> Vec<(String, PathBuf)> {
        let mut fresh = Vec::new();
        for mailbox in entries(&self.folder) {
            let name = mailbox.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            for path in entries(&mailbox.join("new")) {
                if self.seen.len() < MOST_FILES && self.seen.insert(path.clone()) {
                    fresh.push((name.clone(), path));
                }
            }
        }
        fresh
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn header(path: &Path) -> io::Result<Vec<(String, String)>> {
    let mut octets = Vec::new();
    File::open(path)?.take(MOST_HEADER as u64).read_to_end(&mut octets)?;
    Ok(fields(&octets))
}

/// RFC 5321 §4.4: final delivery writes the sender into Return-Path.
fn copy(place: &str, mailbox: &str, header: Vec<(String, String)>) -> Caught {
    let value = |name: &str| {
        header
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| bare(value).to_owned())
    };
    Caught {
        place: place.to_owned(),
        from: value("Return-Path").unwrap_or_default(),
        // Where several addresses share a Maildir, delivery tells which it was.
        to: value("Delivered-To").unwrap_or_else(|| mailbox.to_owned()),
        header,
    }
}
