//! Which texts wait, what they are put together of, and for whom.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::records::measure;
use tempfile::TempDir;

use super::super::disk::{later, set_name};
use super::super::stage::lay_down;
use super::*;
use crate::testing;

/// A table that is large enough to be left for later.
struct Table {
    text: String,
    file: File,
}

/// One whose last line says which it is.
fn table(last: &str) -> Table {
    let value = "x".repeat(200);
    let lines = (0..6_000).map(|number| format!("{number:04}\t{value}\n"));
    let text: String = lines.chain([format!("{last}\t{value}\n")]).collect();
    let measured = measure(text.as_bytes()).unwrap();
    let file = File::table("maps/large".to_owned().try_into().unwrap(), measured);
    Table { text, file }
}

fn text_of(disk: &Disk, set: &str, table: &Table) -> Text {
    Text { set: disk.set(set), file: table.file.clone() }
}

fn fetch_whole(disk: &Disk, table: &Table) {
    let mut fetched = disk.fetching().unwrap();
    fetched.write_all(table.text.as_bytes()).unwrap();
    disk.keep_fetched(fetched, table.file.hash).unwrap();
}

/// Fetches what changed since the table of a set.
fn fetch_change(disk: &Disk, (set, from): (&str, &Table), to: &Table) {
    let change = disk.fetching().unwrap();
    let [before, after] = [from, to].map(|table| (table.text.as_bytes(), table.file.hash));
    delta::diff(before, after, &change).unwrap();
    let at = text_of(disk, set, from).brought(disk).unwrap();
    disk.keep_change(change, (&at, &from.file), &to.file).unwrap();
}

/// A set of nothing but a table, of what was fetched or is there.
fn make(disk: &Disk, generation: u64, table: &Table) -> String {
    let name = HeadRef { generation, hash: Hash::of(&generation.to_le_bytes()) };
    let files = vec![table.file.clone()];
    let making = disk.begin(&set_name(&name)).unwrap();
    let (making, missing) = lay_down(disk, making, files.clone()).unwrap();
    assert_eq!(missing, []);
    let head = Head { files, ..testing::head(generation, None, &[]) };
    making.finish(&testing::told(name, head, "mx1.example.org")).unwrap();
    set_name(&name)
}

/// A folder with a set of the first table, and one of the second, of which only the change was fetched.
fn two_sets(first: &Table, second: &Table) -> (TempDir, Disk, [String; 2]) {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    fetch_whole(&disk, first);
    let one = make(&disk, 1, first);
    fetch_change(&disk, (&one, first), second);
    let two = make(&disk, 2, second);
    (root, disk, [one, two])
}

fn read(at: PathBuf) -> String {
    fs::read_to_string(at).unwrap()
}

#[test]
fn only_large_texts_of_tables_wait() {
    let file = |kind, bytes| File { kind, bytes, ..table("x").file };
    assert!(may_wait(&file(Kind::Records, LARGE)));
    assert!(!may_wait(&file(Kind::Records, LARGE - 1)));
    assert!(!may_wait(&file(Kind::Text, 100 * LARGE)), "settings and behaviours among them");
}

#[test]
fn of_a_set_that_is_gone_nothing_is_left_to_be_done() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    assert_eq!(settle(&disk, "1-a").unwrap(), 0);
    let making = disk.begin("1-a").unwrap();
    making.finish(b"{}").unwrap();
    assert!(settle(&disk, "1-a").is_err(), "what it says of itself cannot be read");
}

#[test]
fn a_text_of_which_the_change_was_fetched_is_written_when_the_host_has_rest() {
    let [first, second] = ["a", "b"].map(table);
    let (root, disk, [one, two]) = two_sets(&first, &second);
    let at = text_of(&disk, &two, &second).at();
    assert!(!at.exists() && has_later(&disk.set(&two)) && !has_later(&disk.set(&one)));
    // Neither the end of the agent nor that of the set before is in its way.
    drop(disk);
    let disk = Disk::open(root.path()).unwrap();
    disk.remove(&one).unwrap();
    assert_eq!(settle(&disk, &two).unwrap(), 1);
    assert_eq!(fs::metadata(&at).unwrap().permissions().mode() & 0o777, 0o444);
    assert_eq!(read(at), second.text);
    assert!(!has_later(&disk.set(&two)));
    assert_eq!(settle(&disk, &two).unwrap(), 1, "once more is nothing");
}

#[test]
fn after_a_start_what_was_left_is_done() {
    let [first, second] = ["a", "b"].map(table);
    let (_root, disk, [one, two]) = two_sets(&first, &second);
    assert_eq!(unsettled(&disk).unwrap(), [two.as_str()]);
    disk.flip(&one).unwrap();
    let mut sets = unsettled(&disk).unwrap();
    sets.sort();
    assert_eq!(sets, [one, two.clone()], "nobody knows how far the one in use came");
    settle(&disk, &two).unwrap();
    assert_eq!(unsettled(&disk).unwrap().len(), 1);
}

#[test]
fn the_next_change_lies_over_it_and_the_next_set_has_it_under_one_more_name() {
    let [first, second, third] = ["a", "b", "c"].map(table);
    let (_root, disk, [_, two]) = two_sets(&first, &second);
    fetch_change(&disk, (&two, &second), &third);
    let three = make(&disk, 3, &third);
    assert_eq!(read(text_of(&disk, &two, &second).at()), second.text);
    disk.clear_fetched().unwrap();
    // Of a text that nobody has read yet it takes what leads to it.
    let four = make(&disk, 4, &third);
    assert!(has_later(&disk.set(&four)));
    assert_eq!(settle(&disk, &three).unwrap(), 1);
    let five = make(&disk, 5, &third);
    assert!(!has_later(&disk.set(&five)));
    assert_eq!(settle(&disk, &four).unwrap(), 1);
    for set in [three, four, five] {
        assert_eq!(read(text_of(&disk, &set, &third).at()), third.text);
        assert!(!has_later(&disk.set(&set)));
    }
}

#[test]
fn a_text_that_was_torn_before_it_was_durable_is_put_together_again() {
    let [first, second] = ["a", "b"].map(table);
    let (_root, disk, [_, two]) = two_sets(&first, &second);
    let text = text_of(&disk, &two, &second);
    fs::remove_file(text.brought(&disk).unwrap()).unwrap();
    fs::File::create(text.at()).unwrap();
    assert_eq!(settle(&disk, &two).unwrap(), 1);
    assert_eq!(read(text.at()), second.text);
}

#[test]
fn what_does_not_lead_to_it_any_more_is_no_text() {
    let [first, second] = ["a", "b"].map(table);
    let (_root, disk, [one, two]) = two_sets(&first, &second);
    let before = text_of(&disk, &one, &first).at();
    fs::set_permissions(&before, fs::Permissions::from_mode(0o644)).unwrap();
    fs::File::options().write(true).open(&before).unwrap().write_all(b"0000\ty").unwrap();
    let text = text_of(&disk, &two, &second);
    // A set that was made of the same meanwhile has no more.
    let three = make(&disk, 3, &second);
    let why = settle(&disk, &two).unwrap_err();
    assert!(why.to_string().contains("is signed") && !text.at().exists(), "{why}");
    for set in [&two, &three] {
        assert_eq!(settle(&disk, set).unwrap(), 0, "there is nothing to be tried again");
    }
    let (_, missing) = lay_down(&disk, disk.begin("4-d").unwrap(), vec![second.file]).unwrap();
    assert_eq!(missing.len(), 1, "all of it is fetched");
}

#[test]
fn what_cannot_be_put_together_now_may_be_another_time() {
    let [first, second] = ["a", "b"].map(table);
    let (_root, disk, [_, two]) = two_sets(&first, &second);
    let in_the_way = later(&disk.set(&two), second.file.hash).unwrap().join("made");
    fs::create_dir(&in_the_way).unwrap();
    assert!(settle(&disk, &two).is_err() && has_later(&disk.set(&two)));
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(settle(&disk, &two).unwrap(), 1);
    assert!(!has_later(&disk.set(&two)));
}

#[test]
fn a_set_that_has_a_part_of_it_only_has_nothing() {
    let [first, second] = ["a", "b"].map(table);
    for part in ["changed", "before", "signed"] {
        let (_root, disk, [_, two]) = two_sets(&first, &second);
        disk.clear_fetched().unwrap();
        fs::remove_file(later(&disk.set(&two), second.file.hash).unwrap().join(part)).unwrap();
        let (_, missing) = lay_down(&disk, disk.begin("3-c").unwrap(), vec![second.file.clone()]).unwrap();
        assert_eq!(missing.len(), 1, "{part}");
        assert_eq!(settle(&disk, &two).unwrap(), 0, "{part}");
    }
}

#[test]
fn what_was_fetched_for_another_set_goes() {
    let [first, second, third] = ["a", "b", "c"].map(table);
    let (_root, disk, [one, _]) = two_sets(&first, &second);
    fetch_change(&disk, (&one, &first), &third);
    disk.tidy(&[third.file.hash]).unwrap();
    assert_eq!([&second, &third].map(|table| disk.has_change(&table.file).is_some()), [false, true]);
    // Once more, as by another hub.
    fetch_change(&disk, (&one, &first), &third);
    disk.clear_fetched().unwrap();
    assert_eq!(disk.has_change(&third.file), None);
}
