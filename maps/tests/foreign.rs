//! Compiled tables as Postfix writes them: every entry is read, and a damaged file is an error.
//!
//! `postmap` of Debian's packages makes the files (postfix, postfix-lmdb, postfix-cdb), and
//! `db5.3_load` those of other machines.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use switchyard_maps::foreign::{Database, ForeignError, Kind};

const KINDS: [Kind; 4] = [Kind::Cdb, Kind::Lmdb, Kind::Hash, Kind::Btree];

type Table = BTreeMap<String, String>;

/// Keys of many forms; one value in some is far longer than a page.
fn table(size: usize, long: usize) -> Table {
    let entry = |index: usize| {
        let key = match index % 3 {
            0 => format!("user{index}@example.org"),
            1 => format!("d{index}.example.net"),
            _ => format!("a-rather-long-name-for-a-mailbox-{index}@sub{}.example.com", index % 97),
        };
        let words = if long > 0 && index.is_multiple_of(long) { 40 + index % 3000 } else { index % 7 };
        (key, (0..=words).map(|word| format!("w{}", word * index)).collect::<Vec<_>>().join(" "))
    };
    (0..size).map(entry).collect()
}

fn write(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    std::fs::write(path, text).unwrap();
}

/// What postmap makes of a table.
fn compiled(folder: &Path, kind: Kind, table: &Table) -> PathBuf {
    // Nothing of this machine's own set-up.
    write(&folder.join("main.cf"), "compatibility_level = 3.6\nlmdb_map_size = 100000000\n");
    let source = folder.join("table");
    let text: String = table.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
    write(&source, &text);
    let postmap = Command::new("/usr/sbin/postmap")
        .args(["-c", folder.to_str().unwrap(), &format!("{kind}:{}", source.display())])
        .output()
        .unwrap();
    assert!(postmap.status.success(), "{}", String::from_utf8_lossy(&postmap.stderr));
    folder.join(format!("table{}", kind.suffix()))
}

fn read(database: &Database) -> Result<Table, ForeignError> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let mut table = Table::new();
    let mut twice = 0;
    database.each(|key, value| twice += usize::from(table.insert(text(key), text(value)).is_some()))?;
    assert_eq!(twice, 0, "a key came twice");
    Ok(table)
}

#[test]
fn every_entry_that_postmap_wrote_is_read() {
    for (size, long) in [(0, 0), (1, 0), (1, 1), (1_000, 40), (50_000, 1_000)] {
        let table = table(size, long);
        for kind in KINDS {
            let folder = tempfile::tempdir().unwrap();
            let path = compiled(folder.path(), kind, &table);
            let database = Database::load(&path).unwrap();
            assert_eq!(database.kind(), kind);
            let read = read(&database).unwrap();
            assert_eq!(read.len(), table.len(), "{kind} of {size}");
            assert!(read == table, "{kind} of {size}: other entries");
        }
    }
}

#[test]
fn entries_are_those_that_postmap_lists() {
    let table = table(3_000, 100);
    // Postfix itself cannot list a cdb.
    for kind in [Kind::Lmdb, Kind::Hash, Kind::Btree] {
        let folder = tempfile::tempdir().unwrap();
        let path = compiled(folder.path(), kind, &table);
        let source = format!("{kind}:{}", path.with_extension("").display());
        let listed = Command::new("/usr/sbin/postmap")
            .args(["-c", folder.path().to_str().unwrap(), "-s", &source])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let listed: Table = listed
            .lines()
            .map(|line| line.split_once('\t').unwrap())
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(listed.len(), table.len());
        assert!(read(&Database::load(&path).unwrap()).unwrap() == listed, "{kind}");
    }
}

/// Neither Postfix's page size nor its NULs, and from a machine with the other order of octets.
#[test]
fn berkeley_files_of_any_order_and_page_size_are_read() {
    let table = table(2_000, 100);
    let text: String = table.iter().map(|(key, value)| format!("{key}\n{value}\n")).collect();
    for (kind, order, page) in [
        (Kind::Hash, "4321", "512"),
        (Kind::Hash, "1234", "65536"),
        (Kind::Btree, "4321", "1024"),
        (Kind::Btree, "1234", "512"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("text");
        write(&source, &text);
        let path = folder.path().join("table.db");
        let load = Command::new("/usr/bin/db5.3_load")
            .args(["-T", "-t", kind.as_str(), "-c", &format!("db_lorder={order}")])
            .args(["-c", &format!("db_pagesize={page}"), "-f", source.to_str().unwrap()])
            .arg(&path)
            .output()
            .unwrap();
        assert!(load.status.success(), "{}", String::from_utf8_lossy(&load.stderr));
        let database = Database::load(&path).unwrap();
        assert_eq!(database.kind(), kind);
        assert!(read(&database).unwrap() == table, "{kind}, order {order}, pages of {page}");
    }
}

#[test]
fn a_file_that_is_cut_is_an_error() {
    let table = table(2_000, 50);
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let bytes = std::fs::read(compiled(folder.path(), kind, &table)).unwrap();
        // Not the last page, which may be one that no entry stands in.
        for part in [3, 10, 30, 50, 70] {
            let cut = bytes[..bytes.len() / 100 * part].to_vec();
            let read = Database::from_bytes(cut).map(|database| read(&database));
            assert!(matches!(read, Err(_) | Ok(Err(_))), "{kind}, {part} % of it");
        }
    }
}

#[test]
fn octets_changed_anywhere_never_panic() {
    for kind in KINDS {
        let folder = tempfile::tempdir().unwrap();
        let bytes = std::fs::read(compiled(folder.path(), kind, &table(300, 60))).unwrap();
        let changes = proptest::collection::vec((0..bytes.len(), any::<u8>()), 1..12);
        proptest!(|(changes in changes)| {
            let mut bytes = bytes.clone();
            changes.into_iter().for_each(|(at, octet)| bytes[at] = octet);
            let most = bytes.len();
            let mut told = 0;
            if let Ok(database) = Database::from_bytes(bytes) {
                let _ = database.each(|key, value| told += key.len() + value.len());
            }
            prop_assert!(told <= most);
        });
        // The heads of pages are where the walk is decided.
        proptest!(|(page in 0..bytes.len() / 4096, at in 0..64_usize, octet in any::<u8>())| {
            let mut bytes = bytes.clone();
            bytes[page * 4096 + at] = octet;
            if let Ok(database) = Database::from_bytes(bytes) {
                let _ = database.each(|_, _| {});
            }
        });
    }
}
