//! The agent's folder: what stands in it after each step, and after none.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use switchyard_mapsync_protocol::head;

use super::*;

fn fetched(disk: &Disk, octets: &[u8]) -> head::File {
    let file = head::File::text("site.toml".to_owned().try_into().unwrap(), octets);
    let mut made = disk.fetching().unwrap();
    made.write_all(octets).unwrap();
    disk.keep_fetched(made, file.hash).unwrap();
    file
}

fn set(disk: &Disk, name: &str) {
    let making = disk.begin(name).unwrap();
    making.write("site/maps/transport", name.as_bytes()).unwrap();
    assert!(!disk.has(name), "not yet");
    making.finish(b"{}").unwrap();
    assert!(disk.has(name));
}

fn in_use(disk: &Disk) -> String {
    fs::read_to_string(disk.current().join("site/maps/transport")).unwrap()
}

#[test]
fn a_set_is_used_when_the_link_is_moved_and_not_before() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    assert_eq!(disk.in_use(), None);
    set(&disk, "1-a");
    assert_eq!(disk.in_use(), None);
    disk.flip("1-a").unwrap();
    set(&disk, "2-b");
    assert_eq!((disk.in_use().unwrap().as_str(), in_use(&disk).as_str()), ("1-a", "1-a"));
    disk.flip("2-b").unwrap();
    assert_eq!((disk.in_use().unwrap().as_str(), in_use(&disk).as_str()), ("2-b", "2-b"));
    assert!(disk.flip("3-c").is_err());
    assert_eq!(in_use(&disk), "2-b");
}

#[test]
fn what_waited_waits_no_more_once_it_is_in_use() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    ["1-a", "2-b", "3-c"].iter().for_each(|name| set(&disk, name));
    disk.show_next(Some("2-b")).unwrap();
    disk.flip("1-a").unwrap();
    assert!(disk.next().exists(), "another one waits");
    disk.flip("2-b").unwrap();
    assert!(!disk.next().exists());
}

#[test]
fn what_was_fetched_for_another_set_goes_and_what_is_being_fetched_stays() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let [old, new] = [b"old", b"new"].map(|octets| fetched(&disk, octets));
    let coming = disk.fetching().unwrap();
    disk.tidy(&[new.hash]).unwrap();
    assert_eq!([&old, &new].map(|file| disk.has_fetched(file).is_some()), [false, true]);
    assert!(coming.path().exists());
}

#[test]
fn daemons_of_other_users_may_read_and_nobody_writes() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    set(&disk, "1-a");
    let mode = |name: &str| fs::metadata(disk.set("1-a").join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("site/maps"), mode("site/maps/transport")), (0o755, 0o755, 0o444));
    assert_eq!(mode("set.json"), 0o444);
}

#[test]
fn what_was_left_half_made_is_cleared_away_and_what_is_whole_stays() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    set(&disk, "1-a");
    disk.flip("1-a").unwrap();
    let making = disk.begin("2-b").unwrap();
    making.write("site/x", b"half").unwrap();
    // As if we were killed here.
    std::mem::forget(making);
    let busy = Disk::open(root.path()).unwrap_err().to_string();
    assert!(busy.contains("another agent keeps its sets here"), "{busy}");
    drop(disk);
    let disk = Disk::open(root.path()).unwrap();
    assert!(!disk.set("2-b").exists());
    assert_eq!(in_use(&disk), "1-a");
    drop(disk.begin("3-c").unwrap());
    assert!(!disk.set("3-c").exists(), "given up, it leaves nothing");
}

#[test]
fn old_sets_go_and_the_one_in_use_never() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    for name in ["1-a", "2-b", "3-c", "9-d", "10-e"] {
        set(&disk, name);
    }
    disk.flip("1-a").unwrap();
    ["1-a", "2-b", "9-d", "7-none"].iter().for_each(|name| disk.remove(name).unwrap());
    let mut there = disk.sets().unwrap();
    there.sort();
    assert_eq!(there, ["1-a", "10-e", "3-c"]);
    assert!(!disk.set("2-b").exists());
}

#[test]
fn what_was_fetched_becomes_part_of_a_set_and_is_gone_after_a_start() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let file = fetched(&disk, b"fetched");
    let at = disk.has_fetched(&file).unwrap();
    let making = disk.begin("1-a").unwrap();
    ["site/x", "site/y/z"].iter().for_each(|name| making.link(name, &at).unwrap());
    assert!(making.link("site/x", &at).is_err(), "never over what is there");
    making.finish(b"{}").unwrap();
    drop(disk);
    let disk = Disk::open(root.path()).unwrap();
    assert_eq!(disk.has_fetched(&file), None);
    assert_eq!(fs::read(disk.set("1-a").join("site/y/z")).unwrap(), b"fetched");
}

#[test]
fn state_is_the_old_one_or_the_new_one() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    assert_eq!(disk.state().unwrap(), None);
    disk.keep_state(b"one").unwrap();
    disk.keep_state(b"two").unwrap();
    assert_eq!(disk.state().unwrap().as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_set_that_was_half_removed_is_removed_to_its_end() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    ["1-a", "2-b"].iter().for_each(|name| set(&disk, name));
    fs::remove_file(disk.set("1-a").join("set.json")).unwrap();
    disk.remove("1-a").unwrap();
    assert!(!disk.set("1-a").exists() && disk.has("2-b"));
}
