//! What a change of the site means for daemons that run: asked beforehand of each, made, and asked again.

use switchyard_tests::network::Network;
use switchyard_tests::tool::{Told, switchyard, write};
use switchyard_tests::up::Up;
use tempfile::TempDir;

use super::hosts::Raised;

const SITE: &str = r#"[facts]
networks = ["10.0.0.0/24"]
resolvers = ["10.0.0.53:53"]
mailboxes = ["10.0.0.10"]

[[host]]
name = "mx1.example.org"
role = "mx"
addresses = ["10.0.0.11"]

[[host]]
name = "router1.example.org"
role = "router"
addresses = ["10.0.0.21"]
"#;

#[test]
fn a_running_daemon_is_held_against_the_site_before_and_after_a_change() {
    let folder = TempDir::with_prefix("switchyard-running-").expect("a folder");
    let site = folder.path().join("site");
    let path = site.to_str().expect("a plain path");
    assert_eq!(switchyard(["init", path]).code, Some(0));
    write(&site.join("site.toml"), SITE);
    // Seen from the folder of the settings on the host, not from here.
    write(&site.join("base.toml"), "[maps]\nfolder = \"maps\"\n");
    write(&site.join("role/router.toml"), "[pools.mailboxes]\nmembers = [\"[${mailboxes}]:24\"]\n");
    write(&site.join("maps/transport"), "example.org lmtp:@mailboxes\n");
    let network = Network::new();
    let hosts = ["mx1", "router1"].map(|name| {
        let full = format!("{name}.example.org");
        (name, Raised::new(&network, &site, &full))
    });
    let differs = |name: &str, raised: &Raised| differences(path, name, &raised.control());
    for (name, raised) in &hosts {
        raised.await_daemon();
        assert_eq!(differs(name, raised), (Some(0), "no setting differs\n".into()), "{name}");
    }

    write(
        &site.join("base.toml"),
        "[maps]\nfolder = \"maps\"\n[limits]\nhops = 60\n[log]\nformat = \"json\"\n",
    );
    let both = "restart  log.format = \"json\", was \"auto\"\nlive     limits.hops = 60, was 100\n\
                2 differences: 1 live, 1 with a restart\n";
    let left = "restart  log.format = \"json\", was \"auto\"\n1 difference: 0 live, 1 with a restart\n";
    for (name, raised) in &hosts {
        assert_eq!(differs(name, raised), (Some(1), both.into()), "{name}");
        let reload = || switchyard(["reload", "--daemon", &raised.control()]);

        let file = raised.settings_file();
        write(&file, "host_name = \"a.example\"\nlimts = 1\n");
        let Told { code, data, speech } = reload();
        assert_eq!((code, data.as_str()), (Some(1), ""), "{speech}");
        assert!(
            speech.contains(".toml:2:1: unknown key `limts` at the top; did you mean `limits`?"),
            "{speech}"
        );
        assert_eq!(differs(name, raised), (Some(1), both.into()), "{name} runs as before");

        let out = file.to_str().expect("a plain path");
        let rendered = switchyard(["render", path, "--host", name, "--out", out]);
        assert_eq!(rendered.code, Some(0), "{}", rendered.speech);
        let Told { code, data, speech } = reload();
        assert_eq!((code, data.as_str()), (Some(0), "the new settings hold\n"), "{speech}");
        assert_eq!(speech, "log.format: takes a restart; the old value holds\n");
        assert_eq!(differs(name, raised), (Some(1), left.into()), "{name}");
    }

    let [(_, mx), (_, router)] = &hosts;
    let told = switchyard(["render", path, "--host", "mx1", "--diff", &router.control()]);
    let said =
        "switchyard-router answers here, and what is asked for is switchyard-mx of `mx1.example.org`\n";
    assert!(told.code == Some(2) && told.speech.ends_with(said), "{}", told.speech);
    let told = switchyard(["render", path, "--host", "mx1", "--diff", &mx.control(), "--json"]).json();
    assert_eq!(told["differences"][0]["setting"], "log.format");
}

/// The same on loopback: what is tried there is a site's folder too.
#[test]
fn what_is_up_reads_its_site_again() {
    let up = Up::start();
    let site = up.site();
    let path = site.to_str().expect("a plain path");
    let control = up.control("router").display().to_string();
    let reload = || switchyard(["reload", "--daemon", &control]);
    let hops = || differences(path, "router1", &control).1.contains("live     limits.hops = 60, was 100\n");
    assert!(!hops());
    write(&site.join("base.toml"), "[limits]\nhops = 60\n");
    assert!(hops(), "before the reload");
    let Told { code, data, speech } = reload();
    assert_eq!((code, data.as_str(), speech.as_str()), (Some(0), "the new settings hold\n", ""));
    assert!(!hops(), "after it");

    write(&site.join("base.toml"), "[limits]\nhopps = 60\n");
    let Told { code, speech, .. } = reload();
    let said = "site/base.toml:2:1: unknown key `hopps` in [limits]; did you mean `hops`?";
    assert!(code == Some(1) && speech.contains(said), "{speech}");
}

/// How a host's daemon differs from its site.
fn differences(site: &str, host: &str, control: &str) -> (Option<i32>, String) {
    let Told { code, data, speech } = switchyard(["render", site, "--host", host, "--diff", control]);
    assert_eq!(speech, "", "{host}");
    (code, data)
}
