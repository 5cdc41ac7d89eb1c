//! Sets that are installed over another one: the same octets as without it, with less work.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use switchyard_maps::installed::{self, InstallError, Installed, Manifest, Over, Ways};
use switchyard_maps::{MapName, MapOptions, TableSpec};
use tempfile::TempDir;

const TABLES: [(MapName, &[&str]); 4] = [
    (MapName::Transport, &["hash:transport", "regexp:transport.re"]),
    (MapName::VirtualAlias, &["alias", "aliases:local"]),
    (MapName::Recipients, &["unionmap:{ recipients, inline:{x@a.example=y} }"]),
    (MapName::ClientAccess, &["cidr:clients"]),
];

/// Folders of texts and of sets.
struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The texts of a site, some of which are others.
    fn texts(&self, name: &str, other: &[(&str, &str)]) -> MapOptions {
        let folder = self.place(name);
        fs::create_dir(&folder).unwrap();
        let recipients = recipients(0..2_000, "");
        for (file, text) in [
            ("transport", "a.example smtp:[one.example]\nb.example smtp:[two.example]\n"),
            ("transport.re", "/^list-(.*)@a\\.example$/ smtp:[lists.example]\n"),
            ("alias", "ann@a.example joe@b.example\n"),
            ("local", "staff: :include:staff, ann\n"),
            ("staff", "joe@a.example\n"),
            ("recipients", &recipients),
            ("clients", "192.0.2.0/24 REJECT\n"),
        ] {
            let text = other.iter().find(|(name, _)| *name == file).map_or(text, |(_, text)| text);
            File::create(folder.join(file)).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let specs = |words: &[&str]| words.iter().map(|word| TableSpec::parse(word).unwrap()).collect();
        let tables = TABLES.iter().map(|(map, words)| (*map, specs(words))).collect();
        let origin = Some("a.example".parse().unwrap());
        MapOptions { folder, tables, origin, ..MapOptions::default() }
    }

    /// Another file in the place of a text, as editors do.
    fn edit(&self, name: &str, text: &str) {
        let file = self.place(name);
        fs::remove_file(&file).unwrap();
        File::create(&file).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Installs a set over another one, and compares it with one that is compiled. Gives how its tables came to be, and
    /// the names of those that are the other's files.
    fn install(&self, options: &MapOptions, over: &Over, name: &str) -> (Ways, BTreeSet<String>) {
        let set = self.place(name);
        let Installed { manifest, ways, .. } = installed::install_over(options, &set, over).unwrap();
        installed::verify(&manifest, &set).unwrap();
        let fresh = self.place(&format!("{name}-fresh"));
        let mut compiled = installed::install(options, &fresh).unwrap();
        // What is proved by what changed may be thought to be longer than it is.
        let deepest = |manifest: &Manifest| manifest.aliases.as_ref().map(|proof| proof.deepest);
        assert!(deepest(&manifest) >= deepest(&compiled));
        compiled.aliases.clone_from(&manifest.aliases);
        assert_eq!(compiled, manifest);
        let mut kept = BTreeSet::new();
        for entry in tables(&manifest) {
            let file = &entry.artifact.as_ref().unwrap().file;
            assert!(
                fs::read(set.join(file)).unwrap() == fs::read(fresh.join(file)).unwrap(),
                "{}",
                entry.table
            );
            if fs::metadata(set.join(file)).unwrap().nlink() > 1 {
                kept.insert(entry.table.clone());
            }
        }
        assert_eq!(ways.linked, kept.len());
        (ways, kept)
    }
}

fn recipients(range: std::ops::Range<u32>, more: &str) -> String {
    range.map(|number| format!("user{number:04}@a.example x\n")).collect::<String>() + more
}

/// Those with an artifact.
fn tables(manifest: &Manifest) -> Vec<&installed::Entry> {
    let mut open: Vec<&installed::Entry> = manifest.maps.values().flatten().collect();
    let mut tables = Vec::new();
    while let Some(entry) = open.pop() {
        open.extend(&entry.members);
        tables.extend(entry.artifact.is_some().then_some(entry));
    }
    tables
}

fn over(base: PathBuf) -> Over {
    Over { base: Some(base), ..Over::default() }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ways(compiled: usize, merged: usize, linked: usize) -> Ways {
    Ways { compiled, merged, linked, ..Ways::default() }
}

/// Every table that is made of one file. There is one of two files, and one of the settings.
const OF_FILES: [&str; 5] = ["hash:transport", "regexp:transport.re", "alias", "recipients", "cidr:clients"];

#[test]
fn tables_that_did_not_change_are_the_files_that_are_there() {
    let ground = Ground::new();
    installed::install(&ground.texts("1", &[]), &ground.place("a")).unwrap();
    let (made, kept) = ground.install(&ground.texts("2", &[]), &over(ground.place("a")), "b");
    assert_eq!((made, kept), (ways(2, 0, 5), names(&OF_FILES)));
    // A file that is included is none of the table's own.
    let staff = ground.texts("3", &[("staff", "jim@a.example\n")]);
    assert_eq!(ground.install(&staff, &over(ground.place("b")), "c").1, names(&OF_FILES));
    // No base, and one that is none.
    assert_eq!(ground.install(&staff, &Over::default(), "d").0, ways(7, 0, 0));
    assert_eq!(ground.install(&staff, &over(ground.place("3")), "e").0, ways(7, 0, 0));
}

#[test]
fn tables_that_changed_are_those_that_a_compiler_makes() {
    let ground = Ground::new();
    installed::install(&ground.texts("1", &[]), &ground.place("a")).unwrap();
    let changed =
        recipients(3..1_999, "User9999@A.example x\n").replace("user1000@a.example x", "new@a.example");
    let files = [("recipients", &*changed), ("clients", "192.0.2.0/25 REJECT\n"), ("alias", "# nobody\n")];
    let (made, kept) = ground.install(&ground.texts("2", &files), &over(ground.place("a")), "b");
    assert_eq!((made, kept), (ways(3, 2, 2), names(&["hash:transport", "regexp:transport.re"])));
    // And those of which a compiler makes another one.
    let twice = recipients(0..2_000, "USER0007@a.example x\n");
    let files = [("recipients", &*twice)];
    let (made, _) = ground.install(&ground.texts("3", &files), &over(ground.place("b")), "c");
    assert_eq!(made, ways(4, 1, 2));
    let files = [("recipients", &*recipients(1..2_000, ""))];
    let (made, _) = ground.install(&ground.texts("4", &files), &over(ground.place("c")), "d");
    assert_eq!(made, ways(3, 0, 4), "a key that stands there twice may have either line");
}

#[test]
fn what_is_wrong_is_told_as_ever() {
    let ground = Ground::new();
    installed::install(&ground.texts("1", &[]), &ground.place("a")).unwrap();
    let bad = recipients(0..2_000, "new@a.example x, y\nuser0007@a.example@\n\u{7}\n");
    let options = ground.texts("2", &[("recipients", &bad), ("clients", "192.0.2.0/33 REJECT\n")]);
    let told = |error: InstallError| error.to_string();
    let over = installed::install_over(&options, &ground.place("b"), &over(ground.place("a")));
    let fresh = installed::install(&options, &ground.place("c"));
    let over = told(over.unwrap_err());
    assert_eq!(over, told(fresh.unwrap_err()));
    assert!(over.contains("recipients:2002:1:") && over.contains("clients:1:"), "{over}");
}

#[test]
fn settings_that_decide_what_is_read_make_other_tables() {
    let ground = Ground::new();
    let options = ground.texts("1", &[]);
    installed::install(&options, &ground.place("a")).unwrap();
    let (base, place) = (over(ground.place("a")), "b.example".parse().unwrap());
    let elsewhere = MapOptions { origin: Some(place), ..options.clone() };
    let (_, kept) = ground.install(&elsewhere, &base, "b");
    assert_eq!(kept, names(&["hash:transport", "regexp:transport.re", "recipients", "cidr:clients"]));
    let edge = MapOptions { edge: true, ..options.clone() };
    let (_, kept) = ground.install(&edge, &base, "c");
    assert!(!kept.contains("cidr:clients") && kept.contains("alias"), "{kept:?}");
    let own = [("two.example".to_owned(), 25)].into();
    let error =
        installed::install_over(&MapOptions { own, ..options }, &ground.place("d"), &base).unwrap_err();
    assert!(error.to_string().contains("route loop"), "{error}");
}

#[test]
fn a_base_that_is_damaged_is_of_no_use() {
    let ground = Ground::new();
    let manifest = installed::install(&ground.texts("1", &[]), &ground.place("a")).unwrap();
    let table = tables(&manifest).into_iter().find(|entry| entry.table == "recipients").unwrap();
    let file = ground.place("a").join(&table.artifact.as_ref().unwrap().file);
    let mut octets = fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::remove_file(&file).unwrap();
    File::create(&file).unwrap().write_all(&octets).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let same = ground.texts("2", &[]);
    let (_, kept) = ground.install(&same, &over(ground.place("a")), "b");
    assert!(!kept.contains("recipients") && kept.contains("hash:transport"), "{kept:?}");
    let changed = ground.texts("3", &[("recipients", &recipients(1..2_000, ""))]);
    let (made, _) = ground.install(&changed, &over(ground.place("a")), "c");
    assert_eq!(made, ways(3, 0, 4));
    let (made, _) = ground.install(&changed, &over(ground.place("b")), "d");
    assert_eq!(made, ways(2, 1, 4));
}

#[test]
fn a_text_that_is_another_one_by_now_is_not_what_the_base_was_made_of() {
    let ground = Ground::new();
    let text = "ann@a.example joe@b.example\njim@a.example joe@b.example\n";
    installed::install(&ground.texts("1", &[("alias", text)]), &ground.place("a")).unwrap();
    // The same comes by the next set as well.
    let edits = [
        text.replacen("joe", "jim", 1),
        format!("# why\n{text}"),
        format!("{text}joe@a.example joe@b.example\n"),
    ];
    for (number, edited) in edits.iter().enumerate() {
        ground.edit("1/alias", edited);
        let next = ground.texts(&format!("next-{number}"), &[("alias", edited)]);
        let (made, _) = ground.install(&next, &over(ground.place("a")), &format!("set-{number}"));
        assert_eq!(made, ways(3, 0, 4), "{edited}");
    }
    fs::remove_file(ground.place("1/alias")).unwrap();
    let (made, _) = ground.install(&ground.texts("2", &[]), &over(ground.place("a")), "b");
    assert_eq!(made, ways(3, 0, 4));
}

#[test]
fn a_hash_that_is_known_is_believed_and_a_file_of_one_name_is_not_another_s() {
    let ground = Ground::new();
    let options = ground.texts("1", &[]);
    installed::install(&options, &ground.place("a")).unwrap();
    let next = ground.texts("2", &[("recipients", &recipients(0..1_999, ""))]);
    let hash = |name: &str| {
        let file = next.folder.join(name);
        let hash = *blake3::hash(&fs::read(&file).unwrap()).as_bytes();
        (file, hash)
    };
    let known = Over {
        base: Some(ground.place("a")),
        hashes: ["recipients", "transport", "clients"].into_iter().map(hash).collect(),
        ..Over::default()
    };
    // Read-only, it is mapped.
    fs::set_permissions(next.folder.join("recipients"), Permissions::from_mode(0o444)).unwrap();
    let (made, kept) = ground.install(&next, &known, "b");
    assert_eq!(kept, names(&["hash:transport", "regexp:transport.re", "alias", "cidr:clients"]));
    assert_eq!(made.merged, 1);
}

#[test]
fn what_has_another_hash_or_no_end_is_refused_whether_it_is_known_or_not() {
    let ground = Ground::new();
    installed::install(&ground.texts("1", &[]), &ground.place("a")).unwrap();
    let known = |options: &MapOptions, hash: blake3::Hash| {
        let hashes = [(options.folder.join("recipients"), *hash.as_bytes())].into();
        Over { base: Some(ground.place("a")), hashes, ..Over::default() }
    };
    let next = ground.texts("2", &[("recipients", &recipients(0..1_999, ""))]);
    let error = installed::install_over(&next, &ground.place("b"), &known(&next, blake3::hash(b"else")));
    let told = error.unwrap_err().to_string();
    assert!(told.contains("recipients: ") && told.contains("others than its hash says"), "{told}");

    let long = format!("#{}\n{}", "-".repeat(2 << 20), recipients(0..2_000, ""));
    let next = ground.texts("3", &[("recipients", &long)]);
    let known = known(&next, blake3::hash(long.as_bytes()));
    let over = installed::install_over(&next, &ground.place("c"), &known).unwrap_err().to_string();
    let fresh = installed::install(&next, &ground.place("d")).unwrap_err().to_string();
    assert_eq!(over, fresh);
    assert!(over.contains("recipients:1:1: a line of more than"), "{over}");
}
