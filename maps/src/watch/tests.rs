//! Links that lead to sets, and move.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use prometheus::Registry;
use tokio::task;

use super::*;
use crate::installed;
use crate::name::MapName;

fn write(file: &Path, route: &str) {
    writeln!(File::create(file).unwrap(), "a.example smtp:[{route}]").unwrap();
}

fn point(link: &Path, set: &str) {
    let aside = link.with_file_name("aside");
    symlink(set, &aside).unwrap();
    fs::rename(aside, link).unwrap();
}

/// Two sets as an agent has them, the first of which is in use. Whoever goes by them is told of a change, or never sees
/// it.
fn two_sets(folder: &Path) -> MapOptions {
    for set in ["one", "two"] {
        fs::create_dir(folder.join(set)).unwrap();
        let texts = MapOptions { folder: folder.join(set), ..MapOptions::default() }
            .with_file(MapName::Transport, "transport");
        write(&texts.folder.join("transport"), &format!("{set}.example"));
        installed::install(&texts, &texts.folder.join("maps")).unwrap();
    }
    point(&folder.join("current"), "one");
    MapOptions {
        installed: Some(folder.join("current/maps")),
        candidate: Some(folder.join("next/maps")),
        // Who edits a text may take his time, and nobody looks before.
        settle: Duration::from_secs(3600),
        poll: Duration::from_secs(3600),
        ..MapOptions::default()
    }
}

fn metrics() -> MapMetrics {
    MapMetrics::register(&Registry::new()).unwrap()
}

#[tokio::test]
async fn an_installed_set_is_in_use_as_soon_as_the_link_has_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (options, end) = (two_sets(folder.path()), CancellationToken::new());
    let (handle, _reloader) = start(options, metrics(), end.clone()).await.unwrap();
    let mut generations = handle.generations();
    point(&folder.path().join("current"), "two");
    let second = generations.wait_for(|generation| *generation == 2);
    time::timeout(Duration::from_secs(60), second).await.unwrap().unwrap();
    end.cancel();
}

#[tokio::test]
async fn a_candidate_is_asked_as_soon_as_a_link_leads_to_it_and_not_after_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (options, end) = (two_sets(folder.path()), CancellationToken::new());
    let (handle, _reloader) = start(options, metrics(), end.clone()).await.unwrap();
    let is_asked = async |asked: bool| {
        let changes = async {
            while handle.shadow().is_some() != asked {
                task::yield_now().await;
            }
        };
        time::timeout(Duration::from_secs(60), changes).await.unwrap();
    };
    for _ in 0..2 {
        point(&folder.path().join("next"), "two");
        is_asked(true).await;
        fs::remove_file(folder.path().join("next")).unwrap();
        is_asked(false).await;
    }
    end.cancel();
}

#[tokio::test]
async fn a_candidate_that_is_put_in_use_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let options = two_sets(folder.path());
    let [current, next] = ["current", "next"].map(|link| folder.path().join(link));
    point(&next, "two");
    let (set, faults) = MapSet::start(&options);
    let handle = MapHandle::new(set);
    let reloader = Reloader::new(handle.clone(), options, metrics(), &faults);
    reloader.first_look_at_candidate();
    assert!(handle.shadow().is_some());

    let mut watch = Watch::of(&reloader);
    point(&current, "two");
    fs::remove_file(&next).unwrap();
    time::timeout(Duration::from_secs(60), watch.changes.recv()).await.unwrap().unwrap();
    let seen = watch.settle(&reloader).await;
    assert_eq!(reloader.reload(), Ok(Reload::Swapped(2)));
    assert!(handle.shadow().is_none());
    // A later look finds nothing new.
    assert_eq!(look(&reloader.files(), reloader.candidate_files()), seen);
}

#[tokio::test]
async fn a_link_that_moves_while_a_change_settles_is_followed_before_what_it_leads_to_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let point_at = |set: &str| point(&folder.path().join("current"), set);
    for set in ["one", "two"] {
        fs::create_dir_all(folder.path().join(set).join("maps")).unwrap();
        write(&folder.path().join(set).join("maps/transport"), "one.example");
    }
    point_at("one");
    let maps = folder.path().join("current/maps");
    let options = MapOptions { folder: maps, settle: Duration::from_millis(50), ..MapOptions::default() }
        .with_file(MapName::Transport, "transport");
    let (set, faults) = MapSet::start(&options);
    let reloader = Reloader::new(MapHandle::new(set), options, metrics(), &faults);
    let mut watch = Watch::of(&reloader);
    tokio::join!(watch.settle(&reloader), async { point_at("two") });
    // Told later than a change settles, it is told again.
    while watch.changes.try_recv().is_ok() {
        watch.folders.watch();
    }
    let aside = folder.path().join("two/aside");
    write(&aside, "two.example");
    fs::rename(aside, folder.path().join("two/maps/transport")).unwrap();
    time::timeout(Duration::from_secs(60), watch.changes.recv()).await.unwrap().unwrap();
}
