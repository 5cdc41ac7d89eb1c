//! The second look: a set is of one moment. Each file is read whole or not at all, but while one is read another
//! may change; what was read then is half of an old set and half of a new one, and is read again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::files::Look;
use crate::fault::{Fault, Faults};
use crate::set::{MapSet, Verified};

/// So often in a row are files read that change meanwhile.
const MAX_READS: u32 = 3;

/// Reads a set by `read`, again where one of `files` changed meanwhile; at last that is a fault of the set. Included
/// files that are new to the set are not among `files`: the watch reads once more when it comes to know them.
pub(super) fn read(
    files: &BTreeSet<PathBuf>,
    mut read: impl FnMut() -> (Verified<MapSet>, Faults),
) -> (Verified<MapSet>, Faults) {
    let mut seen = Look::at(files.iter().cloned());
    let mut reads = 1;
    loop {
        let (set, mut faults) = read();
        let now = Look::at(files.iter().cloned());
        let Some(file) = seen.other_in(&now) else { return (set, faults) };
        if reads == MAX_READS {
            let message = format!("it changed while the maps were read, {MAX_READS} times in a row");
            faults.push(Fault::of_file(None, Arc::from(file), message));
            return (set, faults);
        }
        tracing::debug!(file = %file.display(), "changed while the maps were read: they are read again");
        seen = now;
        reads += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::Path;

    use super::*;
    use crate::name::MapName;
    use crate::options::MapOptions;

    fn write(file: &Path, text: &str) {
        std::fs::File::create(file).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Two files that agree before and after a change, which comes when the first `changes` reads are over.
    fn read_while_changing(changes: u32) -> (u32, Verified<MapSet>, Faults) {
        let folder = tempfile::tempdir().unwrap();
        let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() }
            .with_file(MapName::Transport, "transport")
            .with_file(MapName::VirtualAlias, "aliases");
        write(&folder.path().join("transport"), "a.example smtp:[one.example]\n");
        write(&folder.path().join("aliases"), "user@a.example one@b.example\n");
        let mut reads = 0;
        let (set, faults) = read(&options.files(), || {
            let got = MapSet::start(&options);
            reads += 1;
            if reads <= changes {
                let more = "# longer\n".repeat(reads as usize);
                write(&folder.path().join("transport"), &format!("{more}a.example smtp:[two.example]\n"));
            }
            got
        });
        (reads, set, faults)
    }

    #[test]
    fn files_that_stand_still_are_read_once() {
        let (reads, _, faults) = read_while_changing(0);
        assert_eq!((reads, faults.len()), (1, 0));
    }

    #[test]
    fn a_set_whose_files_change_under_the_reading_is_read_again() {
        let (reads, set, faults) = read_while_changing(1);
        assert_eq!((reads, faults.len()), (2, 0));
        let handle = crate::MapHandle::new(set);
        let route = format!("{:?}", handle.snapshot().route(&"user@a.example".parse().unwrap()));
        assert!(route.contains("two.example"), "{route}");
    }

    #[test]
    fn files_that_never_stand_still_are_a_fault() {
        let (reads, _, faults) = read_while_changing(u32::MAX);
        assert_eq!(reads, MAX_READS);
        assert!(faults.to_string().contains("it changed while the maps were read"), "{faults}");
    }
}
