//! Sets that are read, and yet not put in use: too much changes at once, or they lead round in a circle.

use switchyard_maps::installed;
use switchyard_maps::watch::{Accepted, PrepareError, Reload};
use switchyard_maps::{Answer, Budget, MapHandle, MapName, MapOptions, MapSet, TableSpec};

use super::{mailbox, put, start};

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
