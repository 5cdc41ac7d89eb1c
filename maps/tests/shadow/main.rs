//! A candidate beside the maps in use: asked with them, never heard, and what it would change counted.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

mod refused;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use switchyard_maps::installed;
use switchyard_maps::shadow::{Differing, Kind, Report, Shadow};
use switchyard_maps::watch::{self, Reload};
use switchyard_maps::{
    Answer, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader, Snapshot, TableSpec,
};
use switchyard_smtp::address::Mailbox;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Only a test that fails waits so long.
const LONG: Duration = Duration::from_secs(60);

fn put(folder: &Path, name: &str, text: &str) {
    File::create(folder.join(name)).unwrap().write_all(text.as_bytes()).unwrap();
}

fn start(options: &MapOptions) -> (MapHandle, Reloader) {
    let metrics = MapMetrics::register(&Registry::new()).unwrap();
    let (set, faults) = MapSet::start(options);
    assert!(faults.is_empty(), "{faults}");
    let handle = MapHandle::with_metrics(set, Some(metrics.clone()));
    (handle.clone(), Reloader::new(handle, options.clone(), metrics, &faults))
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

fn differing(report: &Report, kind: Kind) -> (u64, u64) {
    let Differing { intended, unexpected } = report.differing.get(&kind).copied().unwrap_or_default();
    (intended, unexpected)
}

#[test]
fn a_candidate_is_asked_and_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (live, next) = (folder.path().join("live"), folder.path().join("next"));
    fs::create_dir(&live).unwrap();
    put(&live, "transport", "a.example smtp:[one]\nb.example smtp:[one]\nc.example smtp:[one]\n");
    put(&live, "patterns", "/^list@d\\.example$/ smtp:[lists]\n");
    put(&live, "recipients", "kept@a.example x\ngone@a.example x\n");
    let tables = ["transport", "regexp:patterns"].map(|word| TableSpec::parse(word).unwrap());
    let mut options = MapOptions {
        folder: live,
        candidate: Some(next.clone()),
        ..MapOptions::default().with_file(MapName::Recipients, "recipients")
    };
    options.tables.insert(MapName::Transport, tables.to_vec());
    let (handle, reloader) = start(&options);
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    assert!(handle.shadow().is_none());

    fs::create_dir(&next).unwrap();
    // Meant: b goes elsewhere, c is refused, gone@a goes, a pattern catches all of d. Not meant: everybody else.
    put(
        &next,
        "transport",
        "a.example smtp:[one]\nb.example smtp:[two]\nc.example error:closed\n* smtp:[any]\n",
    );
    put(&next, "patterns", "/@d\\.example$/ smtp:[lists]\n");
    put(&next, "recipients", "kept@a.example x\n");
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    let maps = handle.snapshot();
    for (address, live) in [
        ("x@a.example", Some("smtp:[one]")),
        ("x@b.example", Some("smtp:[one]")),
        ("x@c.example", Some("smtp:[one]")),
        ("list@d.example", Some("smtp:[lists]")),
        ("john@d.example", None),
        ("john@e.example", None),
    ] {
        let answer = match maps.route(&mailbox(address)) {
            Answer::Found(found) => Some(found.value.to_string()),
            Answer::NotFound => None,
            Answer::Unavailable(why) => panic!("{why}"),
        };
        assert_eq!(answer.as_deref(), live, "{address}");
    }
    assert!(matches!(maps.recipient(&mailbox("gone@a.example")), Answer::Found(_)));
    assert!(matches!(maps.recipient(&mailbox("kept@a.example")), Answer::Found(_)));

    let report = handle.shadow().unwrap().report();
    assert_eq!((report.asked, report.same), (8, 3));
    assert_eq!(differing(&report, Kind::Route), (1, 0));
    assert_eq!(differing(&report, Kind::Verdict), (2, 0), "c.example and gone@a.example");
    assert_eq!(differing(&report, Kind::NotFound), (1, 1));
    let surprise = report.examples.iter().find(|example| !example.intended).unwrap();
    assert_eq!((&*surprise.asked, &*surprise.live), ("john@e.example", "not found"));
    assert!(surprise.candidate.starts_with("smtp:[any] ("), "{}", surprise.candidate);

    // A bad candidate is no candidate; one that goes away neither.
    put(&next, "transport", "a.example nonsense:\n");
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    assert!(handle.shadow().is_none());
    fs::remove_dir_all(&next).unwrap();
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    assert!(handle.shadow().is_none());
}

/// A rule is touched where its table says something else, whichever rule of it does.
#[test]
fn a_rule_that_changed_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let (live, next) = (folder.path().join("live"), folder.path().join("next"));
    for (place, networks, patterns) in [
        (&live, "192.0.2.0/24 REJECT\n198.51.100.0/24 OK\n", "/^203\\.0\\.113\\./ OK\n"),
        // Half of the first goes, and the pattern says no.
        (&next, "192.0.2.0/25 REJECT\n198.51.100.0/24 OK\n", "/^203\\.0\\.113\\./ REJECT\n"),
    ] {
        fs::create_dir(place).unwrap();
        put(place, "networks", networks);
        put(place, "patterns", patterns);
    }
    let tables = ["cidr:networks", "regexp:patterns"].map(|word| TableSpec::parse(word).unwrap());
    let mut options = MapOptions { folder: live, candidate: Some(next), ..MapOptions::default() };
    options.tables.insert(MapName::ClientAccess, tables.to_vec());
    let (handle, reloader) = start(&options);
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    let maps = handle.snapshot();
    for client in ["192.0.2.1", "192.0.2.200", "198.51.100.1", "203.0.113.1", "2001:db8::1"] {
        let _ = maps.access_client(None, client.parse().unwrap());
    }
    let report = handle.shadow().unwrap().report();
    let all: Vec<_> = report.examples.iter().map(|one| (&*one.asked, one.intended)).collect();
    assert_eq!(all, [("192.0.2.200", true), ("203.0.113.1", true)], "{report:?}");
}

#[test]
fn what_chance_says_in_both_is_the_same() {
    let draw = "randmap:{ smtp:[one], smtp:[two], error:closed }";
    let transport = (MapName::Transport, "transport");
    let route = |maps: &Snapshot| (0..100).for_each(|_| drop(maps.route(&mailbox("x@b.example"))));
    let drawn = [transport, (MapName::Transport, draw)];
    assert_eq!(beside(&drawn, &drawn, route), []);
    // A change beside it, and another table before it.
    let more = [(MapName::Recipients, "inline:{ b@a.example=x }")];
    assert_eq!(beside(&drawn, &[&drawn[..], &more].concat(), route), []);
    let before = [(MapName::Transport, "inline:{ x@b.example=smtp:[one] }"), drawn[1]];
    let all = beside(&drawn, &before, route);
    assert!(!all.is_empty() && all.iter().all(|(_, is_meant)| *is_meant), "{all:?}");

    let union = "unionmap:{ inline:{ x@b.example=y@b.example }, randmap:{ v@b.example, w@b.example } }";
    let union = [(MapName::VirtualAlias, union)];
    let alias = |maps: &Snapshot| (0..100).for_each(|_| drop(maps.alias(&mailbox("x@b.example"))));
    assert_eq!(beside(&union, &union, alias), []);
}

/// What a candidate of other tables says to a recipient that both know, or one of them: kinds, and whether it was meant.
fn beside(live: &[(MapName, &str)], candidate: &[(MapName, &str)], ask: fn(&Snapshot)) -> Vec<(Kind, bool)> {
    let folder = tempfile::tempdir().unwrap();
    let set = |name: &str, tables: &[(MapName, &str)]| {
        let mut options = MapOptions { folder: folder.path().to_owned(), ..MapOptions::default() };
        for (map, word) in tables {
            options.tables.entry(*map).or_default().push(TableSpec::parse(word).unwrap());
        }
        put(folder.path(), "transport", "a.example smtp:[one]\n");
        let set = folder.path().join(name);
        installed::install(&options, &set).unwrap();
        set
    };
    let options = MapOptions {
        installed: Some(set("live", live)),
        candidate: Some(set("next", candidate)),
        ..MapOptions::default()
    };
    let (handle, reloader) = start(&options);
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    ask(&handle.snapshot());
    let report = handle.shadow().unwrap().report();
    assert!(report.asked > 0);
    let met = |kind| {
        let (intended, unexpected) = differing(&report, kind);
        [(kind, true, intended), (kind, false, unexpected)]
    };
    let met = Kind::ALL.into_iter().flat_map(met).filter(|(.., count)| *count > 0);
    met.map(|(kind, is_meant, _)| (kind, is_meant)).collect()
}

#[test]
fn a_table_that_is_new_or_gone_or_has_another_word_is_meant() {
    let lists = (MapName::VirtualAlias, "regexp:{ {/^list-(.*)@a\\.example$/ $1@a.example} }");
    let alias = |maps: &Snapshot| drop(maps.alias(&mailbox("list-x@a.example")));
    let others = (MapName::VirtualAlias, "inline:{ b@a.example=c@a.example }");
    assert_eq!(beside(&[others], &[others, lists], alias), [(Kind::NotFound, true)]);
    assert_eq!(beside(&[others, lists], &[others], alias), [(Kind::NotFound, true)]);
    // A map of which there was none.
    let other = (MapName::Transport, "transport");
    assert_eq!(beside(&[other], &[other, lists], alias), [(Kind::NotFound, true)]);

    let route = |maps: &Snapshot| drop(maps.route(&mailbox("x@b.example")));
    let words = |one, two| [[other, (MapName::Transport, one)], [other, (MapName::Transport, two)]];
    for (one, two, kind) in [
        ("inline:{ b.example=smtp:[one] }", "inline:{ b.example=smtp:[two] }", Kind::Route),
        ("static:smtp:[one]", "static:smtp:[two]", Kind::Route),
        ("static:smtp:[one]", "static:error:closed", Kind::Verdict),
        ("static:smtp:[one]", "randmap:{ smtp:[two], smtp:[three] }", Kind::Route),
    ] {
        let [one, two] = words(one, two);
        assert_eq!(beside(&one, &two, route), [(kind, true)], "{one:?} {two:?}");
    }
    // The line for everybody is a surprise all the same, and so is a table that fails.
    let [one, two] = words("inline:{ c.example=smtp:[one] }", "inline:{ *=smtp:[one] }");
    assert_eq!(beside(&one, &two, route), [(Kind::NotFound, false)]);
    let [one, two] = words("inline:{ c.example=smtp:[one] }", "fail:closed");
    assert_eq!(beside(&one, &two, route), [(Kind::Unavailable, false)]);
}

#[test]
fn a_rule_whose_value_cannot_be_used_is_never_meant() {
    let folder = tempfile::tempdir().unwrap();
    let (live, next) = (folder.path().join("live"), folder.path().join("next"));
    let rules = ["/^list-(.*)@a\\.example$/ $1@a.example\n", "/^(list-.*@a\\.example)$/ $1@a.example\n"];
    for (place, rule) in [&live, &next].into_iter().zip(rules) {
        fs::create_dir(place).unwrap();
        put(place, "lists", rule);
    }
    let mut options = MapOptions { folder: live, candidate: Some(next), ..MapOptions::default() };
    options.tables.insert(MapName::VirtualAlias, vec![TableSpec::parse("regexp:lists").unwrap()]);
    let (handle, reloader) = start(&options);
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    assert!(matches!(handle.snapshot().alias(&mailbox("list-bob@a.example")), Answer::Found(_)));
    let report = handle.shadow().unwrap().report();
    assert_eq!(differing(&report, Kind::Unavailable), (0, 1), "{report:?}");
}

#[tokio::test]
async fn what_a_candidate_includes_is_looked_at_too() {
    let folder = tempfile::tempdir().unwrap();
    let next = folder.path().join("next");
    fs::create_dir_all(next.join("lists")).unwrap();
    put(folder.path(), "aliases", "team: zero@a.example\n");
    put(&next, "aliases", "team: :include:lists/team\n");
    put(&next, "lists/team", "one@a.example\n");
    let mut options = MapOptions {
        folder: folder.path().into(),
        candidate: Some(next.clone()),
        origin: Some("a.example".parse().unwrap()),
        poll: Duration::from_millis(10),
        ..MapOptions::default()
    };
    options.tables.insert(MapName::VirtualAlias, vec![TableSpec::parse("aliases:aliases").unwrap()]);
    let stop = CancellationToken::new();
    let metrics = MapMetrics::register(&Registry::new()).unwrap();
    let (handle, _reloader) = watch::start(options, metrics, stop.clone()).await.unwrap();
    // A candidate that says the same as the last one is not put in its place.
    let another = async |than: Option<Arc<Shadow>>| loop {
        match (handle.shadow(), &than) {
            (Some(now), None) => return Some(now),
            (Some(now), Some(than)) if !Arc::ptr_eq(&now, than) => return Some(now),
            _ => tokio::task::yield_now().await,
        }
    };
    let first = timeout(LONG, another(None)).await.unwrap();
    put(&next, "lists/team", "another.one@a.example\n");
    timeout(LONG, another(first)).await.unwrap();
    stop.cancel();
}
