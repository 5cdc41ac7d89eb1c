//! What has an end: lines, commands that do nothing, errors, recipients, and patience with what is no SMTP.

use super::*;

#[test]
fn e14_stray_bytes_in_a_command_are_refused_and_the_third_ends_it() {
    let mut server = Server::plain();
    assert_eq!(server.say("EHLO a\nMAIL FROM:<a@b.example>\r\n"), "500");
    assert_eq!(server.say("NOOP\0\r\n"), "500");
    assert_eq!(server.say("NOOP\r\r\n"), "421");
    assert!(server.closed);
}

#[test]
fn t10_another_protocol_is_shown_the_door_at_its_first_line() {
    for text in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST / HTTP/1.1\r\n",
        b"CONNECT a:25\r\n",
        b"\x16\x03\x01\x02",
        b"\xff\xfe",
    ] {
        let mut server = Server::plain();
        assert_eq!(server.say(text), "421", "{text:?}");
        assert!(server.closed);
    }
    let mut server = Server::plain();
    assert_eq!(server.say("X: y\r\nHost: a\r\nMAIL FROM:<a@b.example>\r\n"), "500 421");
}

#[test]
fn s3_vrfy_leaves_a_transaction_alone() {
    let mut server = Server::in_transaction();
    assert_eq!(server.say("VRFY grüße\r\n"), "252");
    assert_eq!(server.say("DATA\r\n"), "354");
}

#[test]
fn s11_nothing_is_answered_after_the_end() {
    let mut server = Server::plain();
    assert_eq!(server.say("QUIT\r\nQUIT\r\nNOOP\r\n"), "221");
    assert_eq!(server.say("NOOP\r\n"), "");
    assert!(server.closed);
}

#[test]
fn r2_a_line_without_end_is_answered_once_and_then_left() {
    let mut server = Server::plain();
    assert_eq!(server.say([b'a'; 4096]), "500");
    assert_eq!(server.say([b'a'; 4096]), "");
    assert_eq!(server.say("tail\r\nNOOP\r\n"), "250");
    let replies: String = (0..64).map(|_| server.say([b'a'; 4096])).collect();
    assert_eq!(replies, "500421");
    assert!(server.closed);
}

#[test]
fn r4_recipients_have_a_limit_and_an_overshoot() {
    let limits = Limits { recipients: 100, recipient_overshoot: 50, ..Limits::default() };
    let mut server = Server::new(limits, |_| {});
    server.say("EHLO a\r\n");
    server.say("MAIL FROM:<a@b.example>\r\n");
    let replies = server.say("RCPT TO:<c@d.example>\r\n".repeat(1000));
    assert_eq!(replies.matches("250").count(), 100);
    assert_eq!(replies.matches("452").count(), 50);
    assert!(replies.ends_with("421") && server.closed);
}

#[test]
fn r5_commands_that_do_nothing_have_a_limit() {
    for command in ["NOOP\r\n", "RSET\r\n", "VRFY a\r\n", "HELP\r\n"] {
        let mut server = Server::plain();
        server.say("EHLO a\r\n");
        let replies = server.say(command.repeat(10_000));
        assert_eq!(replies.split(' ').count(), 100, "{command}");
        assert!(replies.ends_with("421") && server.closed);
    }
    let mut server = Server::plain();
    let replies = server.say("\r\n".repeat(10_000));
    assert_eq!(replies.split(' ').count(), 21, "empty lines are errors");
    assert!(server.closed);
}

#[test]
fn r2_what_follows_a_whole_line_that_is_too_long_is_answered() {
    let mut server = Server::plain();
    let long = "a".repeat(5000);
    assert_eq!(server.say(format!("NOOP {long}\r\nNOOP\r\n")), "500 250");
    assert_eq!(server.say("NOOP\r\n"), "250");
}

#[test]
fn errors_are_counted_from_the_last_message_that_was_taken() {
    let mut server = Server::plain();
    server.say("EHLO client.example\r\n");
    for _ in 0..50 {
        let refused = "MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@d.example>\r\nRCPT TO:<c@d.example>\r\n";
        assert_eq!(server.say(refused), "250 550 250");
        assert_eq!(server.say("BDAT 2 LAST\r\n\r\n"), "250");
    }
}
