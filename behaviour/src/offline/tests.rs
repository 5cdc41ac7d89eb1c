//! Behaviours of small sites, asked of their folders.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::judge::State;
use crate::language::load;

const SITE: &str = "\
[facts]
origin = 'example.org'
networks = ['127.0.0.0/8']
[[host]]
name = 'mx1.example.org'
role = 'mx'
addresses = ['127.0.0.1']
[[host]]
name = 'router1.example.org'
role = 'router'
addresses = ['127.0.0.1']
";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

async fn verdicts(files: &[(&str, &str)], behaviours: &str) -> Vec<Verdict> {
    let folder = tempfile::tempdir().unwrap();
    let router = "[maps]\nsender_access = 'senders'\n";
    for (name, text) in [
        ("site.toml", SITE),
        ("role/router.toml", router),
        ("maps/relay_domains", "example.org\n"),
        ("maps/transport", "example.org lmtp:[192.0.2.1]:24\nlists.example.org smtp:[192.0.2.2]:25\n"),
        ("maps/senders", "# nobody\n"),
        ("maps/recipients", "a@example.org OK\nb@example.org OK\nlost@example.org OK\n"),
        ("maps/virtual_alias", "team@example.org a@example.org, b@example.org\n"),
    ]
    .iter()
    .chain(files)
    {
        write(folder.path(), name, text);
    }
    write(folder.path(), "behaviours/all.toml", &format!("[defaults]\nfrom = 'x@y.example'\n{behaviours}"));
    let site = Site::load(folder.path()).unwrap();
    let behaviours = load(&site).unwrap_or_else(|faults| panic!("{faults}"));
    let offline = Offline::load(&site, &behaviours, Duration::from_secs(5)).unwrap();
    assert_eq!(offline.faults(), Vec::<String>::new());
    let mut verdicts = Vec::new();
    for behaviour in &behaviours {
        verdicts.push(offline.run(behaviour).await);
    }
    verdicts
}

fn states(verdicts: &[Verdict]) -> Vec<State> {
    verdicts.iter().map(|verdict| verdict.state).collect()
}

#[tokio::test]
async fn what_the_maps_say_holds_and_what_they_do_not_fails() {
    let verdicts = verdicts(
        &[],
        "\
[[behaviour]]
name = 'a mailbox'
to = 'a@example.org'
reply = 250
cases = [
    { route = 'lmtp:[192.0.2.1]:24', becomes = 'a@example.org', sender_becomes = 'x@y.example' },
    { to = 'team@example.org', route = 'lmtp:*', becomes = ['a@example.org', 'b@example.org'] },
    { to = 'team@example.org', route = 'lmtp:*', becomes = 'a@example.org' },
]
[[behaviour]]
name = 'refused'
reply = '550 5.1.1'
at = 'rcpt'
cases = [{ to = 'nobody@example.org' }, { to = 'a@example.org' }]
[[behaviour]]
name = 'no relay'
to = 'a@elsewhere.example'
reply = '554 5.7.1 *denied*'
arrives = false
",
    )
    .await;
    use State::{Fails, Holds};
    assert_eq!(states(&verdicts), [Holds, Holds, Fails, Holds, Fails, Holds], "{verdicts:#?}");
    let broken: Vec<_> = verdicts[2].broken().map(|finding| (&*finding.key, &*finding.seen)).collect();
    assert_eq!(broken, [("becomes", "a@example.org, b@example.org")]);
    let broken: Vec<_> = verdicts[4].broken().map(|finding| (&*finding.key, &*finding.seen)).collect();
    assert_eq!(broken, [("reply", "250 2.0.0 at content"), ("at", "taken")]);
}

#[tokio::test]
async fn what_a_router_behind_refuses_is_heard_at_the_end_of_the_content() {
    let senders = ("maps/senders", "bad@y.example 554 5.7.1 Not you\n");
    let verdicts = verdicts(
        &[senders],
        "\
[[behaviour]]
name = 'a sender that only the router knows'
from = 'bad@y.example'
to = 'a@example.org'
reply = '554 5.7.1 *: Not you'
at = 'content'
arrives = false
[[behaviour]]
name = 'the router by itself'
role = 'router'
from = 'bad@y.example'
to = 'a@example.org'
reply = '554 5.7.1 *: Not you'
at = 'mail'
",
    )
    .await;
    assert_eq!(states(&verdicts), [State::Holds, State::Holds], "{verdicts:#?}");
}

#[tokio::test]
async fn mail_that_is_dropped_or_held_arrives_nowhere() {
    let transport =
        ("maps/transport", "example.org lmtp:[192.0.2.1]:24\nlost@example.org error:5.1.6 Moved\n");
    let senders = ("maps/senders", "spam@y.example DISCARD\nodd@y.example HOLD\n");
    let verdicts = verdicts(
        &[transport, senders],
        "\
[[behaviour]]
name = 'nowhere'
to = 'a@example.org'
reply = 250
arrives = false
cases = [{ from = 'spam@y.example' }, { from = 'odd@y.example' }, { from = 'good@y.example' }]
",
    )
    .await;
    assert_eq!(states(&verdicts), [State::Holds, State::Holds, State::Fails], "{verdicts:#?}");
}

#[tokio::test]
async fn what_only_a_server_can_show_is_not_asked() {
    let verdicts = verdicts(
        &[],
        "\
[[behaviour]]
name = 'a field'
to = 'a@example.org'
header = { Received = 2 }
[[behaviour]]
name = 'a text'
to = 'a@example.org'
reply = '250 *queued*'
becomes = 'a@example.org'
[[behaviour]]
name = 'tls'
to = 'a@example.org'
tls = true
reply = 250
",
    )
    .await;
    assert_eq!(states(&verdicts), [State::NotAsked, State::Holds, State::Fails], "{verdicts:#?}");
    assert_eq!(verdicts[1].unasked().count(), 1);
}

#[test]
fn a_role_that_no_host_has_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "site.toml", SITE);
    let text = "[[behaviour]]\nname = 'n'\nfrom = ''\nto = 'a@b.example'\nrole = 'outbound'\nreply = 250\n";
    write(folder.path(), "behaviours/a.toml", text);
    let told = load(&Site::load(folder.path()).unwrap()).unwrap_err().to_string();
    assert!(told.contains("behaviours/a.toml:1:1: the site has no host of the role `outbound`"), "{told}");
}

#[tokio::test]
async fn a_client_without_a_name_is_judged_by_the_one_that_servers_hear() {
    let verdicts = verdicts(
        &[
            ("role/mx.toml", "[maps]\nhelo_access = 'helos'\n"),
            ("maps/helos", "behave.invalid REJECT no tests here\n"),
        ],
        "[[behaviour]]\nname = 'n'\nto = 'a@example.org'\nreply = '5xx'\n\
         cases = [{ reply = '554 *no tests here*' }, { helo = 'mail.y.example', reply = 250 }]\n",
    )
    .await;
    assert_eq!(states(&verdicts), [State::Holds, State::Holds], "{verdicts:#?}");
}
