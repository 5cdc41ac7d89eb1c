//! Which set the next one is made over, and which files of a head are here.

use std::fs::File;
use std::io::Write as _;

use switchyard_mapsync_protocol::hash::Hash;

use super::*;
use crate::agent::host::SITE;
use crate::testing::{head, told};

const HOST: &str = "mx1.example.org";

/// A set without maps, for a host, under the name of its own or another one.
fn set(disk: &Disk, generation: u64, host: &str, name: Option<&str>, files: &[(&str, &[u8])]) -> String {
    let at = HeadRef { generation, hash: Hash::of(&generation.to_le_bytes()) };
    let name = name.map_or_else(|| set_name(&at), str::to_owned);
    let making = disk.begin(&name).unwrap();
    for (path, octets) in files {
        making.write(&format!("{SITE}/{path}"), octets).unwrap();
    }
    making.finish(&told(at, head(generation, None, files), host)).unwrap();
    name
}

fn write(at: &Path, octets: &[u8]) {
    File::create(at).unwrap().write_all(octets).unwrap();
}

#[test]
fn a_set_is_made_over_the_newest_of_this_host() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    assert_eq!(base(&disk, HOST), None);
    let elsewhere = set(&disk, 9, "mx2.example.org", None, &[]);
    let before = set(&disk, 8, HOST, Some("8-0123456789abcdef-30001"), &[]);
    assert_eq!(base(&disk, HOST), None, "another host's, and one that is made in another way");
    let [old, new] = [1, 2].map(|generation| set(&disk, generation, HOST, None, &[]));
    for in_use in [&old, &elsewhere, &before] {
        disk.flip(in_use).unwrap();
        assert_eq!(base(&disk, HOST), Some(disk.set(&new)), "{in_use}");
    }
}

#[test]
fn a_file_is_taken_from_where_it_is_as_it_was_signed() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let files: [(&str, &[u8]); 4] =
        [("maps/a", b"fetched"), ("maps/b", b"of a set"), ("maps/c", b"damaged"), ("maps/d", b"nowhere")];
    let keep = |number: usize, octets: &[u8]| {
        let mut made = disk.fetching().unwrap();
        made.write_all(octets).unwrap();
        disk.keep_fetched(made, Hash::of(files[number].1)).unwrap();
    };
    keep(0, b"fetched");
    // A disk lost some of it: it is not there, and fetched once more.
    keep(2, b"damage");
    let old = set(&disk, 1, HOST, None, &files[1..2]);
    let making = disk.begin("2").unwrap();
    let (making, missing) = lay_down(&disk, making, head(2, None, &files).files).unwrap();
    let missing: Vec<_> = missing.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(missing, ["maps/c", "maps/d"]);
    let laid = |path: &str| fs::read(making.path().join(SITE).join(path)).unwrap();
    assert_eq!((laid("maps/a"), laid("maps/b")), (b"fetched".to_vec(), b"of a set".to_vec()));
    drop(making);
    // Nor is it one of a set that is damaged.
    let file = disk.set(&old).join(SITE).join("maps/b");
    fs::remove_file(&file).unwrap();
    write(&file, b"of a sat");
    let (_, missing) = lay_down(&disk, disk.begin("3").unwrap(), head(3, None, &files[1..2]).files).unwrap();
    assert_eq!(missing.len(), 1);
}

#[test]
fn a_text_that_cannot_be_read_now_says_nothing_about_the_set() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(root.path()).unwrap());
    let files: [(&str, &[u8]); 2] = [("maps/before", b"a\tx\n"), ("maps/after", b"a\ty\n")];
    let name = set(&disk, 1, HOST, None, &files[..1]);
    let signed = head(1, None, &files).files;
    let before = disk.set(&name).join(place(&signed[0]));
    disk.keep_change(disk.fetching().unwrap(), (&before, &signed[0]), &signed[1]).unwrap();
    let making = disk.begin("2").unwrap();
    let (making, missing) = lay_down(&disk, making, signed[1..].to_vec()).unwrap();
    assert_eq!(missing, []);
    let texts = Texts::of(&disk, making.path(), &signed);
    let at = |file| making.path().join(place(file));
    texts.bring(&at(&signed[0])).unwrap();
    assert_eq!(texts.failed(), None);
    // What was fetched is no change at all; and settings may name a table in another way than the head does.
    texts.bring(&making.path().join(SITE).join("lists/.././maps/after")).unwrap_err();
    let why = texts.failed().unwrap();
    assert!(why.contains("maps/after"), "{why}");
    assert_eq!(disk.has_change(&signed[1]), None, "it is fetched again");
}

#[test]
fn a_set_is_refused_for_good_for_what_it_is_and_not_for_what_the_host_has_not() {
    for (unfit, for_good) in [
        (Unfit::Unasked("a server is away".to_owned()), false),
        (Unfit::Behaviours("mail goes elsewhere".to_owned()), true),
    ] {
        assert_eq!(matches!(judged(&unfit), agent::Unfit::Wrong(_)), for_good, "{unfit}");
    }
}
