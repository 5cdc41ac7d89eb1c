//! The first command of the README, as a person tries it.

use std::fs;

use switchyard_tests::expect;
use switchyard_tests::peer::sink::Sink;
use switchyard_tests::peer::swaks::swaks;
use switchyard_tests::peer::{free_address, nexthop};
use switchyard_tests::trace;
use switchyard_tests::up::Up;

const ALICE: &str = "alice@example.org";

#[test]
fn what_swaks_sends_lies_in_the_maildir_with_two_received_fields_and_its_body_byte_for_byte() {
    let up = Up::start();
    // swaks knows \n in an argument, and ends what it is given with one more line end.
    let body = "One line.\\n.a dot first\\n\\n..\\ncaf\u{e9} and a tab\tand blanks  \\n\\nend";
    let outcome = swaks(up.mx(), ALICE, &["--from", "bob@client.example", "--body", body]);
    assert!(outcome.well, "{}", outcome.transcript);
    expect::holds("the message in the Maildir", || up.mail(ALICE).len() == 1);
    let message = up.mail(ALICE).remove(0);
    let text = String::from_utf8_lossy(&message);
    assert!(text.starts_with("Return-Path: <bob@client.example>\r\nReceived: from "), "{text}");
    assert_eq!(trace::received(&message), 2, "{text}");
    let (_, told) = text.split_once("\r\n\r\n").expect("a header and a body");
    assert_eq!(told, format!("{}\r\n\r\n", body.replace("\\n", "\r\n")));
    assert!(up.interrupt().success());
}

#[test]
fn an_edited_transport_map_routes_the_next_message_elsewhere_and_a_broken_edit_changes_nothing() {
    let up = Up::start();
    let send = |up: &Up| {
        let outcome = swaks(up.mx(), ALICE, &[]);
        assert!(outcome.well, "{}", outcome.transcript);
    };
    let swaps = |up: &Up| up.log().matches("new maps are in use").count();
    let before = fs::read_to_string(up.map("transport")).expect("the example's transport map");
    send(&up);
    expect::holds("a message in the Maildir", || up.mail(ALICE).len() == 1);

    let (elsewhere, known) = (Sink::start(&[], None), swaps(&up));
    up.edit("transport", &format!("example.org  smtp:{}\n", nexthop(elsewhere.address())));
    expect::holds("the edit to be live", || swaps(&up) > known);
    send(&up);
    let _ = elsewhere.wait_for(1, expect::PATIENCE);

    let nowhere = nexthop(free_address());
    up.edit("transport", &format!("# moved\nexample.org smtp:{nowhere}\nexample.net nonsense:[:::\n"));
    let fault = format!("{}", up.map("transport").display());
    expect::holds("the fault in the log, with its file and line", || {
        let log = up.log();
        let line = log.lines().find(|line| line.contains("ERROR") && line.contains(&fault));
        line.is_some_and(|line| line.contains("line=3") || line.contains("transport:3"))
    });
    send(&up);
    let _ = elsewhere.wait_for(2, expect::PATIENCE);
    assert_eq!(up.mail(ALICE).len(), 1, "a broken map is as if it were not there");

    let known = swaps(&up);
    up.edit("transport", &before);
    expect::holds("the map as it was to be live", || swaps(&up) > known);
    send(&up);
    expect::holds("the next message in the Maildir again", || up.mail(ALICE).len() == 2);
    assert_eq!(elsewhere.messages(), 2);
    assert!(up.interrupt().success());
}
