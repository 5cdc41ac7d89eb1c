//! A set of a million aliases made over another one: `cargo bench -p switchyard-maps --bench over`.
//!
//! Of the next text one line in a hundred is another one, as an agent gets it: read-only, its hash known. A figure is the CPU
//! that this process took, all its threads and the kernel's part for them, and the time that passed, with what the disk took.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use switchyard_maps::installed::{self, Edits, Followed, Over, Ways};
use switchyard_maps::{MapName, MapOptions, MapSet};

const ENTRIES: u64 = 1_000_000;
const ROUNDS: usize = 5;

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("over");
    let _ = fs::remove_dir_all(&folder);
    let options = |name: &str| {
        let options = MapOptions { folder: folder.join(name), ..MapOptions::default() };
        options.with_file(MapName::VirtualAlias, "alias")
    };
    let over = |base: Option<&str>, texts: &str| {
        let file = folder.join(texts).join("alias");
        let hash = *blake3::hash(&fs::read(&file).unwrap()).as_bytes();
        Over { base: base.map(|base| folder.join(base)), hashes: [(file, hash)].into(), ..Over::default() }
    };
    for (name, every, from, values) in [
        ("old", u64::MAX, 0, 200),
        ("new", 100, 1, 200),
        ("newer", 100, 31, 200),
        ("other", 5, 1, 200),
        ("old-many", u64::MAX, 0, ENTRIES),
        ("new-many", 100, 1, ENTRIES),
    ] {
        write(&folder.join(name), every, from, values);
    }
    println!("{ENTRIES} aliases                     CPU      time");
    let old = over(None, "old");
    measured("compiled", 1, |_| {
        Some(installed::install_over(&options("old"), &folder.join("base"), &old).unwrap().ways)
    });
    let set = |what: &str, round: usize| folder.join(format!("{what}-{round}"));
    let same = over(Some("base"), "old");
    measured("nothing changed", ROUNDS, |round| {
        Some(installed::install_over(&options("old"), &set("same", round), &same).unwrap().ways)
    });
    let changed = over(Some("base"), "new");
    measured("1 % changed", ROUNDS, |round| {
        Some(installed::install_over(&options("new"), &set("changed", round), &changed).unwrap().ways)
    });
    let edits = [(folder.join("new/alias"), edits(&folder, ["old", "new"]).into())].into();
    let edited = Over { edits, ..changed };
    measured("1 %, lines known", ROUNDS, |round| {
        Some(installed::install_over(&options("new"), &set("edited", round), &edited).unwrap().ways)
    });
    let again = over(Some("changed-0"), "newer");
    measured("1 % changed again", ROUNDS, |round| {
        Some(installed::install_over(&options("newer"), &set("again", round), &again).unwrap().ways)
    });
    let other = over(Some("base"), "other");
    measured("20 % changed", ROUNDS, |round| {
        Some(installed::install_over(&options("other"), &set("other", round), &other).unwrap().ways)
    });
    let opened = MapOptions { installed: Some(set("changed", 0)), ..options("new") };
    measured("opened", ROUNDS, |_| {
        drop(MapSet::load(&opened).unwrap());
        None
    });

    let old = over(None, "old-many");
    measured("each elsewhere", 1, |_| {
        Some(installed::install_over(&options("old-many"), &folder.join("many"), &old).unwrap().ways)
    });
    unproved(&folder.join("many"), &folder.join("unproved"));
    for (what, base, followed) in
        [("1 %, all followed", "unproved", Followed::All), ("1 %, those followed", "many", Followed::Changed)]
    {
        let changed = over(Some(base), "new-many");
        measured(what, ROUNDS, |round| {
            let set = set(&format!("over-{base}"), round);
            let installed = installed::install_over(&options("new-many"), &set, &changed).unwrap();
            assert_eq!(installed.followed, Some(followed));
            Some(installed.ways)
        });
    }
    let _ = fs::remove_dir_all(&folder);
}

/// One entry in so many leads elsewhere, one of ten of those came instead of another one.
fn write(folder: &Path, every: u64, from: u64, values: u64) {
    fs::create_dir_all(folder).unwrap();
    let mut text = String::new();
    for number in 0..ENTRIES {
        let (key, value) = match number % every {
            place if place != from => (number * 1000, number * 7 % values),
            _ if (number / every).is_multiple_of(10) => (number * 1000 + from, number * 7 % values),
            _ => (number * 1000, values + values / ENTRIES * number),
        };
        text.push_str(&format!("user{key:012}@example.org\tbox{value}@example.net\n"));
    }
    let place = folder.join("alias");
    File::create(&place).unwrap().write_all(text.as_bytes()).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o444)).unwrap();
}

/// By which lines two texts of as many lines differ, as an agent knows it that laid the change over the first one.
fn edits(folder: &Path, [old, new]: [&str; 2]) -> Edits {
    let [old, new] = [old, new].map(|texts| fs::read_to_string(folder.join(texts).join("alias")).unwrap());
    let mut edits = Edits::of(*blake3::hash(old.as_bytes()).as_bytes());
    for (number, (old, new)) in (1..).zip(old.lines().zip(new.lines())) {
        if old != new {
            edits.push((number, number), Some(old.as_bytes()), Some(new.as_bytes())).unwrap();
        }
    }
    edits.end(ENTRIES).unwrap();
    edits
}

/// The same set, without what was proved of its aliases.
fn unproved(set: &Path, folder: &Path) {
    let manifest = installed::manifest(set).unwrap();
    fs::create_dir(folder).unwrap();
    for entry in manifest.maps.values().flatten() {
        let file = &entry.artifact.as_ref().unwrap().file;
        fs::hard_link(set.join(file), folder.join(file)).unwrap();
    }
    let text = serde_json::to_vec(&installed::Manifest { aliases: None, ..manifest }).unwrap();
    File::create(folder.join(installed::MANIFEST)).unwrap().write_all(&text).unwrap();
}

/// The median of some rounds, and how the table came to be.
fn measured(what: &str, rounds: usize, mut work: impl FnMut(usize) -> Option<Ways>) {
    let mut ways = None;
    let mut figures: Vec<[f64; 2]> = (0..rounds)
        .map(|round| {
            let (cpu_before, start) = (cpu(), Instant::now());
            ways = work(round);
            [cpu() - cpu_before, start.elapsed().as_secs_f64()]
        })
        .collect();
    figures.sort_by(|one, other| one[0].total_cmp(&other[0]));
    let [cpu, time] = figures[rounds / 2];
    println!("{what:<20} {:>8.0} ms {:>8.0} ms  {}", cpu * 1e3, time * 1e3, ways.map_or("", way));
}

/// Of the one table that there is.
fn way(ways: Ways) -> &'static str {
    match ways {
        Ways { compiled: 1, .. } => "compiled",
        Ways { merged: 1, .. } => "merged",
        Ways { layered: 1, .. } => "layered",
        _ => "linked",
    }
}

/// Seconds that this process has had of all processors.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
