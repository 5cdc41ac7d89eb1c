//! `switchyard import postfix` as a person runs it: three configurations of other people's, and what goes wrong.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod postmap;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use switchyard_config::Site;
use switchyard_config::site::{HostSettings, Role};
use switchyard_config::{MxSettings, RouterSettings};

fn switchyard(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_switchyard")).args(arguments).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

fn write(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    std::fs::write(path, text).unwrap();
}

/// An imported site, with what was told of it.
struct Imported {
    /// Keeps the site until the test ends.
    _folder: tempfile::TempDir,
    site: PathBuf,
    told: Value,
}

impl Imported {
    fn of(source: &Path, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        let mut words = vec!["import", "postfix", source.to_str().unwrap(), "--json", "--out"];
        words.push(site.to_str().unwrap());
        words.extend(arguments);
        let output = switchyard(&words);
        let told: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let check = switchyard(&["check", site.to_str().unwrap()]);
        assert_eq!(check.status.code(), Some(0), "{}", text(&check.stderr));
        Self { _folder: folder, site, told }
    }

    fn example(name: &str) -> Self {
        Self::of(&example(name), &[])
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.site.join(file)).unwrap()
    }

    fn notes(&self) -> impl Iterator<Item = &Value> {
        self.told["notes"].as_array().unwrap().iter()
    }

    /// What became of a setting, or of its first word with this start.
    fn fate(&self, setting: &str, value: &str) -> &str {
        let said =
            |note: &&Value| note["setting"] == setting && note["value"].as_str().unwrap().starts_with(value);
        let note = self.notes().find(said).unwrap_or_else(|| panic!("no word about {setting} {value}"));
        note["fate"].as_str().unwrap()
    }

    /// What became of a table's line.
    fn line(&self, file: &str, line: u64) -> &Value {
        let said = |note: &&Value| note["file"] == file && note["line"] == line;
        self.notes().find(said).unwrap_or_else(|| panic!("no word about {file}:{line}"))
    }

    fn settings(&self, role: Role) -> HostSettings {
        let site = Site::load(&self.site).unwrap();
        let host = site.hosts.iter().find(|host| host.role == role).unwrap();
        site.settings(host).unwrap()
    }

    fn mx(&self) -> MxSettings {
        match self.settings(Role::Mx) {
            HostSettings::Mx(settings) => *settings,
            HostSettings::Router(_) => panic!("a router"),
        }
    }

    fn router(&self) -> RouterSettings {
        match self.settings(Role::Router) {
            HostSettings::Router(settings) => *settings,
            HostSettings::Mx(_) => panic!("an mx"),
        }
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postfix").join(name)
}

/// The parameters that a main.cf sets.
fn parameters(folder: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder.join("main.cf")).unwrap();
    let starts = |line: &&str| !line.starts_with([' ', '\t', '#']);
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    text.lines().filter(starts).filter_map(name).collect()
}

#[test]
fn no_parameter_is_without_a_word() {
    for name in ["relay-mx", "hosting", "smarthost"] {
        let imported = Imported::example(name);
        let told: BTreeSet<String> =
            imported.notes().map(|note| note["setting"].as_str().unwrap().to_owned()).collect();
        let silent: Vec<_> = parameters(&example(name)).difference(&told).cloned().collect();
        assert_eq!(silent, [""; 0], "{name}");
        for note in imported.notes() {
            assert!(!note["what"].as_str().unwrap().is_empty(), "{note}");
            if note["setting"] != "" && note["file"] == "main.cf" {
                assert!(note["line"].as_u64().is_some(), "{note}");
            }
        }
        let report = imported.read("IMPORT.md");
        assert!(report.contains("## Not carried over") && report.contains("## Tables"), "{report}");
    }
}

#[test]
fn a_relay_becomes_an_mx_before_a_router() {
    let imported = Imported::example("relay-mx");
    let (mx, router) = (imported.mx(), imported.router());
    assert_eq!(mx.common.host_name.as_str(), "mx1.example.org");
    assert_eq!(mx.common.listen.len(), 2);
    let parents = &mx.maps.parent_domain_matches_subdomains;
    assert!(parents.contains(&switchyard_maps::MapName::RelayDomains), "{parents:?}");
    assert!(!parents.contains(&switchyard_maps::MapName::RecipientAccess), "no table of it");
    assert_eq!(imported.read("maps/domains").lines().filter(|line| line.starts_with('.')).count(), 0);
    let (pool, inner) = (mx.routers.pool[0].to_string(), router.common.listen[0].socket.to_string());
    assert_eq!((pool.as_str(), inner.as_str()), ("127.0.0.1:2526", "systemd:smtp"));
    assert!(imported.read("role/router.toml").contains(&format!("listen on {pool}")), "its socket unit does");
    assert_eq!(router.deliver.helo_name.as_str(), "mx1.example.org");
    assert_eq!(mx.common.limits.session.message_size, 50 << 20);
    assert_eq!(mx.common.limits.sessions_per_network, 20);
    assert_eq!(router.queue.queue_lifetime.as_secs(), 3 * 86_400);
    assert_eq!(mx.common.tls.unwrap().chain, Path::new("/etc/ssl/mx1.pem"));
    assert!(router.relay.networks.iter().any(|net| net.to_string() == "198.51.100.0/24"));

    assert_eq!(imported.fate("relay_recipient_maps", ""), "carried");
    assert_eq!(imported.fate("smtpd_recipient_restrictions", "check_client_access"), "carried");
    assert_eq!(imported.fate("smtpd_recipient_restrictions", "reject_unauth_destination"), "not needed");
    assert_eq!(imported.fate("smtpd_recipient_restrictions", "reject_rbl_client"), "not carried");
    assert_eq!(imported.fate("smtpd_milters", ""), "not carried");
    assert_eq!(imported.fate("local_transport", ""), "not needed");

    // Texts are as they were, but for lines that do not mean anything here.
    assert_eq!(
        imported.read("maps/clients.cidr"),
        std::fs::read_to_string(example("relay-mx/clients.cidr")).unwrap()
    );
    let transport = imported.read("maps/transport");
    assert!(transport.contains("customer-b.example      smtp:mail.customer-b.example\n"), "{transport}");
    assert!(transport.contains("# not imported: lists.example.org       mailman:\n"), "{transport}");
    assert_eq!(
        imported.line("maps/transport", 4)["what"],
        "written as `smtp:mail.customer-b.example`, which is the word here"
    );
    assert!(
        imported.line("maps/transport", 6)["what"].as_str().unwrap().contains("unknown transport `mailman`")
    );
    assert!(imported.line("maps/sender_access", 3)["what"].as_str().unwrap().contains("`FILTER`"));
}

#[test]
fn a_hosting_site_keeps_its_aliases_and_mailboxes() {
    let imported = Imported::example("hosting");
    let (mx, router) = (imported.mx(), imported.router());
    let parents = &mx.maps.parent_domain_matches_subdomains;
    assert!(!parents.contains(&switchyard_maps::MapName::RelayDomains), "there are no relay domains");
    assert!(parents.contains(&switchyard_maps::MapName::ClientAccess));
    assert_eq!(router.rewrite.origin.as_str(), "hosting.example", "out of /etc/mailname");
    assert_eq!(mx.maps.recipient_delimiter, "+");
    assert_eq!(imported.fate("virtual_transport", ""), "carried");
    let routes = imported.read("maps/virtual_transport");
    assert!(routes.contains("shop.example lmtp:unix:/var/spool/postfix/private/dovecot-lmtp\n"), "{routes}");
    let aliases = imported.read("maps/aliases");
    assert!(
        aliases.contains("# not imported: lists:") && aliases.contains("\nroot:          admin@"),
        "{aliases}"
    );
    // Of a loop, as many lines go as it takes to end it.
    let aliases = imported.read("maps/virtual");
    assert!(
        aliases.contains("# not imported: loop@hosting.example") && aliases.contains("\nteam@"),
        "{aliases}"
    );
    let helo = imported.read("maps/helo.pcre");
    assert!(helo.contains("# not imported: /(?<!good)"), "{helo}");
    assert_eq!(imported.fate("smtpd_tls_security_level", ""), "changed");
    assert_eq!(imported.fate("virtual_uid_maps", ""), "not needed");
    // The site's own lines come before those that a class of domains adds.
    let transport = &router.maps.tables[&switchyard_maps::MapName::Transport];
    assert_eq!(
        transport.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["transport", "virtual_transport"]
    );
    assert_eq!(imported.fate("always_bcc", ""), "not carried");
    assert_eq!(imported.fate("mydestination", ""), "changed");
    let canonical = &router.maps.tables[&switchyard_maps::MapName::SenderCanonical];
    assert_eq!(canonical[0].to_string(), "regexp:{{/^(.*)@old\\.hosting\\.example$/ ${1}@hosting.example}}");
    let policy = &router.deliver.tls_policy;
    assert_eq!((policy.len(), policy.contains_key("bank.example")), (2, true));
}

#[test]
fn a_smart_host_becomes_a_router() {
    let imported = Imported::example("smarthost");
    let router = imported.router();
    assert_eq!(router.route.relayhost.as_ref().unwrap().to_string(), "[smtp.provider.example]:587");
    let networks: Vec<String> = router.relay.networks.iter().map(ToString::to_string).collect();
    assert!(networks.contains(&"10.1.0.0/23".to_owned()) && !networks.contains(&"10.1.2.0/24".to_owned()));
    assert!(!networks.contains(&"10.1.0.0/16".to_owned()), "10.1.2.0/24 is not one of them");
    assert_eq!(router.queue.bounce_queue_lifetime.as_secs(), 86_400, "a bare 1 is a day");
    assert_eq!(router.queue.minimal_backoff.as_secs(), 600);
    assert_eq!(router.deliver.helo_name.as_str(), "out.example.com");
    assert_eq!(
        imported.read("maps/sender_relay").lines().next(),
        Some("@brand.example            smtp:[smtp.brand.example]:587")
    );
    assert!(imported.read("role/router.toml").contains("smtp:[bulk.provider.example]"));
    assert_eq!(imported.fate("out_name", ""), "not needed");
    assert_eq!(imported.fate("smtpd_client_connection_count_limit", "200"), "not needed");
    let overlaid =
        imported.notes().find(|note| note["setting"] == "smtpd_client_connection_count_limit").unwrap();
    assert_eq!(overlaid["file"], "master.cf");
}

#[test]
fn a_table_of_refused_lines_is_told_of_in_short() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path();
    write(
        &source.join("main.cf"),
        "myhostname = out.example.org\ntransport_maps = hash:/etc/postfix/transport\n",
    );
    let lines = (0..2_000).map(|number| match number % 2 {
        0 => format!("d{number}.example  uucp:x\n"),
        _ => format!("d{number}.example  smtp:[192.0.2.1]\n"),
    });
    write(&source.join("transport"), &lines.collect::<String>());
    let imported = Imported::of(source, &[]);
    let transport = imported.read("maps/transport");
    assert_eq!(transport.lines().filter(|line| line.starts_with("# not imported: ")).count(), 1_000);
    assert_eq!(transport.lines().count(), 2_000, "lines keep their numbers");
    let told = imported.notes().filter(|note| note["file"] == "maps/transport").count();
    assert_eq!(told, 201);
    assert_eq!(
        imported.line("maps/transport", 0)["what"],
        "800 more lines of it are refused, and are comments now"
    );
    assert_eq!(imported.line("maps/transport", 3)["value"], "d2.example uucp:x");
}

#[test]
fn without_a_folder_to_make_it_only_tells() {
    let output = switchyard(&["import", "postfix", example("smarthost").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("main.cf:9: not carried: `smtp_sasl_auth_enable = yes`: nobody logs in"), "{told}");
    assert!(told.lines().last().unwrap().contains(" carried over"), "{told}");
}

#[test]
fn what_cannot_be_imported_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    std::fs::create_dir(&site).unwrap();
    write(&site.join("mine"), "mine");
    let refused = |arguments: &[&str], expected: &str| {
        let output = switchyard(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let (from, out) = (example("smarthost"), site.to_str().unwrap());
    refused(&["import", "postfix", from.to_str().unwrap(), "--out", out], "is not empty");
    assert_eq!(std::fs::read_dir(&site).unwrap().count(), 1);

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(&["import", "postfix", empty.to_str().unwrap()], "main.cf: cannot be read");
    write(&empty.join("main.cf"), "mynetworks = 127.0.0.0/8\n");
    refused(&["import", "postfix", empty.to_str().unwrap()], "give it with --host-name");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing half-made is left");
}
