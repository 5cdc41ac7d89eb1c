//! What is best seen from inside: which settings a reload takes, and what each map means.

mod uses;

use switchyard_config::reference::Change;

use super::*;

fn settings(host_name: &str, more: &str) -> RouterSettings {
    let text = format!(
        "host_name = \"{host_name}\"\nlisten.smtp = [{{ socket = \"127.0.0.1:0\" }}]\n\
         metrics.socket = \"127.0.0.1:0\"\nspool.folder = \"/nowhere\"\nmaps.folder = \"/nowhere\"\n{more}"
    );
    RouterSettings::parse("router.toml", &text).unwrap()
}

#[test]
fn every_setting_is_live_or_named_as_not() {
    let before = settings("router.example.org", "");
    let mut changed = settings("other.example.org", "limits = { sessions = 5, hops = 60 }\n");
    let names = hold(&before, &mut changed);
    assert!(names.contains(&"host_name") && names.contains(&"limits.sessions"), "{names:?}");
    assert_eq!(changed.common.host_name, before.common.host_name, "the old value holds");
    assert_eq!(changed.common.limits.session.hops, 60, "this one is live");
    assert!(hold(&before, &mut changed).is_empty());

    let named = [
        "host_name",
        "listen",
        "metrics",
        "control",
        "log",
        "dns",
        "limits.sessions",
        "limits.content_memory",
        "limits.drain_deadline",
        "maps",
        "rewrite",
        "route",
        "pools",
        "srs",
        "spool",
        "queue",
        "deliver",
        "bounce",
    ];
    for setting in RouterSettings::reference() {
        let is_named = named.iter().any(|name| {
            setting
                .path
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        });
        assert_eq!(is_named, setting.change == Change::Restart, "{}", setting.path);
    }
}
