//! Aliases of a set that is installed over another one: proved by what changed, and told as ever where they loop.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use switchyard_maps::installed::{self, Followed, InstallError, Installed, Over};
use switchyard_maps::{MapName, MapOptions, MapSet};
use tempfile::TempDir;

/// Folders of texts and of sets.
struct Ground(TempDir);

impl Ground {
    fn place(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Twenty thousand aliases and some more.
    fn aliases(&self, name: &str, more: &str) -> MapOptions {
        let folder = self.place(name);
        fs::create_dir(&folder).unwrap();
        let lines = (0..20_000).map(|number| format!("u{number}@a.example v{number}@b.example\n"));
        let text = lines.collect::<String>() + more;
        File::create(folder.join("alias")).unwrap().write_all(text.as_bytes()).unwrap();
        MapOptions { folder, ..MapOptions::default() }.with_file(MapName::VirtualAlias, "alias")
    }

    fn install(&self, options: &MapOptions, base: Option<&str>, name: &str) -> Result<Installed, String> {
        let over = Over { base: base.map(|base| self.place(base)), ..Over::default() };
        let installed = installed::install_over(options, &self.place(name), &over);
        installed.map_err(|error: InstallError| error.to_string())
    }

    /// How a set was proved, and the most steps of its aliases.
    fn followed(&self, options: &MapOptions, base: &str, name: &str) -> (Followed, usize) {
        let Installed { manifest, followed, .. } = self.install(options, Some(base), name).unwrap();
        (followed.unwrap(), manifest.aliases.unwrap().deepest)
    }
}

#[test]
fn aliases_over_proved_ones_are_proved_by_what_changed() {
    let ground = Ground(tempfile::tempdir().unwrap());
    let first = ground.install(&ground.aliases("1", ""), None, "a").unwrap();
    assert_eq!(first.followed, Some(Followed::All));
    assert_eq!(ground.followed(&ground.aliases("2", ""), "a", "b"), (Followed::Changed, 1));
    let more = ground.aliases("3", "x@a.example u7@a.example\n");
    assert_eq!(ground.followed(&more, "b", "c"), (Followed::Changed, 3));
    let domain = ground.aliases("4", "@a.example x@b.example\n");
    assert_eq!(ground.followed(&domain, "c", "d"), (Followed::All, 1));

    // Whoever opens it takes it as it was proved; whoever reads the text anew beside it comes to the same.
    let opened = MapSet::load(&MapOptions { installed: Some(ground.place("c")), ..more.clone() }).unwrap();
    let over = Over { base: Some(ground.place("c")), ..Over::default() };
    let (beside, faults) = MapSet::start_over(&more, &over);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(beside.get().digest(), opened.get().digest());
    assert_eq!(opened.get().entries(MapName::VirtualAlias), 20_001);
}

#[test]
fn a_loop_over_a_proved_set_is_told_as_ever() {
    let ground = Ground(tempfile::tempdir().unwrap());
    ground.install(&ground.aliases("1", ""), None, "a").unwrap();
    let bad = ground.aliases("2", "v7@b.example u7@a.example\n");
    let told = ground.install(&bad, Some("a"), "b").unwrap_err();
    assert!(told.contains("alias:8:1: alias loop: u7@a.example"), "{told}");
    assert_eq!(ground.install(&bad, None, "c").unwrap_err(), told);
}

#[test]
fn a_base_that_is_damaged_proves_nothing() {
    let ground = Ground(tempfile::tempdir().unwrap());
    let base = ground.install(&ground.aliases("1", ""), None, "a").unwrap().manifest;
    let file = &base.maps["virtual_alias"][0].artifact.as_ref().unwrap().file;
    let file = ground.place("a").join(file);
    let mut octets = fs::read(&file).unwrap();
    let middle = octets.len() / 2;
    octets[middle] ^= 1;
    fs::remove_file(&file).unwrap();
    File::create(&file).unwrap().write_all(&octets).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o444)).unwrap();
    let next = ground.aliases("2", "x@a.example u7@a.example\n");
    assert_eq!(ground.followed(&next, "a", "b"), (Followed::All, 2));
}
