//! Hosts, their names and their layers.

use super::*;
use crate::render::{Origins, render};

/// A site in a folder of its own, from its files.
fn site(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Site, Faults>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's own data")]
        std::fs::write(path, text).unwrap();
    }
    let site = Site::load(folder.path());
    (folder, site)
}

const HOSTS: &str = "[facts]\norigin = 'example.org'\n\
                     [[host]]\nname = 'router1.a.example'\nrole = 'router'\naddresses = ['192.0.2.1', '192.0.2.2']\n\
                     [[host]]\nname = 'router1.b.example'\nrole = 'router'\naddresses = ['192.0.2.3']\n\
                     facts = { origin = 'b.example' }\n\
                     [[host]]\nname = 'mx1.a.example'\nrole = 'mx'\naddresses = ['192.0.2.4']\n";

#[test]
fn a_host_is_found_by_its_name_or_its_first_label_if_that_is_its_own() {
    let (_folder, site) = site(&[("site.toml", HOSTS)]);
    let site = site.unwrap();
    assert_eq!(site.host("MX1").unwrap().name.as_str(), "mx1.a.example");
    assert_eq!(site.host("router1.b.example").unwrap().addresses.len(), 1);
    let missing = site.host("router1").unwrap_err().to_string();
    assert!(
        missing.contains("no host `router1`; known here: router1.a.example, router1.b.example"),
        "{missing}"
    );
}

#[test]
fn facts_of_a_host_hold_over_those_of_the_site_and_layers_in_their_order() {
    let (_folder, site) = site(&[
        ("site.toml", HOSTS),
        ("base.toml", "limits = { hops = 60, errors = 1 }"),
        ("role/router.toml", "limits = { hops = 70, recipients = 200 }"),
        ("host/router1.b.example.toml", "limits = { hops = 80 }"),
    ]);
    let site = site.unwrap();
    assert_eq!(site.faults().to_string(), "");
    let settings = |name| match site.settings(site.host(name).unwrap()).unwrap() {
        HostSettings::Router(settings) => settings,
        HostSettings::Mx(_) => panic!("{name} is a router"),
    };
    let (a, b) = (settings("router1.a.example"), settings("router1.b.example"));
    assert_eq!((a.rewrite.origin.as_str(), b.rewrite.origin.as_str()), ("example.org", "b.example"));
    assert_eq!((a.common.limits.session.hops, b.common.limits.session.hops), (70, 80));
    assert_eq!((b.common.limits.session.recipients, b.common.limits.session.errors), (200, 1));
}

#[test]
fn hubs_agree_by_the_etcd_that_the_site_states() {
    let hub = |number: u8| {
        format!("[[host]]\nname = 'hub{number}.a.example'\nrole = 'hub'\naddresses = ['192.0.2.{number}']\n")
    };
    let hubs: String = (1..=3).map(hub).collect();
    let facts = "[facts]\nenvironment = 'live'\netcd_members = ['192.0.2.1:2379', '192.0.2.2:2379']\n";
    let (_folder, site) = site(&[("site.toml", &format!("{facts}{hubs}"))]);
    let site = site.unwrap();
    assert_eq!(site.faults().to_string(), "");
    let document = site.document(site.host("hub2").unwrap(), None).unwrap();
    let text = render(&document, Origins::Hidden);
    assert!(text.contains("peers = [\"[192.0.2.1]:8443\", \"[192.0.2.3]:8443\"]\n"), "{text}");
    assert!(text.contains("members = [\"192.0.2.1:2379\", \"192.0.2.2:2379\"]\n"), "{text}");
}

#[test]
fn a_filter_of_an_outbound_is_told_nothing_that_needs_to_know_whose_mail_it_is() {
    let outbound = "[[host]]\nname = 'out1.a.example'\nrole = 'outbound'\naddresses = ['192.0.2.5']\n";
    let hosts = format!("{HOSTS}{outbound}");
    let layer = "[maps]\nsigning_keys = 'signing_keys'\n[verify]\ndmarc = 'obey'\nseal = 'a.example'\n\
                 [reports]\nfrom = 'r@a.example'\nrelay = '127.0.0.1:25'\n";
    let at_an_outbound = [("site.toml", hosts.as_str()), ("role/outbound/milter.toml", layer)];
    let silent = ("role/router.toml", "[deliver]\nxforward_networks = []\n");
    let (_folder, site) = site(&[&at_an_outbound[..], &[silent]].concat());
    let faults = site.unwrap().faults();
    let lines: Vec<u32> = faults.iter().map(|fault| fault.place.line).collect();
    assert_eq!(lines, [2, 4, 5, 6], "{faults}");
    assert!(faults.iter().all(|fault| fault.place.file.ends_with("role/outbound/milter.toml")), "{faults}");
    assert!(faults.to_string().contains("`maps.signing_keys` is nothing for the filter of an outbound"));

    // So is one that says it to others, and one that is not believed.
    for layer in [
        ("role/router.toml", "[deliver]\nxforward_networks = ['10.9.0.0/16']\n"),
        ("role/outbound.toml", "[relay]\nxforward_networks = ['192.0.2.1']\n"),
    ] {
        let (_folder, site) = self::site(&[&at_an_outbound[..], &[layer]].concat());
        assert_eq!(site.unwrap().faults().iter().count(), 4, "{layer:?}");
    }

    // The suite's own template has routers say it.
    let (_folder, site) = self::site(&at_an_outbound);
    assert_eq!(site.unwrap().faults().to_string(), "");

    let (_folder, site) = self::site(&[
        silent,
        ("site.toml", &hosts),
        ("role/outbound/milter.toml", "[verify]\ndmarc = 'tell'\n"),
        ("role/router/milter.toml", layer),
    ]);
    assert_eq!(site.unwrap().faults().to_string(), "");
}

#[test]
fn what_passes_an_mx_and_a_router_is_reported_by_one_of_them() {
    let layer = "[reports]\nfrom = 'r@a.example'\nrelay = '127.0.0.1:25'\n";
    let (_folder, site) = site(&[("site.toml", HOSTS), ("daemon/milter.toml", layer)]);
    let faults = site.unwrap().faults().to_string();
    assert!(faults.contains("daemon/milter.toml:1:") && faults.contains("reported twice"), "{faults}");

    let (_folder, site) = self::site(&[("site.toml", HOSTS), ("role/mx/milter.toml", layer)]);
    assert_eq!(site.unwrap().faults().to_string(), "");
}

#[test]
fn an_overlay_lies_above_everything() {
    let (_folder, site) = site(&[("site.toml", HOSTS), ("host/mx1.a.example.toml", "limits.hops = 60")]);
    let site = site.unwrap();
    let overlay = Document::parse("overlay", "limits.hops = 70\nmaps.folder = '${host.name}'").unwrap();
    let document = site.document(site.host("mx1").unwrap(), Some(overlay)).unwrap();
    let text = render(&document, Origins::Hidden);
    assert!(text.contains("hops = 70\n") && text.contains("folder = \"mx1.a.example\"\n"), "{text}");
    assert!(text.contains("pool = [\"[192.0.2.1]:25\", \"[192.0.2.3]:25\"]\n"), "first addresses: {text}");
}

#[test]
fn a_folder_that_is_no_site_says_so() {
    let (folder, site) = site(&[]);
    let text = site.unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("{}: cannot be read", folder.path().join("site.toml").display())),
        "{text}"
    );
}
