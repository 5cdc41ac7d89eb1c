//! A site from its first day on, as a person runs the tool: made, changed, compared, and told what is wrong.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bad;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use switchyard_config::{MxSettings, Settings};
use tempfile::TempDir;

fn switchyard(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_switchyard")).args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn write(path: &Path, text: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    std::fs::write(path, text).unwrap();
}

/// A folder with a new site in it, by `switchyard init`.
struct Made {
    folder: TempDir,
}

impl Made {
    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        assert_eq!(switchyard(&["init", &made.site()]).0, Some(0));
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn site(&self) -> String {
        self.path("site").display().to_string()
    }

    /// Changes a file of it.
    fn edit(&self, name: &str, change: impl FnOnce(String) -> String) {
        let path = self.path("site").join(name);
        write(&path, &change(std::fs::read_to_string(&path).unwrap_or_default()));
    }
}

#[test]
fn a_new_site_passes_every_check() {
    let made = Made::new();
    let (code, data, speech) = switchyard(&["check", &made.site()]);
    assert_eq!((code, data.as_str(), speech.as_str()), (Some(0), "2 hosts, nothing wrong\n", ""));
    for host in ["mx1", "router1"] {
        assert_eq!(switchyard(&["render", &made.site(), "--host", host]).0, Some(0));
    }
    for (name, text) in switchyard_config::example::FILES {
        assert_eq!(std::fs::read_to_string(made.path("site").join(name)).unwrap(), *text);
    }
}

#[test]
fn a_new_site_may_be_of_another_domain_and_in_an_empty_folder() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().to_str().unwrap();
    let (code, data, speech) = switchyard(&["init", site, "--domain", "example.com"]);
    assert_eq!(code, Some(0), "{speech}");
    assert!(data.contains("--to alice@example.com\n"), "{data}");
    assert_eq!(switchyard(&["check", site]).0, Some(0));
    let (code, data, speech) = switchyard(&["explain", site, "--to", "bob@example.com"]);
    assert!(code == Some(0) && data.contains("lmtp:@mailboxes"), "{data}{speech}");
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let made = Made::new();
    made.edit("site.toml", |_| "mine".into());
    let (code, data, speech) = switchyard(&["init", &made.site()]);
    assert_eq!((code, data.as_str()), (Some(2), ""));
    assert!(speech.contains("is not empty, and nothing in it is overwritten"), "{speech}");
    assert_eq!(std::fs::read_to_string(made.path("site/site.toml")).unwrap(), "mine");

    let other = made.path("other").display().to_string();
    let (code, _, speech) = switchyard(&["init", &other, "--domain", "no domain"]);
    assert!(code == Some(2) && speech.contains("no domain name"), "{speech}");
    let (code, _, speech) = switchyard(&["init", &made.path("no/such/folder").display().to_string()]);
    assert!(code == Some(2) && speech.contains("cannot be made"), "{speech}");
    assert_eq!(std::fs::read_dir(made.folder.path()).unwrap().count(), 1, "nothing half-made is left");
}

#[test]
fn what_differs_from_an_older_file_or_site_is_named_with_what_it_takes() {
    let made = Made::new();
    let (site, file) = (made.site(), made.path("router.toml").display().to_string());
    assert_eq!(switchyard(&["render", &site, "--host", "router1", "--out", &file]).0, Some(0));
    let same = switchyard(&["render", &site, "--host", "router1", "--diff", &file]);
    assert_eq!(same, (Some(0), "no setting differs\n".into(), String::new()));

    let before = made.path("before").display().to_string();
    assert_eq!(switchyard(&["init", &before]).0, Some(0));
    made.edit("base.toml", |_| "[limits]\nhops = 60\n\n[spool]\nfolder = \"/srv/spool\"\n".into());
    for old in [&file, &before] {
        let (code, data, speech) = switchyard(&["render", &site, "--host", "router1", "--diff", old]);
        assert_eq!((code, speech.as_str()), (Some(1), ""));
        assert_eq!(
            data,
            "live     limits.hops = 60, was 100\n\
             restart  spool.folder = \"/srv/spool\", was \"/var/lib/switchyard-router/spool\"\n\
             2 differences: 1 live, 1 with a restart\n"
        );
    }
    let (code, data, _) =
        switchyard(&["render", &site, "--host", "router1", "--diff", &file, "--json", "--origin"]);
    let told: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((code, &told["host"]), (Some(1), &json!("router1.example.org")));
    let hops = json!({ "setting": "limits.hops", "before": 100, "after": 60, "change": "live",
                       "origin": format!("{site}/base.toml:2") });
    assert_eq!(told["differences"][0], hops);
    assert_eq!(told["differences"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_compared_is_misuse() {
    let made = Made::new();
    let site = made.site();
    let diff = |old: &str| switchyard(&["render", &site, "--host", "mx1", "--diff", old]);
    let nowhere = made.path("nowhere.toml").display().to_string();
    let (code, _, speech) = diff(&nowhere);
    assert!(code == Some(2) && speech.contains("cannot be read"), "{speech}");
    let other = made.path("router.toml").display().to_string();
    assert_eq!(switchyard(&["render", &site, "--host", "router1", "--out", &other]).0, Some(0));
    let (code, _, speech) = diff(&other);
    assert!(code == Some(2) && speech.contains("unknown key"), "{speech}");
    let (code, _, speech) =
        switchyard(&["render", &site, "--host", "mx1", "--diff", &other, "--out", &other]);
    assert!(code == Some(2) && speech.contains("cannot be used with"), "{speech}");
}

#[test]
fn settings_and_their_origins_can_be_had_as_json() {
    let made = Made::new();
    let (code, data, _) = switchyard(&["render", &made.site(), "--host", "mx1", "--json", "--origin"]);
    let told: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((code, &told["role"], &told["daemon"]), (Some(0), &json!("mx"), &json!("mx")));
    assert_eq!(told["settings"]["routers"]["pool"], json!(["[127.0.0.1]:25"]));
    assert_eq!(told["settings"]["listen"]["smtp"][0]["socket"], json!("systemd:smtp"));
    let origin = told["origins"]["listen.smtp[0].socket"].as_str().unwrap();
    assert!(origin.starts_with("suite/role/mx.toml:"), "{origin}");
}

#[test]
fn a_host_is_laid_down_whole_from_its_name_alone() {
    let made = Made::new();
    let (site, one, all) = (made.site(), made.path("mx1"), made.path("hosts"));
    let (code, data, speech) =
        switchyard(&["render", &site, "--host", "mx1", "--into", one.to_str().unwrap()]);
    assert_eq!((code, speech.as_str()), (Some(0), ""));
    let file = one.join("mx.toml");
    assert_eq!(data, format!("mx1.example.org: {}, for switchyard-mx.service\n", file.display()));
    assert_eq!(MxSettings::load(&one.join("mx.toml")).unwrap().common.host_name.as_str(), "mx1.example.org");
    let recipients = |folder: &Path| std::fs::read_to_string(folder.join("maps/recipients")).unwrap();
    assert_eq!(recipients(&one), recipients(&made.path("site")));

    assert_eq!(switchyard(&["render", &site, "--into", all.to_str().unwrap()]).0, Some(0));
    assert!(
        all.join("mx1.example.org/mx.toml").is_file()
            && all.join("router1.example.org/router.toml").is_file()
    );
    let (code, _, speech) = switchyard(&["render", &site, "--into", all.to_str().unwrap()]);
    assert!(code == Some(2) && speech.contains("is not empty"), "{speech}");
    assert_eq!(switchyard(&["render", &site]).0, Some(2), "a host is needed");
}

const HUB: &str = "\n[[host]]\nname = \"hub1.example.org\"\nrole = \"hub\"\naddresses = [\"192.0.2.9\"]\n";

#[test]
fn what_stands_beside_a_host_s_own_daemon_is_laid_down_with_it() {
    let made = Made::new();
    let site = made.site();
    std::fs::create_dir(made.path("site/daemon")).unwrap();
    write(&made.path("site/daemon/milter.toml"), "[maps]\nsender_headers = \"added\"\n");
    made.edit("site.toml", |text| text.replace("[facts]\n", "[facts]\nenvironment = \"live\"\n") + HUB);
    write(&made.path("site/maps/added"), "* add Received: no\n");
    let (code, _, speech) = switchyard(&["check", &site]);
    assert!(code == Some(1) && speech.contains("maps/added:1:"), "its maps are looked at, too: {speech}");
    write(&made.path("site/maps/added"), "example.org add X-Ours: yes\n");
    let (code, data, speech) = switchyard(&["check", &site]);
    assert_eq!((code, data.as_str()), (Some(0), "3 hosts, nothing wrong\n"), "{speech}");

    let into = made.path("hosts");
    let (code, data, _) = switchyard(&["render", &site, "--into", into.to_str().unwrap(), "--json"]);
    assert_eq!(code, Some(0));
    let told: Value = serde_json::from_str(&data).unwrap();
    let units: Vec<_> = told.as_array().unwrap().iter().map(|one| (&one["host"], &one["unit"])).collect();
    let unit = |host: &str, daemon: &str| {
        (json!(format!("{host}.example.org")), json!(format!("switchyard-{daemon}.service")))
    };
    let wanted = [
        unit("mx1", "mx"),
        unit("mx1", "milter"),
        unit("mx1", "agent"),
        unit("router1", "router"),
        unit("router1", "milter"),
        unit("router1", "agent"),
        unit("hub1", "hub"),
        unit("hub1", "agent"),
    ];
    assert_eq!(units, wanted.iter().map(|(host, unit)| (host, unit)).collect::<Vec<_>>());
    let router = std::fs::read_to_string(into.join("router1.example.org/router.toml")).unwrap();
    assert!(router.contains("places = [\"unix:/run/switchyard-milter.sock\"]"), "{router}");
    assert!(!into.join("hub1.example.org/maps").exists(), "no mail passes a hub");

    let (code, data, speech) =
        switchyard(&["render", &site, "--host", "mx1", "--of", "milter", "--json", "--origin"]);
    let told: Value = serde_json::from_str(&data).expect(&speech);
    let runs = json!(["mx", "milter", "agent"]);
    assert_eq!((code, &told["daemon"], &told["daemons"]), (Some(0), &json!("milter"), &runs));
    let origin = told["origins"]["maps.sender_headers"].as_str().unwrap();
    assert!(origin.ends_with("site/daemon/milter.toml:2"), "{origin}");
    let (code, _, speech) = switchyard(&["render", &site, "--host", "hub1", "--of", "router"]);
    assert!(
        code == Some(2) && speech.contains("`hub1.example.org` runs no `router`; it runs hub, agent"),
        "{speech}"
    );
    let (code, _, speech) = switchyard(&["explain", &site, "--host", "hub1", "--to", "a@example.org"]);
    assert!(code == Some(2) && speech.contains("no mail passes `hub1.example.org`"), "{speech}");
    made.edit("site.toml", |text| text.replace("environment = \"live\"\n", ""));
    let (code, _, speech) = switchyard(&["check", &site]);
    assert!(code == Some(2) && speech.contains("no fact `environment`: state it in site.toml"), "{speech}");
}

#[test]
fn no_map_is_left_out_of_a_host_silently() {
    let made = Made::new();
    let (site, maps) = (made.site(), made.path("site/maps"));
    let lay_down = |name: &str| {
        let into = made.path(name);
        let told = switchyard(&["render", &site, "--host", "mx1", "--into", into.to_str().unwrap()]);
        (told.0, told.2, into)
    };
    std::fs::create_dir(made.path("elsewhere")).unwrap();
    write(&made.path("elsewhere/more"), "more@example.org\n");
    std::os::unix::fs::symlink(made.path("elsewhere/more"), maps.join("more")).unwrap();
    let (code, speech, into) = lay_down("first");
    assert_eq!((code, speech.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(into.join("maps/more")).unwrap(), "more@example.org\n");

    for (name, target, said) in [
        ("linked", "elsewhere", "maps/linked: a link to a folder is not followed"),
        ("dangling", "nowhere", "maps/dangling: cannot be read: No such file"),
    ] {
        std::os::unix::fs::symlink(made.path(target), maps.join(name)).unwrap();
        let (code, speech, into) = lay_down("second");
        assert!(code == Some(2) && speech.contains(said) && !into.exists(), "{name}: {speech}");
        std::fs::remove_file(maps.join(name)).unwrap();
    }
}
