//! `switchyard explain`: what it says is what the daemons do, from a folder and from running ones alike.

use std::path::Path;

use switchyard_tests::talk::Talk;
use switchyard_tests::tool::{Told, example, switchyard, write};
use switchyard_tests::up::Up;

fn explain(site: &str, arguments: &[&str]) -> Told {
    switchyard(["explain", site].iter().chain(arguments))
}

#[test]
fn the_example_site_is_explained_in_words_that_stay() {
    let (_folder, site) = example();
    let told = explain(&site, &["--to", "team+x@example.org", "--client", "192.0.2.1"]);
    assert_eq!((told.code, told.speech.as_str()), (Some(0), ""), "{told:?}");
    let expected = include_str!("explain/team.txt");
    assert_eq!(told.data.replace(&site, "SITE"), expected);
}

#[test]
fn a_folder_and_running_daemons_say_the_same_words() {
    let up = Up::start();
    let site = up.site().display().to_string();
    let (mx, router) = (up.control("mx"), up.control("router"));
    // The pool's port is this machine's; the folder has the site's.
    let sink = format!("[127.0.0.1]:{}", up.mx().port() + 2);
    for to in ["alice@example.org", "Team@Example.ORG", "nobody@example.org", "<postmaster>", "a@b.example"] {
        let from_folder = explain(&site, &["--to", to, "--from", "", "--client", "127.0.0.1"]);
        let mut words: Vec<&str> = vec!["explain", "--to", to, "--from", "", "--client", "127.0.0.1"];
        for socket in [&mx, &router] {
            words.extend(["--daemon", socket.to_str().expect("a plain path")]);
        }
        let mut from_daemons = switchyard(words);
        from_daemons.data = from_daemons.data.replace(&sink, "[127.0.0.1]:24");
        assert_eq!(from_folder, from_daemons, "{to}");
        assert!(from_folder.data.contains("(mx)\n"), "{from_folder:?}");
    }
}

#[test]
fn what_is_explained_is_what_a_client_hears() {
    let up = Up::start();
    let site = up.site().display().to_string();
    for (host, address) in [("mx1", up.mx()), ("router1", up.router())] {
        for to in ["alice@example.org", "nobody@example.org", "alice@other.example", "u%x.org@example.org"] {
            let told = explain(
                &site,
                &["--host", host, "--to", to, "--from", "a@b.example", "--client", "127.0.0.1", "--json"],
            );
            let told = told.json();
            let steps = told[0]["steps"].as_array().expect("steps").clone();
            let step = steps.iter().find(|step| step["stage"] == "recipient").expect("a verdict");
            let mut talk = Talk::hello(address);
            assert_eq!(talk.say("MAIL FROM:<a@b.example>").code, 250);
            let heard = talk.say(&format!("RCPT TO:<{to}>"));
            assert_eq!(step["says"], format!("{} {}", heard.code, heard.text.trim_end()), "{host} {to}");
        }
    }
}

#[test]
fn a_map_that_cannot_be_asked_is_shown_as_such() {
    let (_folder, site) = example();
    write(&Path::new(&site).join("maps/recipients"), "two words@example.org OK\n");
    let told = explain(&site, &["--host", "mx1", "--to", "alice@example.org"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.speech.contains("recipients:1:"), "what is wrong is said with its place: {told:?}");
    assert!(told.data.contains("cannot say: ") && told.data.contains("nobody knows: 451 4.3.0"), "{told:?}");
}

#[test]
fn a_question_that_is_none_is_told_at_once() {
    let (_folder, site) = example();
    let nowhere = format!("{site}/nowhere");
    for (arguments, why) in [
        (vec!["--to", "a b@example.org"], "is no recipient"),
        (vec!["--to", "a@example.org", "--from", "x@"], "is no sender"),
        (vec!["--to", "a@example.org", "--host", "mx9"], "no host `mx9`"),
        (vec!["--to", "a@example.org", "--client", "here"], "invalid value 'here'"),
        (vec![], "--to"),
    ] {
        let told = explain(&site, &arguments);
        assert_eq!((told.code, told.data.as_str()), (Some(2), ""), "{arguments:?}: {told:?}");
        assert!(told.speech.contains(why), "{arguments:?}: {told:?}");
    }
    for arguments in [
        vec!["explain", &nowhere, "--to", "a@example.org"],
        vec!["explain", "--daemon", &nowhere, "--to", "a@example.org"],
        vec!["explain", "--to", "a@example.org"],
    ] {
        assert_eq!(switchyard(&arguments).code, Some(2), "{arguments:?}");
    }
}
