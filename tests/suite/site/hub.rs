//! A host of the role hub and the agents beside it and beside an mx, all from the site's folder and the secrets that are
//! in none: a push reaches the mx's host and the hub's own, and a hub that is wiped is back from its name.

use std::fs;
use std::path::{Path, PathBuf};

use switchyard_tests::expect;
use switchyard_tests::network::{Host, Network, Segment};
use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::binary;
use switchyard_tests::tool::{switchyard, write};
use tempfile::TempDir;

use super::hosts::Raised;

const SITE: &str = r#"[facts]
origin = "example.org"
environment = "live"
recipient_delimiter = "+"
resolvers = ["10.0.0.53:53"]
mailboxes = ["10.0.0.10"]

[[host]]
name = "hub1.example.org"
role = "hub"
addresses = ["10.0.0.41"]

[[host]]
name = "mx1.example.org"
role = "mx"
addresses = ["10.0.0.11"]

[[host]]
name = "router1.example.org"
role = "router"
addresses = ["10.0.0.21"]
"#;

/// The site, and what its admin keeps beside it.
struct Kept {
    folder: TempDir,
}

impl Kept {
    fn new() -> Self {
        let kept = Self { folder: TempDir::with_prefix("switchyard-hub-").expect("a folder") };
        let made = switchyard(["init", text(&kept.site())]);
        assert_eq!(made.code, Some(0), "{}", made.speech);
        write(&kept.site().join("site.toml"), SITE);
        fs::create_dir(kept.site().join("role/mx")).expect("a folder");
        write(&kept.site().join("role/mx/milter.toml"), "[verify]\ndmarc = \"obey\"\n");
        for name in ["root", "ann", "release"] {
            let told = switchyard(["key", "new", text(&kept.path(&format!("{name}.key")))]);
            assert_eq!(told.code, Some(0), "{}", told.speech);
        }
        let key = |name: &str| text(&kept.path(&format!("{name}.key"))).to_owned();
        let (root, push, release, out) = (key("root"), key("ann"), key("release"), kept.path("root.json"));
        let words = ["key", "root", "--environment", "live", "--root", &root, "--push", &push];
        let more = ["--release", &release, "--sign", &root, "--out", text(&out)];
        let told = switchyard(words.iter().chain(&more));
        assert_eq!(told.code, Some(0), "{}", told.speech);
        kept.issue();
        kept
    }

    /// Certificates by an authority of the site, where the templates look for them on each host.
    fn issue(&self) {
        for folder in ["tls", "of-hub/hub", "of-hub/agent", "of-mx/agent"] {
            fs::create_dir_all(self.path(folder)).expect("a folder");
        }
        let made = Certificates::make(&self.path("tls"), &[]);
        made.add("hub1", "URI:spiffe://live/hub/hub1,IP:10.0.0.41");
        made.add("hub1-agent", "URI:spiffe://live/agent/hub1.example.org");
        made.add("mx1", "URI:spiffe://live/agent/mx1.example.org");
        made.add("ann", "URI:spiffe://live/push/ann");
        let places = [
            ("hub1", "hub1", "of-hub/hub"),
            ("hub1-agent", "hub1", "of-hub/agent"),
            ("mx1", "mx1", "of-mx/agent"),
        ];
        for (name, host, under) in places {
            let put = |from: PathBuf, name: String| {
                fs::copy(from, self.path(under).join(name)).expect("room for a file");
            };
            put(made.certificate(name), format!("{host}.pem"));
            put(made.key(name), format!("{host}.key"));
            put(made.certificate("authority"), "authority.pem".to_owned());
        }
        for copy in ["of-hub/hub/live.root.json", "of-hub/agent/root.json", "of-mx/agent/root.json"] {
            fs::copy(self.path("root.json"), self.path(copy)).expect("room for a file");
        }
        write(
            &self.path("push.toml"),
            "author = \"ann\"\nenvironment = \"live\"\nroot = \"root.json\"\nhubs = [\"10.0.0.41:8443\"]\n\
             push_keys = [\"ann.key\"]\nrelease_keys = [\"release.key\"]\n\
             [tls]\ncertificate = \"tls/ann.pem\"\nkey = \"tls/ann.key\"\nhub_ca = \"tls/authority.pem\"\n",
        );
    }

    fn site(&self) -> PathBuf {
        self.path("site")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A verb of the admin's, on the admin's own machine.
    fn admin(&self, machine: &Host, words: &[&str]) -> String {
        let tool = binary::program("switchyard");
        let with = self.path("push.toml");
        let words = words.iter().copied().chain(["--with", text(&with)]);
        machine.run(text(&tool), words)
    }
}

#[test]
fn a_hub_and_an_agent_come_of_the_site_s_folder_and_a_push_reaches_the_host() {
    let (kept, network) = (Kept::new(), Network::new());
    let (site, hub_secrets) = (kept.site(), kept.path("of-hub"));
    let raise_hub = || Raised::with(&network, &site, "hub1.example.org", Some(&hub_secrets));
    let hub = raise_hub();
    let mx = Raised::with(&network, &site, "mx1.example.org", Some(&kept.path("of-mx")));
    let admin =
        network.host("admin.example.org", &[(Segment::Inside, "10.0.0.99".parse().expect("an address"))]);
    kept.admin(&admin, &["push", text(&site)]);
    let current = mx.host().folder().join("var/switchyard-agent/current");
    let mine = || fs::read_to_string(current.join("mx.toml")).ok();
    let settings = expect::until("the mx's settings from the hub", mine);
    assert!(settings.contains("host_name = \"mx1.example.org\""), "{settings}");
    let filter = fs::read_to_string(current.join("milter.toml")).expect("the filter's settings beside them");
    assert!(filter.contains("dmarc = \"obey\""), "{filter}");
    let of_hub = hub.host().folder().join("var/switchyard-agent/current/hub.toml");
    let hubs_own = || fs::read_to_string(&of_hub).ok();
    let told = expect::until("the hub's own settings from the hub", hubs_own);
    let laid_down = fs::read_to_string(hub.settings_file()).expect("its settings");
    assert_eq!(told, laid_down, "they are those of the site's folder");

    // What the next push changes of them is said to those who look.
    write(&site.join("role/hub.toml"), "[limits]\nstore_size = \"3GB\"\n");
    kept.admin(&admin, &["push", text(&site)]);
    expect::until("the next settings", || hubs_own().filter(|next| next.contains("3GB")));
    let what = "hub has not read limits.store_size yet: systemctl reload switchyard-hub.service";
    expect::until("the word of what is to be done", || {
        kept.admin(&admin, &["fleet"]).contains(what).then_some(())
    });
    fs::remove_file(site.join("role/hub.toml")).expect("the site as it was");

    let before = hub.settings();
    drop(hub);
    let hub = raise_hub();
    assert_eq!(hub.settings(), before, "it is what it was");
    // What it had kept is gone, and what it may show of that is nothing.
    let heads = kept.admin(&admin, &["log"]);
    assert!(!heads.contains("ann"), "{heads}");
    assert_eq!(mine(), Some(settings), "the mx's host keeps what it has");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
