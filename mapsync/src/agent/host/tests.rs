//! Sets of the example site, made for its hosts.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use switchyard_config::example::FILES;
use switchyard_config::reference::Change;
use switchyard_config::{HubSettings, MilterSettings, MxSettings, RouterSettings, Settings as _};
use switchyard_maps::{MapHandle, MapName, MapSet};

use super::*;
use crate::agent::disk::Disk;
use crate::testing::head;

/// A set of the example site, some files of which are others.
async fn set(disk: &Disk, name: &str, host: &str, other: &[(&str, &str)]) -> Result<Made, Unfit> {
    set_over(disk, name, host, other, None).await
}

/// The same over another set.
async fn set_over(
    disk: &Disk,
    name: &str,
    host: &str,
    other: &[(&str, &str)],
    base: Option<&Path>,
) -> Result<Made, Unfit> {
    let files = files(other);
    let known = Known { base, files: &head(1, None, &files).files, ..Known::default() };
    set_of(disk, name, host, &files, known).await
}

/// A set of these files, over what is known.
async fn set_of(
    disk: &Disk,
    name: &str,
    host: &str,
    files: &[(&str, &[u8])],
    known: Known<'_>,
) -> Result<Made, Unfit> {
    let making = disk.begin(name).unwrap();
    for (path, text) in files {
        let path = format!("{SITE}/{path}");
        making.write(&path, text).unwrap();
        // As what was fetched: it is mapped.
        fs::set_permissions(making.path().join(path), Permissions::from_mode(0o444)).unwrap();
    }
    let made = make(&making, host, &disk.current(), known).await?;
    making.finish(b"{}").unwrap();
    Ok(made)
}

/// The example site's, some of which are others.
fn files<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a [u8])> {
    let files: BTreeMap<_, _> =
        FILES.iter().chain(other).map(|(path, text)| (*path, text.as_bytes())).collect();
    files.into_iter().collect()
}

#[tokio::test]
async fn a_host_gets_settings_and_maps_that_its_daemon_reads() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let made = set(&disk, "1-a", "mx1.example.org", &[]).await.unwrap();
    assert_eq!(made.daemon, "mx");
    assert!(made.proof.hold > 3);
    disk.flip("1-a").unwrap();

    let settings = MxSettings::load(&disk.current().join("mx.toml")).unwrap();
    assert_eq!(settings.maps.folder, disk.current().join("site/maps"));
    let (maps, faults) = MapSet::start(&settings.maps);
    assert!(faults.is_empty(), "{faults}");
    let found = MapHandle::new(maps).snapshot().recipient(&"alice@example.org".parse().unwrap());
    assert!(format!("{found:?}").contains("Found"), "{found:?}");
}

#[tokio::test]
async fn a_table_that_did_not_change_is_the_same_file_and_one_that_did_is_as_if_compiled() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let host = "router1.example.org";
    set(&disk, "1-a", host, &[]).await.unwrap();
    let aliases = FILES.iter().find(|(name, _)| *name == "maps/virtual_alias").unwrap().1;
    let aliases = format!("{aliases}more@example.org alice@example.org\n");
    let other = [("maps/virtual_alias", &*aliases)];
    let base = disk.set("1-a");
    let tables = set_over(&disk, "2-b", host, &other, Some(&base)).await.unwrap().tables;
    set(&disk, "3-c", host, &other).await.unwrap();

    let [old, over, fresh] = ["1-a", "2-b", "3-c"].map(|name| disk.set(name).join(MAPS));
    let manifest = installed::manifest(&over).unwrap();
    let (mut same, mut made) = (Vec::new(), Vec::new());
    for (map, entry) in manifest.maps.iter().flat_map(|(map, entries)| entries.iter().map(move |e| (map, e)))
    {
        let Some(artifact) = &entry.artifact else { continue };
        let octets = |set: &Path| fs::read(set.join(&artifact.file)).unwrap();
        assert!(octets(&over) == octets(&fresh), "{map}");
        let file = |set: &Path| fs::metadata(set.join(&artifact.file)).unwrap().ino();
        if file(&over) == file(&old) { same.push(map.as_str()) } else { made.push(map.as_str()) }
    }
    assert_eq!(made, ["virtual_alias"]);
    assert!(same.len() > 1, "{same:?}");
    assert_eq!(tables, Ways { merged: 1, linked: same.len(), ..Ways::default() });
    // The one that it was made over may go.
    disk.remove("1-a").unwrap();
    installed::verify(&manifest, &over).unwrap();
}

#[tokio::test]
async fn a_table_whose_changed_lines_are_known_is_made_of_them_and_not_of_its_text() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let host = "router1.example.org";
    set(&disk, "1-a", host, &[]).await.unwrap();
    let before = FILES.iter().find(|(name, _)| *name == "maps/virtual_alias").unwrap().1;
    let added = "more@example.org alice@example.org\n";
    let after = format!("{before}{added}");
    let signed = head(1, None, &files(&[("maps/virtual_alias", &after)])).files;
    let hash = |text: &str| Hash::of(text.as_bytes());
    let mut edits = Edits::of(*hash(before).as_bytes());
    let lines = before.lines().count() as u64;
    edits.push((lines + 1, lines + 1), None, Some(added.as_bytes())).unwrap();
    edits.end(lines).unwrap();
    let edits = BTreeMap::from([(hash(&after), Arc::new(edits))]);

    // Whoever reads it finds another than the one that was signed, and says so.
    let mut unread = files(&[("maps/virtual_alias", "x".repeat(after.len()).leak())]);
    // They are asked of other hosts, too, whose tables of it are compiled.
    unread.retain(|(path, _)| !path.starts_with("behaviours/"));
    let base = disk.set("1-a");
    let known = |edits| Known { base: Some(&base), files: &signed, edits, ..Known::default() };
    let unfit = set_of(&disk, "2-b", host, &unread, known(BTreeMap::new())).await.unwrap_err();
    assert!(unfit.to_string().contains("maps/virtual_alias"), "{unfit}");
    let tables = set_of(&disk, "3-c", host, &unread, known(edits)).await.unwrap().tables;
    assert_eq!((tables.compiled, tables.merged + tables.layered), (0, 1));

    disk.flip("3-c").unwrap();
    let (maps, faults) =
        MapSet::start(&RouterSettings::load(&disk.current().join("router.toml")).unwrap().maps);
    assert!(faults.is_empty(), "{faults}");
    let found = MapHandle::new(maps).snapshot().alias(&"more@example.org".parse().unwrap());
    assert!(format!("{found:?}").contains("alice"), "{found:?}");
}

#[tokio::test]
async fn a_filter_beside_it_has_settings_and_maps_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let host = "router1.example.org";
    let layer = |dmarc: &str| format!("[maps]\nsender_headers = 'added'\n[verify]\ndmarc = '{dmarc}'\n");
    let files =
        |layer: &'static str| [("role/router/milter.toml", layer), ("maps/added", "<> add X-Report: yes\n")];
    let (tell, obey) = (layer("tell").leak(), layer("obey").leak());
    let made = set(&disk, "1-a", host, &files(tell)).await.unwrap();
    assert_eq!(made.daemon, "router", "the one of its role is the one that is watched");
    disk.flip("1-a").unwrap();
    let settings = MilterSettings::load(&disk.current().join("milter.toml")).unwrap();
    let (maps, faults) = MapSet::start(&settings.maps);
    assert!(faults.is_empty(), "{faults}");
    assert_eq!(settings.maps.installed, Some(disk.current().join("maps-milter")));
    assert_eq!(maps.get().entries(MapName::SenderHeaders), 1);
    let router = RouterSettings::load(&disk.current().join("router.toml")).unwrap();
    assert_eq!(router.maps.installed, Some(disk.current().join("maps")));

    set(&disk, "2-b", host, &files(obey)).await.unwrap();
    let changes = changes(&disk.set("1-a"), &disk.set("2-b"), host, &disk.current()).unwrap();
    let told: Vec<_> = changes.iter().map(|(daemon, change)| (*daemon, change.path.as_str())).collect();
    assert_eq!(told, [(Daemon::Milter, "verify.dmarc")]);
    let bad = [("role/router/milter.toml", &*tell), ("maps/added", "<> add Received: no\n")];
    let unfit = set(&disk, "3-c", host, &bad).await.unwrap_err().to_string();
    assert!(unfit.contains("maps/added:1:"), "{unfit}");
}

#[tokio::test]
async fn a_hub_s_own_host_gets_its_settings_and_no_maps() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let site = FILES.iter().find(|(name, _)| *name == "site.toml").unwrap().1;
    let hub = "[[host]]\nname = 'hub1.example.org'\nrole = 'hub'\naddresses = ['192.0.2.41']\n";
    let site = format!("{}\n{hub}", site.replacen("[facts]", "[facts]\nenvironment = 'live'", 1));
    let files = |limits: &'static str| [("site.toml", site.as_str()), ("role/hub.toml", limits)];
    let (host, limits) = ("hub1.example.org", "[limits]\nstore_size = '3GB'\n");
    let made = set(&disk, "1-a", host, &files("")).await.unwrap();
    assert_eq!((made.role, made.daemon), ("hub", "hub"));
    assert_eq!(made.control, Some("/run/switchyard-hub/control.sock".into()));
    disk.flip("1-a").unwrap();
    let settings = HubSettings::load(&disk.current().join("hub.toml")).unwrap();
    assert_eq!(settings.host_name.as_str(), host);
    assert!(!disk.current().join("maps").exists() && !disk.current().join("agent.toml").exists());

    set(&disk, "2-b", host, &files(limits)).await.unwrap();
    let changes = changes(&disk.set("1-a"), &disk.set("2-b"), host, &disk.current()).unwrap();
    let told: Vec<_> = changes.iter().map(|(daemon, change)| (*daemon, change.path.as_str())).collect();
    assert_eq!(told, [(Daemon::Hub, "limits.store_size")]);
    let bad = set(&disk, "3-c", host, &files("[limits]\nstore_sise = 1\n")).await.unwrap_err().to_string();
    assert!(bad.contains("role/hub.toml:2:1: unknown key `store_sise`"), "{bad}");
}

#[tokio::test]
async fn what_no_host_can_run_by_is_refused_with_the_reason() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let told = |result: Result<Made, Unfit>| result.unwrap_err().to_string();
    let transport = |text: &'static str| [("maps/transport", text)];
    let bad = told(set(&disk, "1-a", "router1.example.org", &transport("example.org lmtp:@nobody\n")).await);
    assert!(bad.contains("maps/transport:1:") && bad.contains("unknown pool `nobody`"), "{bad}");
    let bad =
        told(set(&disk, "1-b", "mx1.example.org", &transport("example.org smtp:[else.example]\n")).await);
    assert!(bad.starts_with("behaviour \"mail for a mailbox"), "{bad}");
    let bad = told(set(&disk, "1-c", "mx7.example.org", &[]).await);
    assert!(bad.contains("no host `mx7.example.org`"), "{bad}");
    let bad = told(set(&disk, "1-d", "mx1.example.org", &[("site.toml", "[facts")]).await);
    assert!(bad.contains("site.toml:1:"), "{bad}");
    for name in ["1-a", "1-b", "1-c", "1-d"] {
        assert!(!disk.set(name).exists(), "{name} is cleared away");
    }
}

#[tokio::test]
async fn a_behaviour_that_nobody_answers_is_not_one_that_fails() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let role = FILES.iter().find(|(name, _)| *name == "role/router.toml").unwrap().1;
    let away = "virtual_alias = 'socketmap:inet:127.0.0.1:9:aliases'";
    let role = format!("{role}\n[maps]\n{away}\n");
    let unfit = set(&disk, "1-a", "router1.example.org", &[("role/router.toml", &role)]).await.unwrap_err();
    assert!(matches!(unfit, Unfit::Unasked(_)), "{unfit}");
    let told = unfit.to_string();
    assert!(told.contains("could not be asked: ") && told.contains("127.0.0.1:9"), "{told}");
    // One that fails as well is a refusal.
    let nobody = ("maps/recipients", "nobody@example.org\n");
    let role = ("role/router.toml", role.as_str());
    let unfit = set(&disk, "1-b", "router1.example.org", &[role, nobody]).await.unwrap_err();
    assert!(matches!(unfit, Unfit::Behaviours(_)), "{unfit}");
}

#[tokio::test]
async fn a_generation_that_changes_no_setting_changes_no_octet_of_the_settings() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(root.path()).unwrap();
    let host = "router1.example.org";
    set(&disk, "1-a", host, &[]).await.unwrap();
    let aliases = FILES.iter().find(|(name, _)| *name == "maps/virtual_alias").unwrap().1;
    let aliases = format!("{aliases}\nmore@example.org alice@example.org\n");
    set(&disk, "2-b", host, &[("maps/virtual_alias", &aliases)]).await.unwrap();
    let settings = |set: &str| fs::read(disk.set(set).join("router.toml")).unwrap();
    assert_eq!(settings("1-a"), settings("2-b"));
    let between =
        |old: &str, new: &str| changes(&disk.set(old), &disk.set(new), host, &disk.current()).unwrap();
    assert!(between("1-a", "2-b").is_empty());

    let role = FILES.iter().find(|(name, _)| *name == "role/router.toml").unwrap().1;
    let role = format!("{role}\n[limits]\nhops = 60\n[spool]\nfolder = '/srv/spool'\n");
    set(&disk, "3-c", host, &[("role/router.toml", &role)]).await.unwrap();
    let changes = between("2-b", "3-c");
    let told: Vec<(&str, Change)> =
        changes.iter().map(|(_, change)| (change.path.as_str(), change.change)).collect();
    assert_eq!(told, [("limits.hops", Change::Live), ("spool.folder", Change::Restart)]);
}
