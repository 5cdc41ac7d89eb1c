//! By which lines texts that were fetched differ from those of before. Whoever laid the change over the text of before
//! saw them go by, so that whoever makes the table need not look for them in two texts of a million lines.
//!
//! They are in memory only, and only a help: an agent that was just started reads the texts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use switchyard_maps::installed::Edits;
use switchyard_mapsync_protocol::delta::Edit;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head;
use switchyard_mapsync_protocol::records::Record;

/// Of each text, by its hash.
#[derive(Debug, Default)]
pub(in crate::agent) struct Edited(Mutex<BTreeMap<Hash, Arc<Edits>>>);

impl Edited {
    /// Keeps these with the others, unless together they are too many: then the texts are read.
    pub(in crate::agent) fn keep(&self, text: Hash, edits: Edits) {
        self.texts(|texts| {
            let held: usize = texts.values().map(|edits| edits.octets()).sum();
            if held.saturating_add(edits.octets()) <= Edits::MOST_OCTETS {
                texts.insert(text, Arc::new(edits));
            }
        });
    }

    pub(in crate::agent) fn all(&self) -> BTreeMap<Hash, Arc<Edits>> {
        self.texts(|texts| texts.clone())
    }

    pub(super) fn forget_but(&self, texts: &[Hash]) {
        self.texts(|known| known.retain(|text, _| texts.contains(text)));
    }

    fn texts<T>(&self, change: impl FnOnce(&mut BTreeMap<Hash, Arc<Edits>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Notes what goes by while a change is laid over a text.
#[derive(Debug)]
pub(in crate::agent) struct Seen {
    /// None when there are too many.
    edits: Option<Edits>,
    /// A line that is there afterwards.
    line: Vec<u8>,
}

impl Seen {
    pub(in crate::agent) fn over(before: &head::File) -> Self {
        Self { edits: Some(Edits::of(*before.hash.as_bytes())), line: Vec::new() }
    }

    pub(in crate::agent) fn see(&mut self, edit: &Edit<'_>) {
        let Some(edits) = &mut self.edits else { return };
        self.line.clear();
        if let Some(Record { key, value }) = edit.added {
            [key, "\t", value, "\n"].iter().for_each(|part| self.line.extend_from_slice(part.as_bytes()));
        }
        let added = edit.added.map(|_| &*self.line);
        if edits.push((edit.old, edit.new), edit.removed, added).is_err() {
            self.edits = None;
        }
    }

    /// All that was seen, if whoever makes a table can rely on it: a mark at the front of a text is none of its first line,
    /// which may be another one by now.
    pub(in crate::agent) fn end<W>(
        self,
        before: &head::File,
        text: &File,
        after: &Front<W>,
    ) -> Option<Edits> {
        let mut edits = self.edits?;
        edits.end(before.records).ok()?;
        let mut front = [0; MARK.len()];
        // One that cannot be read may begin with one.
        text.read_at(&mut front, 0).ok()?;
        (front != *MARK && after.front != MARK).then_some(edits)
    }
}

/// The mark of an encoding.
const MARK: &[u8; 3] = b"\xef\xbb\xbf";

/// Passes a text on, and remembers its first octets.
#[derive(Debug)]
pub(in crate::agent) struct Front<W> {
    out: W,
    front: Vec<u8>,
}

impl<W> Front<W> {
    pub(in crate::agent) fn of(out: W) -> Self {
        Self { out, front: Vec::new() }
    }

    pub(in crate::agent) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Front<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let passed = self.out.write(octets)?;
        self.front.extend(octets.iter().take(passed.min(MARK.len() - self.front.len())));
        Ok(passed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::delta;
    use switchyard_mapsync_protocol::records::measure;

    use super::*;

    fn table(text: &[u8]) -> head::File {
        head::File::table("maps/transport".to_owned().try_into().unwrap(), measure(text).unwrap())
    }

    fn seen(before: &str, after: &str) -> Option<Edits> {
        let [from, to] = [before, after].map(|text| table(text.as_bytes()));
        let (delta, _) =
            delta::diff((before.as_bytes(), from.hash), (after.as_bytes(), to.hash), Vec::new()).unwrap();
        let mut old = tempfile::tempfile().unwrap();
        old.write_all(before.as_bytes()).unwrap();
        let mut seen = Seen::over(&from);
        let out = Front::of(Vec::new());
        let out = delta::apply_seen(before.as_bytes(), &delta[..], (&from, &to), out, |edit| seen.see(&edit));
        let out = out.unwrap();
        let edits = seen.end(&from, &old, &out);
        assert_eq!(out.into_inner(), after.as_bytes());
        edits
    }

    #[test]
    fn the_lines_that_change_are_kept_as_they_lie() {
        let before = "a\tone\nb\ttwo\nc\tthree\n";
        let mut want = Edits::of(*table(before.as_bytes()).hash.as_bytes());
        want.push((2, 2), Some(b"b\ttwo\n"), Some(b"b\tother\n")).unwrap();
        want.push((4, 4), None, Some(b"d\tfour\n")).unwrap();
        want.end(3).unwrap();
        assert_eq!(seen(before, "a\tone\nb\tother\nc\tthree\nd\tfour\n"), Some(want));
    }

    #[test]
    fn a_text_that_begins_with_a_mark_is_read() {
        assert!(seen("a\tone\n", "a\ttwo\n").is_some());
        assert_eq!(seen("\u{feff}a\tone\n", "\u{feff}a\ttwo\n"), None);
        assert_eq!(seen("a\tone\n\u{feff}a\tone\n", "\u{feff}a\tone\n"), None);
    }

    #[test]
    fn no_more_is_kept_than_is_worth_it() {
        let edited = Edited::default();
        let many = || {
            let mut edits = Edits::of([0; 32]);
            edits.push((1, 1), Some(&vec![b'x'; Edits::MOST_OCTETS * 2 / 3]), None).unwrap();
            edits
        };
        let [one, other] = [Hash::of(b"one"), Hash::of(b"other")];
        edited.keep(one, many());
        edited.keep(other, many());
        assert_eq!(edited.all().into_keys().collect::<Vec<_>>(), [one]);
    }

    #[test]
    fn what_was_kept_goes_with_the_texts() {
        let edited = Edited::default();
        let [one, other] = [Hash::of(b"one"), Hash::of(b"other")];
        [one, other].iter().for_each(|text| edited.keep(*text, Edits::of([0; 32])));
        edited.forget_but(&[other]);
        assert_eq!(edited.all().into_keys().collect::<Vec<_>>(), [other]);
    }
}
