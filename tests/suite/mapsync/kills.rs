//! kill -9 at every system call of an install: the next start has the old set or the new one, never half.

use std::env;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use switchyard_mapsync::agent::disk::Disk;
use switchyard_tests::expect;
use switchyard_tests::peer::require;
use tempfile::TempDir;

const STRACE: &str = "/usr/bin/strace";

/// All that an install changes the disk by; an architecture has one or the other of some.
const CALLS: &[&str] = &[
    "openat", "write", "fsync", "fchmod", "chmod", "fchmodat", "mkdir", "rename", "unlink", "unlinkat",
    "rmdir", "symlink", "link", "linkat",
];

const FILES: &[&str] = &["mx.toml", "site/site.toml", "site/maps/recipients", "maps/0.swm"];
/// A file of which another one is made by a name alone, as tables are that did not change.
const LINKED: &str = "maps/1.swm";
const OLD: &str = "1-old";
const NEW: &str = "2-new";

/// Where the child finds its folder.
const FOLDER: &str = "SWITCHYARD_TEST_INSTALL";

fn make(disk: &Disk, set: &str) {
    let made = disk.begin(set).and_then(|making| {
        FILES.iter().try_for_each(|file| making.write(file, set.as_bytes()))?;
        making.link(LINKED, &making.path().join("maps/0.swm"))?;
        making.finish(set.as_bytes())
    });
    let used = made.and_then(|()| disk.keep_state(set.as_bytes())).and_then(|()| disk.flip(set));
    used.and_then(|()| disk.remove(OLD)).expect("room for a set");
}

/// What the killed one does: [`y13_an_install_that_is_killed_anywhere`] starts it.
#[test]
#[ignore = "only under strace, by the scenario below"]
fn install() {
    if let Some(folder) = env::var_os(FOLDER) {
        make(&start(Path::new(&folder)), NEW);
    }
}

fn installed(folder: &Path, call: &str, when: u32) -> ExitStatus {
    let inject = format!("inject={call}:signal=KILL:when={when}");
    let mut command = Command::new(STRACE);
    command.args(["-f", "-qq", "-o/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
    command.arg(env::current_exe().expect("our own program"));
    command.args(["--exact", "mapsync::kills::install", "--ignored", "--test-threads=1"]);
    command.env(FOLDER, folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("strace starts")
}

/// A start. The lock on the folder ends with its last descriptor, and a child that another test is just starting has
/// ours until it is another program.
fn start(folder: &Path) -> Disk {
    expect::until("the folder is nobody's", || match Disk::open(folder) {
        Err(error) if error.to_string().contains("another agent") => None,
        opened => Some(opened.expect("the next start works")),
    })
}

/// What stands in the folder after a start; a set is of one piece.
fn in_use(folder: &Path) -> String {
    let disk = start(folder);
    let set = disk.in_use().expect("there is always one");
    for file in FILES.iter().chain(&[LINKED, "set.json"]) {
        let text =
            fs::read_to_string(disk.current().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(text, set, "{file}");
    }
    let state = disk.state().expect("readable").expect("kept");
    let state = String::from_utf8(state).expect("whole");
    // What is known is written down before it is used.
    assert!(state == set || (set == OLD && state == NEW), "{set} is in use, and {state} is known");
    set
}

#[test]
fn y13_an_install_that_is_killed_anywhere() {
    require(STRACE);
    let (mut kills, mut with_new) = (0, 0);
    for call in CALLS {
        for when in 1.. {
            let folder = TempDir::new().expect("a folder");
            make(&Disk::open(folder.path()).expect("a new folder"), OLD);
            let ended = installed(folder.path(), call, when);
            let set = in_use(folder.path());
            if ended.success() {
                assert_eq!(set, NEW, "nothing stopped it");
                break;
            }
            assert!(ended.signal() == Some(9) || ended.code() == Some(137), "{call} {when}: {ended}");
            kills += 1;
            with_new += usize::from(set == NEW);
            // The same again, and nobody stops it.
            let disk = start(folder.path());
            if set == OLD && !disk.has(NEW) {
                make(&disk, NEW);
            } else if set == OLD {
                disk.flip(NEW).expect("a whole set can be used");
            }
            drop(disk);
            assert_eq!(in_use_after(folder.path()), NEW);
        }
    }
    println!("{kills} kills, {with_new} of them with the new set in use");
    assert!(kills > 20 && with_new > 0 && with_new < kills, "{kills} kills, {with_new} with the new set");
}

fn in_use_after(folder: &Path) -> String {
    start(folder).in_use().expect("there is one")
}
