//! Real files, edited as people and agents edit them.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use prometheus::Registry;
use switchyard_maps::watch::{Reload, spawn, start};
use switchyard_maps::{
    Answer, Faults, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader, TableSpec,
};
use tokio::sync::watch::Receiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Only a test that fails waits so long.
const LONG: Duration = Duration::from_secs(60);

fn in_place(file: &Path, text: &str) {
    OpenOptions::new()
        .write(true)
        .truncate(true)
        .create(true)
        .open(file)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

fn by_rename(file: &Path, text: &str) {
    let aside = file.with_extension("new");
    File::create(&aside).unwrap().write_all(text.as_bytes()).unwrap();
    fs::rename(aside, file).unwrap();
}

struct Site {
    reloader: Reloader,
    handle: MapHandle,
    registry: Registry,
}

fn site(folder: &Path, poll: Duration) -> Site {
    let options = MapOptions {
        folder: folder.to_path_buf(),
        settle: Duration::from_millis(5),
        poll,
        ..MapOptions::default()
    }
    .with_file(MapName::Transport, "transport");
    let registry = Registry::new();
    let metrics = MapMetrics::register(&registry).unwrap();
    let (set, faults) = MapSet::start(&options);
    let handle = MapHandle::new(set);
    Site { reloader: Reloader::new(handle.clone(), options, metrics, &faults), handle, registry }
}

impl Site {
    fn route(&self) -> String {
        match self.handle.snapshot().route(&"user@a.example".parse().unwrap()) {
            Answer::Found(found) => found.value.to_string(),
            other => other.label().to_owned(),
        }
    }

    fn metric(&self, name: &str, label: Option<&str>) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metric = family
            .get_metric()
            .iter()
            .find(|metric| {
                label.is_none_or(|label| metric.get_label().iter().any(|pair| pair.value() == label))
            })
            .unwrap();
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }
}

async fn faults_are(faults: &mut Receiver<Faults>, what: &str) {
    let fits = |faults: &Faults| match what {
        "" => faults.is_empty(),
        _ => faults.to_string().contains(what),
    };
    timeout(LONG, faults.wait_for(fits)).await.expect(what).unwrap();
}

async fn generation_is(generations: &mut Receiver<u64>, at_least: u64) {
    timeout(LONG, generations.wait_for(|generation| *generation >= at_least)).await.unwrap().unwrap();
}

#[test]
fn a_bad_set_changes_nothing_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("transport");
    in_place(&file, "a.example smtp:[one.example]\n");
    let site = site(folder.path(), LONG);
    assert_eq!(site.reloader.reload(), Ok(Reload::Unchanged));

    in_place(&file, "a.example smtp:[two.example]\nb.example uucp:x\n");
    for _ in 0..3 {
        let faults = site.reloader.reload().unwrap_err().to_string();
        assert!(faults.contains("/transport:2:11: unknown transport `uucp`"), "{faults}");
    }
    assert_eq!(site.route(), "smtp:[one.example]");
    assert_eq!(site.metric("switchyard_map_swaps_total", Some("refused")), 1.0);
    assert_eq!(site.metric("switchyard_map_load_failed", None), 1.0);

    // An emptied or missing file is no answer either.
    in_place(&file, "");
    assert!(site.reloader.reload().unwrap_err().to_string().contains("the file is empty"));
    fs::remove_file(&file).unwrap();
    assert!(site.reloader.reload().unwrap_err().to_string().contains("cannot be read"));
    assert_eq!(site.route(), "smtp:[one.example]");

    in_place(&file, "a.example smtp:[three.example]\n");
    assert_eq!(site.reloader.reload(), Ok(Reload::Swapped(2)));
    assert_eq!(site.route(), "smtp:[three.example]");
    assert_eq!(site.metric("switchyard_map_load_failed", None), 0.0);
    assert_eq!(site.metric("switchyard_map_generation", None), 2.0);
    assert_eq!(site.metric("switchyard_map_entries", Some("transport")), 1.0);

    assert_eq!(site.reloader.roll_back(), Some(3));
    assert_eq!(site.route(), "smtp:[one.example]");
    assert_eq!(site.metric("switchyard_map_swaps_total", Some("rolled_back")), 1.0);
}

#[tokio::test]
async fn edits_in_place_and_by_rename_go_live() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("transport");
    in_place(&file, "a.example smtp:[one.example]\n");
    // The poll would come too late: what the test sees is what the system told.
    let site = site(folder.path(), 10 * LONG);
    let stop = CancellationToken::new();
    let task = spawn(site.reloader.clone(), stop.clone());
    let mut generations = site.handle.generations();
    let mut faults = site.reloader.faults();

    by_rename(&file, "a.example smtp:[two.example]\n");
    generation_is(&mut generations, 2).await;
    assert_eq!(site.route(), "smtp:[two.example]");
    // An unfinished file may be read on the way; it is refused, and the finished one follows.
    in_place(&file, "a.example smtp:[three.example]\n");
    generation_is(&mut generations, 3).await;
    assert_eq!(site.route(), "smtp:[three.example]");
    by_rename(&file, "a.example nowhere:\n");
    faults_are(&mut faults, "unknown transport `nowhere`").await;
    assert_eq!(site.route(), "smtp:[three.example]");
    fs::remove_file(&file).unwrap();
    faults_are(&mut faults, "cannot be read").await;
    by_rename(&file, "a.example smtp:[four.example]\n");
    faults_are(&mut faults, "").await;
    generation_is(&mut generations, 4).await;
    assert_eq!(site.route(), "smtp:[four.example]");

    stop.cancel();
    timeout(LONG, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_folder_that_is_put_in_place_later_is_found_by_looking() {
    let base = tempfile::tempdir().unwrap();
    let current = base.path().join("current");
    for (name, host) in [("one", "one.example"), ("two", "two.example")] {
        fs::create_dir(base.path().join(name)).unwrap();
        in_place(&base.path().join(name).join("transport"), &format!("a.example smtp:[{host}]\n"));
    }
    let site = site(&current, Duration::from_millis(10));
    assert_eq!(site.route(), "unavailable");
    assert_eq!(site.metric("switchyard_map_load_failed", None), 1.0);
    let stop = CancellationToken::new();
    let task = spawn(site.reloader.clone(), stop.clone());
    let mut generations = site.handle.generations();

    symlink("one", &current).unwrap();
    generation_is(&mut generations, 2).await;
    assert_eq!(site.route(), "smtp:[one.example]");
    // As an agent moves its link: no event in the folder that was watched.
    let aside = base.path().join("next");
    symlink("two", &aside).unwrap();
    fs::rename(aside, &current).unwrap();
    generation_is(&mut generations, 3).await;
    assert_eq!(site.route(), "smtp:[two.example]");

    stop.cancel();
    timeout(LONG, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn included_files_are_watched_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let lists = folder.path().join("lists");
    fs::create_dir_all(lists.join("deep")).unwrap();
    in_place(&folder.path().join("aliases"), "team: :include:lists/team\n");
    in_place(&lists.join("team"), "one@a.example\n");
    // The poll would come too late.
    let mut options = MapOptions { folder: folder.path().into(), poll: 10 * LONG, ..MapOptions::default() };
    options.settle = Duration::from_millis(5);
    options.origin = Some("a.example".parse().unwrap());
    let aliases = TableSpec::parse("aliases:aliases").unwrap();
    options.tables.insert(MapName::VirtualAlias, vec![aliases]);
    let registry = Registry::new();
    let stop = CancellationToken::new();
    let metrics = MapMetrics::register(&registry).unwrap();
    let (handle, reloader) = start(options, metrics, stop.clone()).await.unwrap();
    let mut faults = reloader.faults();
    let says = |what: &str| {
        let text = format!("{:?}", handle.snapshot().alias(&"team@a.example".parse().unwrap()));
        assert!(text.contains(what), "{what}: {text}");
    };
    says("one");
    let mut generations = handle.generations();
    by_rename(&lists.join("team"), "two@a.example\n");
    generation_is(&mut generations, 2).await;
    says("two");
    // A list that comes to be included is watched too, before it is there.
    by_rename(&lists.join("team"), ":include:lists/deep/more\n");
    faults_are(&mut faults, "lists/deep/more").await;
    by_rename(&lists.join("deep/more"), "three@a.example\n");
    generation_is(&mut generations, 3).await;
    says("three");
    in_place(&lists.join("deep/more"), "four@a.example\n");
    generation_is(&mut generations, 4).await;
    says("four");
    stop.cancel();
}

#[tokio::test]
async fn a_link_that_is_moved_above_the_maps_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let point_at = |set: &str| {
        let aside = folder.path().join("aside");
        symlink(set, &aside).unwrap();
        fs::rename(aside, folder.path().join("current")).unwrap();
    };
    for set in ["one", "two", "three"] {
        fs::create_dir_all(folder.path().join(set).join("maps")).unwrap();
        let text = format!("a.example smtp:[{set}.example]\n");
        in_place(&folder.path().join(set).join("maps/transport"), &text);
    }
    point_at("one");
    // The poll would come too late.
    let site = site(&folder.path().join("current/maps"), 10 * LONG);
    let stop = CancellationToken::new();
    let mut generations = site.handle.generations();
    let task = spawn(site.reloader.clone(), stop.clone());
    // Files are read once more when the watch stands.
    for (generation, set) in [(2, "two"), (3, "three")] {
        point_at(set);
        generation_is(&mut generations, generation).await;
        assert_eq!(site.route(), format!("smtp:[{set}.example]"));
    }
    // An edit in the folder that the link has come to is seen too.
    by_rename(&folder.path().join("three/maps/transport"), "a.example smtp:[four.example]\n");
    generation_is(&mut generations, 4).await;
    assert_eq!(site.route(), "smtp:[four.example]");
    stop.cancel();
    timeout(LONG, task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_set_that_was_read_at_the_start_is_in_use_until_an_edit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("transport");
    let next = folder.path().join("next");
    fs::create_dir(&next).unwrap();
    in_place(&file, "a.example smtp:[one.example]\n");
    in_place(&next.join("transport"), "a.example smtp:[two.example]\n");
    let options = MapOptions {
        folder: folder.path().to_path_buf(),
        candidate: Some(next),
        settle: Duration::from_millis(5),
        poll: 10 * LONG,
        ..MapOptions::default()
    }
    .with_file(MapName::Transport, "transport");
    let registry = Registry::new();
    let stop = CancellationToken::new();
    let metrics = MapMetrics::register(&registry).unwrap();
    let (handle, reloader) = start(options, metrics, stop.clone()).await.unwrap();
    let site = Site { reloader, handle, registry };
    assert_eq!(site.route(), "smtp:[one.example]");

    // The candidate is the last thing that is read at the start.
    let candidate = async {
        while site.handle.shadow().is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, candidate).await.unwrap();
    assert_eq!(site.handle.snapshot().generation(), 1);
    let mut generations = site.handle.generations();
    by_rename(&file, "a.example smtp:[three.example]\n");
    generation_is(&mut generations, 2).await;
    assert_eq!(site.route(), "smtp:[three.example]");
    assert_eq!(site.handle.snapshot().generation(), 2);
    stop.cancel();
}

#[tokio::test]
async fn other_files_are_put_in_use_whole_and_watched_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("transport"), folder.path().join("other"));
    in_place(&old, "a.example smtp:[one.example]\n");
    in_place(&new, "a.example uucp:x\n");
    let site = site(folder.path(), 10 * LONG);
    let stop = CancellationToken::new();
    let task = spawn(site.reloader.clone(), stop.clone());
    let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() };
    let other = || MapOptions { settle: Duration::from_millis(5), poll: 10 * LONG, ..options.clone() };

    let same = other().with_file(MapName::Transport, "transport");
    assert!(site.reloader.prepare(same).unwrap().is_none(), "nothing new is nothing to do");
    let wanted = || other().with_file(MapName::Transport, "other");
    let faults = site.reloader.prepare(wanted()).unwrap_err().to_string();
    assert!(faults.contains("/other:1:11: unknown transport `uucp`"), "{faults}");
    assert_eq!(site.route(), "smtp:[one.example]");

    in_place(&new, "a.example smtp:[two.example]\n");
    let prepared = site.reloader.prepare(wanted()).unwrap().unwrap();
    assert_eq!(site.route(), "smtp:[one.example]", "it waits");
    let mut generations = site.handle.generations();
    site.reloader.commit(prepared);
    assert_eq!(site.route(), "smtp:[two.example]");
    // The old file is none of ours any more, and the new one is.
    by_rename(&old, "a.example smtp:[old.example]\n");
    by_rename(&new, "a.example smtp:[three.example]\n");
    generation_is(&mut generations, 3).await;
    assert_eq!(site.route(), "smtp:[three.example]");

    stop.cancel();
    timeout(LONG, task).await.unwrap().unwrap();
}
