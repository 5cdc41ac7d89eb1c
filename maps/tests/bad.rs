//! Bad maps as test data: `bad/<map>-<what>.map` beside `bad/<map>-<what>.expected`, one fault a line.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use switchyard_maps::{Answer, Faults, MapName, MapOptions, MapSet};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn options(map: MapName, folder: &Path, file: &str) -> MapOptions {
    let options = MapOptions {
        folder: folder.to_path_buf(),
        recipient_delimiter: "+".to_owned(),
        pools: BTreeSet::from(["inside".to_owned()]),
        ..MapOptions::default()
    };
    options.with_file(map, file)
}

/// The faults as the log has them, without the folder.
fn faults(map: MapName, folder: &Path, file: &str) -> Vec<String> {
    let faults = MapSet::load(&options(map, folder, file)).map(drop).expect_err(file);
    let start = format!("{}/{file}:", folder.display());
    faults
        .to_string()
        .lines()
        .map(|line| line.strip_prefix(&start).unwrap_or(line).trim().to_owned())
        .collect()
}

#[test]
fn a6_every_bad_map_is_refused_with_all_that_is_wrong() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "map") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let map = MapName::ALL.into_iter().find(|map| name.starts_with(map.as_str())).expect(name);
        let expected = fs::read_to_string(path.with_extension("expected")).expect(name);
        assert_eq!(faults(map, &folder(), name), expected.lines().collect::<Vec<_>>(), "{name}");
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = faults(MapName::Transport, folder.path(), "missing");
    assert!(missing[0].starts_with("cannot be read: No such file"), "{missing:?}");
    fs::create_dir(folder.path().join("folder")).unwrap();
    assert_eq!(faults(MapName::Transport, folder.path(), "folder"), ["cannot be read: not a file"]);
}

#[test]
fn a_file_of_the_wrong_kind_is_told_once_and_counted() {
    let text = "not a map\n".repeat(5_000);
    let faults = MapSet::from_texts(&MapOptions::default(), &[(MapName::Transport, &text)]).unwrap_err();
    assert_eq!((faults.len(), faults.iter().count()), (5_000, Faults::LIMIT));
    assert!(faults.to_string().ends_with("and 4800 more"));
}

#[test]
fn at_the_start_a_bad_map_is_unavailable_and_the_others_answer() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("domains"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"a.example\n"))
        .unwrap();
    let options =
        options(MapName::Recipients, folder.path(), "recipients").with_file(MapName::RelayDomains, "domains");
    let (set, faults) = MapSet::start(&options);
    assert_eq!(faults.len(), 1);
    let maps = switchyard_maps::MapHandle::new(set).snapshot();
    let unavailable = match maps.recipient(&"user@a.example".parse().unwrap()) {
        Answer::Unavailable(unavailable) => unavailable.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(unavailable.starts_with("the recipients map is unavailable: "), "{unavailable}");
    assert!(matches!(maps.is_relay_domain(&"a.example".parse().unwrap()), Answer::Found(_)));
    assert!(maps.has(MapName::Recipients));
}
