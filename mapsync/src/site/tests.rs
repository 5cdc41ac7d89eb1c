//! Folders that travel, and what of them does not.

use std::collections::BTreeMap;
use std::io::Write as _;

use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::keys::SecretKey;

use super::*;

type Table = BTreeMap<String, String>;

fn write(folder: &Path, name: &str, octets: &[u8]) {
    let at = folder.join(name);
    fs::create_dir_all(at.parent().unwrap()).unwrap();
    File::create(at).unwrap().write_all(octets).unwrap();
}

fn faults(folder: &Path) -> Vec<String> {
    let faults = pack(folder).unwrap_err();
    faults.iter().map(|fault| fault.to_string().replace(&folder.display().to_string(), "")).collect()
}

#[test]
fn a_folder_is_its_files_in_order_without_the_hidden_ones() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "site.toml", b"x");
    write(folder.path(), "maps/transport", b"a.example smtp:[b]\n");
    write(folder.path(), "maps.d/x", b"");
    write(folder.path(), ".git/config", b"-----BEGIN PRIVATE KEY-----");
    let packed = pack(folder.path()).unwrap();
    let paths: Vec<&str> = packed.iter().map(|file| file.file.path.as_str()).collect();
    assert_eq!(paths, ["maps.d/x", "maps/transport", "site.toml"]);
    let transport = &packed[1].file;
    assert_eq!((transport.bytes, transport.hash), (19, Hash::of(b"a.example smtp:[b]\n")));
}

#[test]
fn a_table_in_its_one_spelling_travels_as_one_and_all_else_as_text() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("blank", "a b\nc d\n"),
        ("none", ""),
        ("remark", "# these\na\tb\n"),
        ("sorted", "a\tb\nc\td\n"),
        ("unsorted", "c\td\na\tb\n"),
    ] {
        write(folder.path(), name, text.as_bytes());
    }
    let packed = pack(folder.path()).unwrap();
    let tables = packed.iter().filter(|file| file.file.kind == Kind::Records);
    let tables: Vec<_> = tables.map(|file| (file.file.path.as_str(), file.file.records)).collect();
    assert_eq!(tables, [("sorted", 2)]);
    assert_eq!(packed[3].file.hash, Hash::of(b"a\tb\nc\td\n"));
}

/// 1 % of a table changes, at random: half of it values, a quarter gone, a quarter new. What a host fetches of a
/// million entries is then 160 KB at most (with `SWITCHYARD_LONG`), and of fewer in proportion.
#[test]
fn of_a_table_only_what_changed_travels() {
    let entries = if std::env::var_os("SWITCHYARD_LONG").is_some() { 1_000_000 } else { 50_000 };
    let mut chance = fastrand::Rng::with_seed(5);
    let mut hop = || format!("smtp:[hop{}.example.net]:25", chance.u32(..200));
    let mut table: Table = (0..entries).map(|n| (format!("user{:08}@example.org", n * 7), hop())).collect();
    let folder = tempfile::tempdir().unwrap();
    let state = |name: &str, table: &Table| {
        let text: String = table.iter().map(|(key, value)| format!("{key}\t{value}\n")).collect();
        write(folder.path(), &format!("{name}/t"), text.as_bytes());
        let [packed] = &pack(&folder.path().join(name)).unwrap()[..] else { panic!("one file") };
        assert_eq!(packed.file.kind, Kind::Records);
        (BufReader::new(File::open(&packed.at).unwrap()), packed.file.hash)
    };
    let old = state("old", &table);
    let mut place = fastrand::Rng::with_seed(7);
    for change in 0..entries / 100 {
        let key = format!("user{:08}@example.org", place.u32(..entries) * 7);
        match change % 4 {
            0 => drop(table.remove(&key)),
            1 => drop(table.insert(format!("new{key}"), hop())),
            _ => drop(table.insert(key, hop())),
        }
    }
    let (delta, _) = delta::diff(old, state("new", &table), Vec::new()).unwrap();
    println!("{} octets for 1 % of {entries} entries", delta.len());
    assert!(delta.len() as u32 <= entries / 100 * 16, "{} octets", delta.len());
}

#[test]
fn secret_keys_stay_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let ours = SecretKey::generate().unwrap().to_text().unwrap();
    write(folder.path(), "a", b"x\n-----BEGIN RSA PRIVATE KEY-----\nx");
    write(folder.path(), "b", ours.as_bytes());
    write(folder.path(), "c.Key", b"");
    // The word stands over the border of two reads.
    let mut long = vec![b'x'; PIECE - 7];
    long.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
    write(folder.path(), "d", &long);
    write(folder.path(), "fine", b"-----BEGIN PUBLIC KEY-----");
    let faults = faults(folder.path());
    assert_eq!(faults.len(), 4, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.contains("keys are never distributed")));
}

#[test]
fn y5_links_devices_and_strange_names_do_not_travel() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "site.toml", b"");
    write(folder.path(), "transport~", b"");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("users")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("maps")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap());
    assert_eq!(
        faults(folder.path()),
        [
            "/maps: is neither a file nor a folder: put the file itself here",
            "/socket: is neither a file nor a folder: put the file itself here",
            "/transport~: cannot be distributed: a path is made of letters, digits and \"._+@-\" of ASCII, not '~'",
            "/users: is neither a file nor a folder: put the file itself here",
        ]
    );
}
