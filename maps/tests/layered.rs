//! Large tables of installed sets that change a little: their files stay, and what changed stands beside them.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::cell::RefCell;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus::Registry;
use switchyard_maps::installed::{self, Artifact, Edits, Later, Manifest, Over, Ways};
use switchyard_maps::watch::Reload;
use switchyard_maps::{Answer, Budget, Found, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader};
use switchyard_smtp::address::Mailbox;
use tempfile::TempDir;

/// Users of a table that is large enough.
const USERS: u32 = 20_000;

/// Sets, each with the text that it was made of.
struct Ground {
    folder: TempDir,
    sets: Vec<PathBuf>,
}

impl Ground {
    /// With a first set.
    fn new(text: &str) -> Self {
        let mut ground = Self { folder: tempfile::tempdir().unwrap(), sets: Vec::new() };
        ground.install(text);
        ground
    }

    fn options(&self, number: usize) -> MapOptions {
        let folder = self.folder.path().join(format!("text{number}"));
        let pools = ["b".to_owned()].into();
        MapOptions { folder, pools, ..MapOptions::default() }.with_file(MapName::Transport, "routes")
    }

    /// Opens the newest set by settings that have no pool.
    fn open_without_pool(&self) -> Result<(), String> {
        let installed = self.sets.last().cloned();
        let options = MapOptions { installed, pools: [].into(), ..self.options(0) };
        MapSet::load(&options).map(drop).map_err(|faults| faults.to_string())
    }

    /// The next set, over the one before. It must say what one does that is compiled.
    fn install(&mut self, text: &str) -> (Ways, Manifest) {
        let number = self.sets.len();
        let options = self.options(number);
        fs::create_dir(&options.folder).unwrap();
        File::create(options.folder.join("routes")).unwrap().write_all(text.as_bytes()).unwrap();
        let (set, fresh) = (
            self.folder.path().join(format!("set{number}")),
            self.folder.path().join(format!("fresh{number}")),
        );
        let over = Over { base: self.sets.last().cloned(), ..Over::default() };
        let made = installed::install_over(&options, &set, &over).unwrap();
        installed::verify(&made.manifest, &set).unwrap();
        let compiled = installed::install(&options, &fresh).unwrap();
        assert_eq!(entries(&set, &made.manifest), entries(&fresh, &compiled));
        self.sets.push(set);
        (made.ways, made.manifest)
    }

    fn file(&self, set: usize, name: &str) -> PathBuf {
        self.sets[set].join(name)
    }

    fn inode(&self, set: usize, name: &str) -> u64 {
        fs::metadata(self.file(set, name)).unwrap().ino()
    }
}

fn artifact(manifest: &Manifest) -> &Artifact {
    manifest.maps["transport"][0].artifact.as_ref().unwrap()
}

/// All entries of the table, in the order of their lines, and how many its manifest tells.
fn entries(set: &Path, manifest: &Manifest) -> (u64, Vec<(u32, String, String)>) {
    let artifact = artifact(manifest);
    let table = installed::keys(set, artifact).unwrap().unwrap();
    let mut entries: Vec<_> = table
        .iter()
        .map(|entry| entry.map(|(key, value, line)| (line, key.to_owned(), value.to_owned())).unwrap())
        .collect();
    entries.sort();
    (artifact.records, entries)
}

fn users(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("user{number:05}@example.org smtp:[box{}.example]\n", number % 7)).collect()
}

const LAYERED: Ways = Ways { compiled: 0, merged: 0, layered: 1, linked: 0 };
const LINKED: Ways = Ways { compiled: 0, merged: 0, layered: 0, linked: 1 };
const MERGED: Ways = Ways { compiled: 0, merged: 1, layered: 0, linked: 0 };
const COMPILED: Ways = Ways { compiled: 1, merged: 0, layered: 0, linked: 0 };

#[test]
fn a_large_table_keeps_its_file_while_little_changes() {
    let text = users(0..USERS);
    let mut ground = Ground::new(&text);
    let text = format!(
        "first@example.org smtp:[a.example]\n{}",
        text.replace("user00500@example.org smtp:[box3.", "user00500@example.org smtp:[box9.")
    );
    let (ways, manifest) = ground.install(&text);
    assert_eq!(ways, LAYERED);
    assert_eq!(artifact(&manifest).changes.as_ref().unwrap().file, "0.swm.changes");
    assert_eq!(ground.inode(0, "0.swm"), ground.inode(1, "0.swm"));
    assert!(fs::metadata(ground.file(1, "0.swm.changes")).unwrap().len() < 4_096);
    // What came goes again, what changed is changed back, others go.
    let text = users(0..USERS).replace("user00700@example.org smtp:[box0.example]\n", "");
    assert_eq!(ground.install(&text).0, LAYERED);
    assert_eq!(ground.install(&text).0, LINKED);
    assert_eq!(ground.inode(2, "0.swm.changes"), ground.inode(3, "0.swm.changes"));
    // Many: one file of both, as a compiler makes it.
    let text = users(3_000..USERS + 10);
    assert_eq!(ground.install(&text).0, MERGED);
    assert!(
        fs::read(ground.file(4, "0.swm")).unwrap()
            == fs::read(ground.folder.path().join("fresh4/0.swm")).unwrap()
    );
    assert!(!ground.file(4, "0.swm.changes").exists());
    assert_eq!(ground.install(&users(3_001..USERS + 10)).0, LAYERED);
}

#[test]
fn a_daemon_asks_a_table_and_what_changed_of_it() {
    let mut ground = Ground::new(&users(0..USERS));
    ground.install(
        &users(1..USERS + 1)
            .replace("user00500@example.org smtp:[box3.", "user00500@example.org smtp:[box9."),
    );
    let current = ground.folder.path().join("current");
    let point = |set: &Path| {
        let _ = fs::remove_file(&current);
        std::os::unix::fs::symlink(set, &current).unwrap();
    };
    point(&ground.sets[0]);
    let budget = Budget { removed: 0, changed: 0, least: 1 };
    let options = MapOptions { installed: Some(current.clone()), budget, ..ground.options(1) };
    let handle = MapHandle::new(MapSet::load(&options).unwrap());
    let metrics = MapMetrics::register(&Registry::new()).unwrap();
    let reloader = Reloader::new(handle.clone(), options, metrics, &switchyard_maps::Faults::default());
    let leads = |user: u32| {
        let address = Mailbox::parse(&format!("user{user:05}@example.org")).unwrap();
        match handle.snapshot().route(&address) {
            Answer::Found(Found { value, place }) => format!("{value} ({})", place.line),
            other => other.label().to_owned(),
        }
    };
    assert_eq!(leads(500), "smtp:[box3.example] (501)");
    point(&ground.sets[1]);
    let reloaded = reloader.reload();
    assert!(matches!(reloaded, Ok(Reload::Swapped(_))), "one goes, one leads elsewhere: {reloaded:?}");
    assert_eq!(leads(500), "smtp:[box9.example] (500)");
    assert_eq!(leads(600), "smtp:[box5.example] (600)");
    assert_eq!(leads(USERS), "smtp:[box1.example] (20000)");
    assert_eq!(leads(0), "not_found");
    // Counted from the file that both share.
    ground.install(&users(3..USERS + 1));
    point(&ground.sets[2]);
    let faults = reloader.reload().unwrap_err().to_string();
    assert!(faults.contains("2 of its 20000 keys would be gone at once"), "{faults}");
}

#[test]
fn a_value_counts_while_a_key_leads_to_it() {
    let drained = |pooled: std::ops::Range<u32>| -> String {
        let routes = users(0..USERS);
        let of_pool = |(number, line): (u32, &str)| match line.split_once(' ') {
            Some((key, _)) if pooled.contains(&number) => format!("{key} smtp:@b\n"),
            _ => line.to_owned(),
        };
        (0..).zip(routes.split_inclusive('\n')).map(of_pool).collect()
    };
    let mut ground = Ground::new(&drained(0..100));
    let is_refused = |ground: &Ground| {
        let told = ground.open_without_pool().unwrap_err();
        assert!(told.contains("unknown pool `b`"), "{told}");
    };
    is_refused(&ground);
    assert_eq!(ground.install(&drained(99..100)).0, LAYERED);
    is_refused(&ground);
    // Changed back, and gone.
    for text in [drained(0..0), users(0..99) + &users(100..USERS)] {
        assert_eq!(ground.install(&text).0, LAYERED);
        assert_eq!(ground.open_without_pool(), Ok(()));
    }
    assert_eq!(ground.install(&drained(7..8)).0, LAYERED);
    is_refused(&ground);
}

#[test]
fn values_that_are_new_are_looked_at_first() {
    let text: String =
        (0..70_000).map(|number| format!("user{number}@example.org smtp:[box{number}.example]\n")).collect();
    let mut ground = Ground::new(&text);
    assert_eq!(ground.open_without_pool(), Ok(()));
    assert_eq!(ground.install(&text.replace("smtp:[box7.example]", "smtp:@b")).0, LAYERED);
    assert!(ground.open_without_pool().unwrap_err().contains("unknown pool `b`"));
}

/// Puts a text in its place when it is asked to.
#[derive(Debug)]
struct Brings(PathBuf, String);

impl Later for Brings {
    fn bring(&self, file: &Path) -> io::Result<()> {
        assert_eq!(file, self.0);
        File::create(file)?.write_all(self.1.as_bytes())
    }
}

#[test]
fn a_text_whose_edits_are_known_is_not_read() {
    let text = users(0..USERS);
    let ground = Ground::new(&text);
    let options = ground.options(1);
    fs::create_dir(&options.folder).unwrap();
    let place = options.folder.join("routes");
    let after = text.replacen("user00007@example.org smtp:[box0.example]\n", "", 1);
    let later: RefCell<Option<Arc<dyn Later>>> = RefCell::default();
    let install = |name: &str, before: &str, line: u64| {
        let mut edits = Edits::of(*blake3::hash(before.as_bytes()).as_bytes());
        edits.push((line, line), Some(b"user00007@example.org smtp:[box0.example]\n"), None).unwrap();
        edits.end(u64::from(USERS)).unwrap();
        let over = Over {
            base: Some(ground.sets[0].clone()),
            hashes: [(place.clone(), *blake3::hash(after.as_bytes()).as_bytes())].into(),
            edits: [(place.clone(), Arc::new(edits))].into(),
            later: later.borrow().clone(),
            ..Over::default()
        };
        installed::install_over(&options, &ground.folder.path().join(name), &over)
    };
    // There is no text to be read.
    let made = install("known", &text, 8).unwrap();
    assert_eq!(made.ways, LAYERED);
    let (records, entries) = entries(&ground.folder.path().join("known"), &made.manifest);
    assert_eq!((records, entries.len()), (19_999, 19_999));
    let [before, behind] = [&entries[6], &entries[7]];
    assert_eq!(
        [(before.0, &*before.1), (behind.0, &*behind.1)],
        [(7, "user00006@example.org"), (8, "user00008@example.org")]
    );
    let origin = artifact(&made.manifest).origin.clone().unwrap();
    assert_eq!(origin.source, blake3::hash(after.as_bytes()).to_hex().as_str());
    // Edits of another text, or that do not fit this one: then it is.
    for (name, before, line) in [("other", "else", 8), ("unfit", &*text, 9)] {
        let told = install(name, before, line).unwrap_err().to_string();
        assert!(told.contains("routes: ") && told.contains("No such file"), "{told}");
    }
    // Somebody brings it only then.
    *later.borrow_mut() = Some(Arc::new(Brings(place.clone(), after.clone())));
    assert_eq!(install("still known", &text, 8).unwrap().ways, LAYERED);
    assert!(!place.exists());
    assert_eq!(install("read", "else", 8).unwrap().ways, LAYERED);
    assert!(place.exists());
}

#[test]
fn changes_that_are_damaged_are_neither_asked_nor_built_upon() {
    let mut ground = Ground::new(&users(0..USERS));
    let (_, manifest) = ground.install(&users(1..USERS));
    let file = ground.file(1, "0.swm.changes");
    let mut octets = fs::read(&file).unwrap();
    let last = octets.len() - 100;
    octets[last] ^= 1;
    let put = |octets: &[u8]| {
        fs::remove_file(&file).unwrap();
        File::create(&file).unwrap().write_all(octets).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    };
    put(&octets);
    assert!(installed::verify(&manifest, &ground.sets[1]).is_err());
    assert_eq!(ground.install(&users(2..USERS)).0, COMPILED);
    // Those of another set.
    let other = fs::read(ground.file(1, "0.swm")).unwrap();
    put(&other);
    let told = installed::keys(&ground.sets[1], artifact(&manifest)).unwrap_err().to_string();
    assert!(told.contains("0.swm.changes: not the file that the manifest names"), "{told}");
    fs::remove_file(&file).unwrap();
    let options = MapOptions { installed: Some(ground.sets[1].clone()), ..ground.options(1) };
    let faults = MapSet::load(&options).unwrap_err().to_string();
    assert!(faults.contains("0.swm.changes"), "{faults}");
}
