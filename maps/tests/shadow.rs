//! A candidate beside the maps in use: asked with them, never heard, and what it would change counted.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use switchyard_maps::installed;
use switchyard_maps::shadow::{Differing, Kind, Report, Shadow};
use switchyard_maps::watch::{self, Accepted, PrepareError, Reload};
use switchyard_maps::{
    Answer, Budget, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader, Snapshot, TableSpec,
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

#[test]
fn a_set_over_its_budget_waits_for_the_operators_word() {
    let folder = tempfile::tempdir().unwrap();
    let text = |keys: u32| (0..keys).map(|key| format!("host{key}.example smtp:[a]\n")).collect::<String>();
    put(folder.path(), "transport", &text(2_000));
    let options = MapOptions { folder: folder.path().to_owned(), ..MapOptions::default() }
        .with_file(MapName::Transport, "transport");
    let (handle, reloader) = start(&options);
    assert_eq!(reloader.accept(), None);

    put(folder.path(), "transport", &text(1_000));
    let faults = reloader.reload().unwrap_err();
    assert!(faults.to_string().contains("1000 of its 2000 keys would be gone at once"), "{faults}");
    assert_eq!(handle.snapshot().entries(MapName::Transport), 2_000);
    assert!(!reloader.faults().borrow().is_empty());

    assert_eq!(reloader.accept(), Some(Accepted::InUse(2)));
    assert_eq!(handle.snapshot().entries(MapName::Transport), 1_000);
    assert!(reloader.faults().borrow().is_empty());
    assert_eq!(reloader.accept(), None);
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));

    // One that waits is forgotten when the files say something else.
    put(folder.path(), "transport", "# none\n");
    assert!(reloader.reload().is_err());
    put(folder.path(), "transport", &text(1_001));
    assert_eq!(reloader.reload(), Ok(Reload::Swapped(3)));
    assert_eq!(reloader.accept(), None);
    // And so it is when they say again what is in use.
    put(folder.path(), "transport", "# none\n");
    assert!(reloader.reload().is_err());
    put(folder.path(), "transport", &text(1_001));
    assert_eq!(reloader.reload(), Ok(Reload::Unchanged));
    assert_eq!(reloader.accept(), None);
    assert_eq!(handle.snapshot().entries(MapName::Transport), 1_001);
}

#[test]
fn l2_a_route_to_this_host_itself_is_a_loop() {
    let own = [("mx.example".to_owned(), 25), ("192.0.2.1".to_owned(), 25)].into();
    let options = MapOptions { own, ..MapOptions::default() };
    let load = |text: &str| MapSet::from_texts(&options, &[(MapName::Transport, text)]).map(drop);
    for text in [
        "a.example smtp:[mx.example]\n",
        "a.example smtp:[192.0.2.1]:25\n",
        "a.example smtp:[b], MX.example\n",
    ] {
        let faults = load(text).unwrap_err().to_string();
        assert!(faults.contains("route loop: "), "{faults}");
    }
    for text in ["a.example smtp:[mx.example]:26\n", "a.example lmtp:[mx.example]\n", "mx.example smtp:[b]\n"]
    {
        assert!(load(text).is_ok(), "{text}");
    }
}

/// What a pattern puts into a route is known when somebody asks; what stands in an installed set may have been
/// checked by another host's settings.
#[test]
fn l2_a_route_to_this_host_itself_is_a_loop_wherever_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "patterns", "/^(.*)@a\\.example$/ smtp:[$1.example]\n");
    put(folder.path(), "transport", "b.example smtp:[mx.example]\n");
    let own = [("mx.example".to_owned(), 25)].into();
    let tables = |word: &str| [(MapName::Transport, vec![TableSpec::parse(word).unwrap()])].into();
    let there = MapOptions {
        folder: folder.path().to_owned(),
        tables: tables("regexp:patterns"),
        ..MapOptions::default()
    };
    let here = MapOptions { own, ..there.clone() };
    let maps = MapHandle::new(MapSet::load(&here).unwrap()).snapshot();
    assert!(matches!(maps.route(&mailbox("gw@a.example")), Answer::Found(_)));
    let Answer::Unavailable(why) = maps.route(&mailbox("mx@a.example")) else { panic!() };
    assert!(why.to_string().contains("patterns:1"), "{why}");

    let set = folder.path().join("set");
    installed::install(&MapOptions { tables: tables("transport"), ..there }, &set).unwrap();
    let faults = MapSet::load(&MapOptions { installed: Some(set), ..here }).unwrap_err().to_string();
    assert!(faults.contains("transport: `smtp:[mx.example]`: route loop: "), "{faults}");
}

/// Who pushes the tables may know filters that this daemon's settings do not name, or do not name yet: the set before
/// goes on.
#[test]
fn an_installed_set_that_names_a_filter_unknown_here_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "clients", "192.0.2.7 MILTERS sign\n198.51.100.7 MILTERS spam\n");
    let there = MapOptions {
        folder: folder.path().to_owned(),
        tables: [(MapName::ClientAccess, vec![TableSpec::parse("clients").unwrap()])].into(),
        milters: ["sign".to_owned(), "spam".to_owned()].into(),
        ..MapOptions::default()
    };
    let set = folder.path().join("set");
    installed::install(&there, &set).unwrap();
    let there = MapOptions { installed: Some(set), ..there };
    let here = MapOptions { milters: ["sign".to_owned()].into(), ..there.clone() };
    assert!(MapSet::load(&there).is_ok());
    let faults = MapSet::load(&here).unwrap_err().to_string();
    assert!(
        faults.contains("clients: `MILTERS spam`: unknown filter `spam`; the settings name sign"),
        "{faults}"
    );
}

fn many(host: &str) -> String {
    (0..300).map(|number| format!("host{number}.example smtp:[{host}]\n")).collect()
}

#[test]
fn other_settings_that_change_too_much_wait_for_the_operators_word() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "transport", &many("one.example"));
    put(folder.path(), "other", "a.example smtp:[two.example]\n");
    let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() };
    let (handle, reloader) = start(&options.clone().with_file(MapName::Transport, "transport"));
    let wanted = || options.clone().with_file(MapName::Transport, "other");
    assert_eq!(reloader.accept(), None, "nothing waits");

    for _ in 0..2 {
        let error = reloader.prepare(wanted()).unwrap_err();
        assert!(matches!(error, PrepareError::TooMuch(_)), "{error}");
        assert!(error.to_string().contains("300 of its 300 keys would be gone at once"), "{error}");
    }
    // The word is for what was refused, and for nothing else.
    assert_eq!(reloader.accept(), Some(Accepted::ForSettings));
    put(folder.path(), "other", "b.example smtp:[three.example]\n");
    reloader.prepare(wanted()).unwrap_err();
    assert_eq!(reloader.accept(), Some(Accepted::ForSettings));
    assert_eq!(handle.snapshot().generation(), 1, "it comes with the settings only");
    let prepared = reloader.prepare(wanted()).unwrap().unwrap();
    reloader.commit(prepared);
    assert_eq!(handle.snapshot().generation(), 2);
    assert_eq!(reloader.accept(), None, "the word was used");
}

#[test]
fn settings_that_raise_the_budget_need_no_other_word() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "transport", &many("one.example"));
    put(folder.path(), "other", "a.example smtp:[two.example]\n");
    let options = MapOptions { folder: folder.path().into(), ..MapOptions::default() };
    let (_handle, reloader) = start(&options.clone().with_file(MapName::Transport, "transport"));
    let budget = Budget { removed: 100, ..Budget::default() };
    reloader
        .prepare(MapOptions { budget, ..options }.with_file(MapName::Transport, "other"))
        .unwrap()
        .unwrap();
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
