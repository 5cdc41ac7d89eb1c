//! Whole runs against servers of this test: a catcher stands for one that takes everything, a scripted peer for
//! others.

use std::net::{Ipv4Addr, SocketAddr};

use switchyard_smtp::testing;
use tokio::net::TcpListener;

use super::*;

const PACE: Pace = Pace { at_once: 4, deadline: Duration::from_secs(5), quiet: Duration::from_millis(50) };

fn behaviours(text: &str) -> Vec<Behaviour> {
    let head = "[defaults]\nfrom = 'ann@client.example'\nto = 'bob@example.org'\n";
    crate::language::of_text(&format!("{head}{text}"))
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// A catcher is a mail server that takes everything: what is sent to it has arrived.
async fn caught_by_itself(text: &str) -> Vec<Vec<Verdict>> {
    let address = free_address();
    let catchers = Catchers::listen(&[("here".to_owned(), address)]).unwrap();
    let targets = [Target::find(&format!("it={address}")).await.unwrap()];
    let live = Live { targets: &targets, catchers: Some(&catchers), standing: Standing::Xclient, pace: PACE };
    let verdicts = live.run(&behaviours(text), |_, _, _| ()).await;
    assert_eq!(catchers.strangers(), 0);
    catchers.end().await;
    verdicts
}

/// A server that plays this script to each of its clients.
async fn scripted(script: &'static str) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(testing::play(stream, script));
        }
    });
    Target { name: "scripted".to_owned(), host: "127.0.0.1".to_owned(), address }
}

async fn alone(target: Target, text: &str, pace: Pace) -> Verdict {
    let targets = [target];
    let live = Live { targets: &targets, catchers: None, standing: Standing::Xclient, pace };
    live.run(&behaviours(text), |_, _, _| ()).await.remove(0).remove(0)
}

#[tokio::test]
async fn what_arrives_is_known_by_its_token_and_looked_at() {
    let verdicts = caught_by_itself(
        "\
[[behaviour]]
name = 'all of it'
reply = '250 2.0.0 Ok, caught'
becomes = 'bob@example.org'
sender_becomes = 'ann@client.example'
fields = { Subject = 'a subject' }
header = { Subject = 'a subject', Received = false, To = '*bob@example.org*' }
arrives = 'here'
[[behaviour]]
name = 'two recipients'
to = ['bob@example.org', 'carl@example.org']
becomes = ['bob@example.org', 'carl@example.org']
[[behaviour]]
name = 'not to arrive'
arrives = false
[[behaviour]]
name = 'a place that no catcher has'
arrives = 'elsewhere'
[[behaviour]]
name = 'a client'
client = '127.0.0.9'
reply = 250
",
    )
    .await;
    let states: Vec<State> = verdicts.iter().map(|row| row[0].state).collect();
    use State::{Fails, Holds, NotAsked};
    assert_eq!(states, [Holds, Holds, Fails, NotAsked, Holds], "{verdicts:#?}");
}

#[tokio::test]
async fn a_copy_too_many_that_comes_late_is_still_one_too_many() {
    let address = free_address();
    let catchers = Catchers::listen(&[("here".to_owned(), address)]).unwrap();
    let targets = [Target::find(&format!("it={address}")).await.unwrap()];
    let live = Live { targets: &targets, catchers: Some(&catchers), standing: Standing::Xclient, pace: PACE };
    let mut first = Vec::new();
    let one = behaviours("[[behaviour]]\nname = 'once'\nbecomes = 'bob@example.org'\n");
    let verdicts = live
        .run(&one, |_, _, state| {
            first.push(state);
            catchers.again();
        })
        .await;
    let [verdict] = &*verdicts[0] else { panic!("one verdict") };
    assert_eq!((&*first, verdict.state), (&[State::Holds][..], State::Fails));
    assert_eq!(verdict.findings[0].seen, "bob@example.org, bob@example.org");
    catchers.end().await;
}

#[tokio::test]
async fn copies_are_judged_up_to_a_bound_and_more_are_told() {
    for (copies, trouble) in [
        (catch::MOST_COPIES, None),
        (catch::MOST_COPIES + 1, Some("more than 100 copies came of this message")),
        (catch::MOST_COPIES + 50, Some("more than 100 copies came of this message")),
    ] {
        let to: Vec<String> = (0..copies).map(|number| format!("'user{number}@example.org'")).collect();
        let to = to.join(", ");
        let text = format!("[[behaviour]]\nname = 'many'\nto = [{to}]\nbecomes = [{to}]\n");
        let verdict = caught_by_itself(&text).await.remove(0).remove(0);
        let state = if trouble.is_some() { State::Fails } else { State::Holds };
        assert_eq!((verdict.state, verdict.trouble.as_deref()), (state, trouble), "{copies}");
    }
}

#[tokio::test]
async fn mail_in_a_maildir_has_arrived() {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("bob@example.org/new");
    std::fs::create_dir_all(&new).unwrap();
    let write = |name: &str, text: &str| {
        let aside = folder.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(&aside).unwrap(), text.as_bytes()).unwrap();
        std::fs::rename(aside, new.join(name)).unwrap();
    };
    write("1", "X-Switchyard-Behaviour: old\n\n");
    let mut catchers = Catchers::listen(&[]).unwrap();
    catchers.watch("boxes", folder.path()).unwrap();
    assert!(catchers.watch("boxes", folder.path()).is_err(), "a name stands once");
    catchers.expect("new");
    let more = catchers.more();
    write("2", "Return-Path: <ann@client.example>\nX-Switchyard-Behaviour: new\n\n");
    more.await;
    let [copy] = &*catchers.caught("new") else { panic!("one copy") };
    assert_eq!((&*copy.place, &*copy.from, &*copy.to), ("boxes", "ann@client.example", "bob@example.org"));
    assert!(catchers.caught("old").is_empty(), "what lay there is nobody's");
    let more = catchers.more();
    write("3", "X-Switchyard-Behaviour: of another run\n\n");
    more.await;
    assert_eq!((catchers.caught("of another run").len(), catchers.strangers()), (0, 1));
    assert!(catchers.watch("none", &folder.path().join("none")).is_err());
    catchers.end().await;
}

#[tokio::test]
async fn a_reply_has_its_stage() {
    for (script, reply, stage) in [
        ("S: 554 5.3.2 closed\nX", "554 5.3.2 closed", "connect"),
        ("S: 220 mx\nC: EHLO *\nS: 450 4.7.1 later\nC: QUIT\nS: 221 bye\nX", "450 4.7.1 later", "helo"),
        (
            "S: 220 mx\nC: EHLO *\nS: 250 mx\nC: MAIL *\nS: 553 5.1.8 no\nC: QUIT\nS: 221 bye\nX",
            "553 5.1.8 no",
            "mail",
        ),
        (
            "S: 220 mx\nC: EHLO *\nS: 250 mx\nC: MAIL *\nS: 250 ok\nC: RCPT *\nS: 550 5.1.1 nobody\nC: QUIT\nS: 221 bye\nX",
            "550 5.1.1 nobody",
            "rcpt",
        ),
    ] {
        let text = format!("[[behaviour]]\nname = 'n'\nreply = '{reply}'\nat = '{stage}'\n");
        let verdict = alone(scripted(script).await, &text, PACE).await;
        assert_eq!(verdict.state, State::Holds, "{script}\n{verdict:#?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_meets_the_deadline() {
    let pace = Pace { deadline: Duration::from_millis(100), ..PACE };
    let text = "[[behaviour]]\nname = 'n'\nreply = 250\n";
    let verdict = alone(scripted("S: 220 mx\nC: EHLO *").await, text, pace).await;
    assert_eq!(verdict.state, State::Fails);
    assert_eq!(verdict.trouble.as_deref(), Some("no end of the dialogue within 100ms"));
}

#[tokio::test]
async fn a_client_is_spoken_for_or_not_asked() {
    let xclient = "S: 220 mx\nC: EHLO behave.invalid\nS: 250-mx\nS: 250 XCLIENT NAME ADDR\n\
                   C: XCLIENT NAME=ann.example ADDR=192.0.2.7\nS: 550 5.7.1 not you\nX";
    let text = "[[behaviour]]\nname = 'n'\nclient = '192.0.2.7'\nclient_name = 'ann.example'\nreply = '550 5.7.1'\nat = 'connect'\n";
    let verdict = alone(scripted(xclient).await, text, PACE).await;
    assert_eq!(verdict.state, State::Holds, "{verdict:#?}");
    let none = "S: 220 mx\nC: EHLO behave.invalid\nS: 250 mx\nC: QUIT\nS: 221 bye\nX";
    let verdict = alone(scripted(none).await, text, PACE).await;
    assert_eq!(verdict.state, State::NotAsked, "{verdict:#?}");
    assert!(verdict.trouble.unwrap().contains("needs XCLIENT"));
    // The tester's own address is refused: that says nothing of the client.
    let denied = "S: 554 5.7.1 not the tester\nX";
    let refusal = "[[behaviour]]\nname = 'n'\nclient = '192.0.2.7'\nreply = '554'\n";
    let verdict = alone(scripted(denied).await, refusal, PACE).await;
    assert_eq!(verdict.state, State::NotAsked, "{verdict:#?}");
    assert!(verdict.trouble.unwrap().contains("554 5.7.1 not the tester"));
}

#[tokio::test]
async fn a_client_name_is_said_or_the_behaviour_is_not_asked() {
    let text =
        "[[behaviour]]\nname = 'n'\nclient = '127.0.0.1'\nclient_name = 'ann.example'\nreply = '554'\n";
    let denied = "S: 554 5.7.1 no\nX";
    for standing in [Standing::Proxy, Standing::Xclient] {
        let targets = [scripted(denied).await];
        let live = Live { targets: &targets, catchers: None, standing, pace: PACE };
        let verdict = live.run(&behaviours(text), |_, _, _| ()).await.remove(0).remove(0);
        assert_eq!(verdict.state, State::NotAsked, "{verdict:#?}");
        assert!(verdict.trouble.unwrap().contains("`client_name` needs XCLIENT from scripted"));
    }
}

#[tokio::test]
async fn a_proxy_header_speaks_for_the_client_before_the_greeting() {
    let script = "C: PROXY TCP4 192.0.2.7 127.0.0.1 45000 *\nS: 220 mx\nC: EHLO behave.invalid\nS: 550 5.7.1 no\n\
                  C: HELO *\nS: 550 5.7.1 not you\nX";
    let text = "[[behaviour]]\nname = 'n'\nclient = '192.0.2.7'\nreply = '550 5.7.1 not you'\nat = 'helo'\n";
    let targets = [scripted(script).await];
    let live = Live { targets: &targets, catchers: None, standing: Standing::Proxy, pace: PACE };
    let verdict = live.run(&behaviours(text), |_, _, _| ()).await.remove(0).remove(0);
    assert_eq!(verdict.state, State::Holds, "{verdict:#?}");
}

#[tokio::test]
async fn a_server_that_is_none_is_told_at_once() {
    for (words, why) in [
        ("mx", "`mx` is no server: write HOST:PORT"),
        ("old=", "is no server"),
        ("127.0.0.1:none", "`127.0.0.1:none` is no server"),
    ] {
        let told = Target::find(words).await.unwrap_err().to_string();
        assert!(told.contains(why), "{words}: {told}");
    }
    let told = Target::find(&format!("new={}", free_address())).await.unwrap_err().to_string();
    assert!(told.starts_with("new: nobody answers at 127.0.0.1:"), "{told}");
    let here = ("a".to_owned(), free_address());
    let twins = Catchers::listen(&[here.clone(), here]).unwrap_err().to_string();
    assert!(twins.contains("two catchers are named `a`"), "{twins}");
}
