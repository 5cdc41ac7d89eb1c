//! Settings files as data: what each role renders to, and what each bad file is told.
//!
//! `UPDATE=1 cargo test -p switchyard-config` writes the expected files anew; read the difference before
//! it is committed.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};

use switchyard_config::document::Document;
use switchyard_config::reference::Setting;
use switchyard_config::render::{Origins, render};
use switchyard_config::{Faults, MilterSettings, MxSettings, RouterSettings, Settings, Site};

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.to_str().unwrap().ends_with(ending));
    files.sort();
    assert!(!files.is_empty(), "no {ending} in {folder}");
    files
}

/// The differing file, if any.
fn compare(path: &Path, is: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, is).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    (expected != is).then(|| format!("--- {}\n{expected}\n--- is\n{is}", path.display()))
}

#[test]
fn each_role_renders_as_expected() {
    let site = Site::load(Path::new("tests/golden/site")).unwrap();
    let mut different = Vec::new();
    for host in &site.hosts {
        for daemon in site.daemons(host) {
            let document = site.document_of(host, daemon, None).unwrap();
            let name = host.short_name();
            // One that stands beside another is the same on every host, but for names.
            let (name, origins) = match daemon == host.role.runs() {
                true => (name.to_owned(), [Origins::Hidden, Origins::Shown].as_slice()),
                false => (format!("{name}.{}", daemon.as_str()), [Origins::Hidden].as_slice()),
            };
            for shown in origins {
                let ending = if *shown == Origins::Shown { "origins.toml" } else { "toml" };
                let path = PathBuf::from(format!("tests/golden/{name}.{ending}"));
                different.extend(compare(&path, &render(&document, *shown)));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn what_is_rendered_is_what_the_daemon_takes() {
    let site = Site::load(Path::new("tests/golden/site")).unwrap();
    for host in &site.hosts {
        for daemon in site.daemons(host) {
            let document = site.document_of(host, daemon, None).unwrap();
            let read = Document::parse("rendered", &render(&document, Origins::Shown)).unwrap();
            let (rendered, own) = (daemon.effective(&read, None), daemon.effective(&document, None));
            assert_eq!(rendered.unwrap(), own.unwrap(), "{} of {}", daemon.as_str(), host.name);
        }
    }
}

#[test]
fn a_bad_file_is_told_everything_that_is_wrong_with_it() {
    let mut different = Vec::new();
    for path in files("tests/bad", ".toml") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let faults: Faults = match name.split('-').next() {
            Some("mx") => MxSettings::load(&path).unwrap_err(),
            Some("milter") => MilterSettings::load(&path).unwrap_err(),
            Some("router") => RouterSettings::load(&path).unwrap_err(),
            _ => panic!("{name} names no daemon"),
        };
        different.extend(compare(&path.with_extension("expected"), &format!("{faults}\n")));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_bad_site_is_told_everything_that_is_wrong_with_it() {
    let mut different = Vec::new();
    for path in files("tests/bad", ".site") {
        let faults = match Site::load(&path) {
            Ok(site) => site.faults(),
            Err(faults) => faults,
        };
        assert!(!faults.is_empty(), "{} is fine", path.display());
        different.extend(compare(&path.with_extension("expected"), &format!("{faults}\n")));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_example_site_and_the_example_of_a_host_are_fine() {
    let site = Site::load(Path::new("templates/example-site")).unwrap();
    assert_eq!(site.faults().to_string(), "");
    let overlay = Document::load(Path::new("templates/host/example.toml")).unwrap();
    let document = site.document(site.host("mx1").unwrap(), Some(overlay)).unwrap();
    assert_eq!(MxSettings::from_document(&document, None).unwrap().common.limits.sessions, 2000);
}

/// The declarations themselves: each documented, each default within its own bounds.
#[test]
fn every_setting_is_declared_well() {
    for (reference, minimal) in [(MxSettings::reference(), MX), (RouterSettings::reference(), ROUTER)] {
        let mut paths: Vec<&str> = reference.iter().map(|setting| setting.path.as_str()).collect();
        paths.sort_unstable();
        let count = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), count, "a setting is declared twice");
        for setting in &reference {
            assert!(
                setting.doc.ends_with('.') && setting.doc.len() > 10,
                "{}: {}",
                setting.path,
                setting.doc
            );
        }
        // Every default, written out, is taken and changes nothing.
        let written = with_defaults(minimal, &reference);
        if minimal == MX {
            assert_eq!(
                MxSettings::parse("all", &written),
                MxSettings::parse("minimal", minimal),
                "{written}"
            );
        } else {
            assert_eq!(
                RouterSettings::parse("all", &written),
                RouterSettings::parse("minimal", minimal),
                "{written}"
            );
        }
    }
}

const MX: &str = "host_name = 'mx.example.org'\nlisten.smtp = [{ socket = '127.0.0.1:25' }]\n\
                  maps.folder = '/m'\nmaps.relay_domains = 'd'\nrouters.pool = ['192.0.2.1:25']\n";
const ROUTER: &str = "host_name = 'router.example.org'\nlisten.smtp = [{ socket = '127.0.0.1:25' }]\n";

fn with_defaults(minimal: &str, reference: &[Setting]) -> String {
    let mut text = minimal.to_owned();
    for Setting { path, default, .. } in reference {
        if let (Some(default), false) = (default, path.contains("[]") || path.contains("NAME")) {
            text.push_str(&format!("{path} = {default}\n"));
        }
    }
    text
}

#[test]
fn relative_paths_are_seen_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mx.toml");
    let text = format!("{MX}tls = {{ certificate = 'a.pem', key = '/b.pem' }}\n").replace("/m", "maps");
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    std::fs::write(&path, text).unwrap();
    let settings = MxSettings::load(&path).unwrap();
    let tls = settings.common.tls.unwrap();
    assert_eq!((tls.chain, tls.key), (folder.path().join("a.pem"), PathBuf::from("/b.pem")));
    assert_eq!(settings.maps.folder, folder.path().join("maps"));
}
