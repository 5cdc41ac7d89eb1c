//! Every setting is changed once: what is marked live reaches a running daemon, what is marked to take a restart
//! is held and named.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::fmt::Debug;

use switchyard_config::document::Document;
use switchyard_config::reference::{Change, Setting, Shape};
use switchyard_config::{AgentSettings, HubSettings, MilterSettings, MxSettings, RouterSettings, Settings};
use switchyard_daemon::reload::Held;
use toml::{Table, Value};

/// What makes a file whole, and gives rules that look at two settings the other one.
const COMMON: &str = r#"
host_name = "host.example.org"
listen.smtp = [{ socket = "127.0.0.1:25" }]
tls = { certificate = "/chain", key = "/key", client_ca = "/ca" }
[maps]
folder = "/maps"
recipients = "recipients"
relay_domains = "relay_domains"
"#;
const MX: &str = r#"
[trust]
proxy_networks = ["192.0.2.1/32"]
[routers]
pool = ["127.0.0.1:2525"]
ca = "/ca"
certificate = "/chain"
key = "/key"
"#;
const ROUTER: &str = r#"
[srs]
domain = "srs.example.org"
secrets = ["/secret"]
[deliver]
ca = "/ca"
certificate = "/chain"
key = "/key"
milters = ["inside"]
"#;

const ASKED: &str = r#"
[milters.inside]
places = ["tls:filter.example.org:8891"]
ca = "/ca"
certificate = "/chain"
key = "/key"
# One that can be asked in its place.
[milters.debug]
places = ["127.0.0.1:8891"]
[accept]
milters = ["inside"]
"#;

const MILTER: &str = r#"
host_name = "host.example.org"
listen.milter = [{ socket = "127.0.0.1:8891" }]
[maps]
folder = "/maps"
[reports]
from = "reports@example.org"
relay = "127.0.0.1:25"
"#;

const HUB: &str = r#"
host_name = "hub1.example.org"
listen.hub = [{ socket = "127.0.0.1:8443" }]
tls = { certificate = "/chain", key = "/key", client_ca = "/ca" }
environments.live.root = "/root.json"
peers = ["hub2.example.org:8443", "hub3.example.org:8443"]
etcd = { members = ["etcd1.example.org:2379"], certificate = "/chain", key = "/key", ca = "/ca" }
"#;

const AGENT: &str = r#"
host_name = "mx1.example.org"
environment = "live"
root = "/root.json"
hubs = ["hub1.example.org:8443"]
tls = { certificate = "/chain", key = "/key", hub_ca = "/ca" }
"#;

/// Values to try, by what is written; the first that is allowed and changes something is taken.
fn candidates(setting: &Setting) -> Vec<Value> {
    if !setting.choices.is_empty() {
        return setting.choices.iter().map(|choice| Value::from(*choice)).collect();
    }
    let texts: &[&str] = match setting.kind {
        "true or false" => return vec![true.into(), false.into()],
        "count" => return [7, 51, 101, 3, 5000].map(Value::from).into(),
        "size" => &["77MB", "2MiB", "66KiB", "3KiB", "5KiB", "1GiB"],
        "time" => &["7s", "300ms", "2h", "48h", "240h", "1000h"],
        "text" => &["-", "debug", "[127.0.0.1]:26"],
        "path" => &["/another"],
        "domain" => &["another.example"],
        "address" => &["192.0.2.7"],
        "mail address" => &["another@example.org"],
        "address:port" | "socket" => &["192.0.2.53:53"],
        "network" => &["198.51.100.0/24"],
        "host:port" => &["127.0.0.1:26"],
        "next hop" => &["[127.0.0.1]:26"],
        "place of a filter" => &["unix:/another"],
        "table, or list of tables" => &["another"],
        other => panic!("{}: no value is known for a `{other}`", setting.path),
    };
    texts.iter().map(|text| Value::from(*text)).collect()
}

/// Puts a value at a path of a reference: `[]` is the first of a list, `NAME` a name.
fn put(table: &mut Table, path: &str, value: Value) {
    let Some((head, rest)) = path.split_once('.') else {
        table.insert(path.to_owned(), value);
        return;
    };
    let name = if head == "NAME" { "inside" } else { head.trim_end_matches("[]") };
    let inner = table.entry(name).or_insert_with(|| match head.ends_with("[]") {
        true => Value::Array(vec![Value::Table(Table::new())]),
        false => Value::Table(Table::new()),
    });
    match inner {
        Value::Array(items) => put(items[0].as_table_mut().unwrap(), rest, value),
        Value::Table(table) => put(table, rest, value),
        other => panic!("{other} at {path}"),
    }
}

/// Changes each setting of a daemon, one at a time.
fn walk<S: Settings + PartialEq + Debug + Clone>(whole: &str) {
    let base: Table = whole.parse().unwrap();
    let read = |table: &Table| {
        let document = Document::parse("settings", &toml::to_string(table).unwrap());
        S::effective(&document.unwrap(), None)
    };
    let (before, values) = read(&base).unwrap();
    let (mut live, mut restart) = (0, 0);
    for setting in S::reference() {
        let changed = candidates(&setting).into_iter().find_map(|value| {
            let value = match setting.shape {
                Shape::One => value,
                Shape::List => Value::Array(vec![value]),
                Shape::ByName => Value::Table(Table::from_iter([("[other.example]".to_owned(), value)])),
            };
            let mut table = base.clone();
            put(&mut table, &setting.path, value);
            read(&table).ok().filter(|(after, _)| *after != before)
        });
        let Some((after, after_values)) = changed else {
            panic!("{}: no value was found that changes anything", setting.path);
        };
        let differences = values.differences(&after_values);
        assert!(!differences.is_empty(), "{}: a difference that is not told", setting.path);
        for difference in &differences {
            assert_eq!(difference.change, setting.change, "{}: {difference:?}", setting.path);
        }
        let mut now = after.clone();
        let held = before.hold(&mut now);
        let runs = values.after(after_values.clone());
        match setting.change {
            Change::Live => {
                assert_eq!(held, [""; 0], "{}: marked live, and held", setting.path);
                assert_eq!(now, after, "{}: marked live, and put back", setting.path);
                assert_eq!(runs.differences(&after_values), [], "{}: what runs is the new", setting.path);
                live += 1;
            }
            Change::Restart => {
                let is_named = held.iter().any(|name| setting.path.replace("[]", "").starts_with(name));
                assert!(is_named, "{}: marked as taking a restart, and not named in {held:?}", setting.path);
                assert_eq!(now, before, "{}: the old value does not hold", setting.path);
                assert_eq!(runs.differences(&values), [], "{}: what runs is the old", setting.path);
                restart += 1;
            }
        }
    }
    assert!(live > 5 && restart > 1, "{live} live, {restart} restart");
}

#[test]
fn every_setting_of_the_mx_is_live_or_held() {
    walk::<MxSettings>(&format!("{COMMON}{MX}{ASKED}"));
}

#[test]
fn every_setting_of_the_router_is_live_or_held() {
    walk::<RouterSettings>(&format!("{COMMON}{ROUTER}{ASKED}"));
}

#[test]
fn every_setting_of_the_milter_is_live_or_held() {
    walk::<MilterSettings>(MILTER);
}

#[test]
fn every_setting_of_the_hub_is_live_or_held() {
    walk::<HubSettings>(HUB);
}

#[test]
fn every_setting_of_the_agent_is_live_or_held() {
    walk::<AgentSettings>(AGENT);
}

#[test]
fn sockets_of_systemd_s_are_held_and_their_options_are_not() {
    let read = |listen: &str| {
        let text = format!("{COMMON}{MX}{ASKED}").replace(r#"{ socket = "127.0.0.1:25" }"#, listen);
        MxSettings::effective(&Document::parse("mx.toml", &text).unwrap(), None).unwrap()
    };
    let (before, values) = read(r#"{ socket = "systemd:smtp" }, { socket = "127.0.0.1:25" }"#);
    // One goes, another comes, and the address beside them is another one.
    let (mut now, after) = read(r#"{ socket = "systemd:other" }, { socket = "127.0.0.1:26" }"#);
    let told: Vec<String> = values
        .differences(&after)
        .iter()
        .filter(|difference| difference.path.ends_with("socket"))
        .map(|difference| format!("{} {}", difference.path, difference.change))
        .collect();
    assert_eq!(told, ["listen.smtp[0].socket restart", "listen.smtp[1].socket live"]);
    assert_eq!(before.hold(&mut now), ["listen.smtp"]);
    let sockets: Vec<String> = now.common.listen.iter().map(|listener| listener.socket.to_string()).collect();
    assert_eq!(sockets, ["127.0.0.1:26", "systemd:smtp"]);
    let runs = values.after(after);
    let sockets = runs.iter().filter(|(path, _)| path.starts_with("listen.") && path.ends_with(".socket"));
    let sockets: Vec<&str> = sockets.filter_map(|(_, text)| text).collect();
    assert_eq!(sockets, ["\"127.0.0.1:26\"", "\"systemd:smtp\""]);

    let (mut now, _) = read(
        r#"{ socket = "systemd:smtp", proxy_protocol = true, name = "edge" }, { socket = "127.0.0.1:25" }"#,
    );
    assert_eq!(before.hold(&mut now), [""; 0]);
    assert!(now.common.listen[0].proxy_protocol && now.common.listen[0].name == "edge");
}
