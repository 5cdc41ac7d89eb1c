//! The content of messages, by DATA and by chunks: where it ends, and what refuses it.

use super::*;

#[test]
fn a_message_by_data_and_by_chunks() {
    let mut server = Server::in_transaction();
    assert_eq!(server.say("DATA\r\n"), "354");
    assert_eq!(server.say("S: x\r\n\r\n..dot\r\n.\r\n"), "250");
    assert_eq!(
        server.say("MAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 6\r\nS: x\r\nBDAT 8 LAST\r\n\r\n.dot\r\n"),
        "250 250 250 250"
    );
    assert_eq!(server.taken[0].1, server.taken[1].1, "one form, however it came");
    assert_eq!(server.say("QUIT\r\n"), "221");
    assert!(server.closed);
}

#[test]
fn e2_to_e9_a_false_end_is_refused_at_the_true_one_and_nothing_is_taken() {
    let vectors: [&[u8]; 16] = [
        b"\n.\n",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r",
        b"\r.\n",
        b"\r.\r\n",
        b"\n.\r",
        b"\r\n.\r",
        b"\r\n.\r\r\n",
        b"\r\r\n",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
        b"\n\n.\r\n",
        b"a\nb",
        b"a\rb",
        b"a\0b",
    ];
    for vector in vectors {
        // E12: commands hidden behind the false end are content.
        let text =
            [b"S: x\r\n\r\nbody", vector, b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<e@x.example>\r\n.\r\n"]
                .concat();
        // E11: wherever the segments end.
        for cut in 0..text.len() {
            let mut server = Server::in_transaction();
            assert_eq!(server.say("DATA\r\n"), "354");
            let first = server.say(&text[..cut]);
            let second = server.say(&text[cut..]);
            assert_eq!((first.as_str(), second.as_str()), ("", "550"), "{vector:?} cut at {cut}");
            assert!(server.taken.is_empty() && server.say("NOOP\r\n") == "250", "{vector:?} cut at {cut}");
        }
    }
}

#[test]
fn e10_dots_that_are_content_stay() {
    let mut server = Server::in_transaction();
    server.say("DATA\r\n");
    assert_eq!(server.say("S: x\r\n\r\n..\r\n. \r\n.\r\n"), "250");
    assert_eq!(server.taken[0].1, b"S: x\r\n\r\n..\r\n. \r\n");
}

#[test]
fn e13_chunks_of_text_hold_lines_and_binary_ones_anything() {
    for (parameter, code) in [("", "550"), (" BODY=8BITMIME", "550"), (" BODY=BINARYMIME", "250")] {
        let mut server = Server::plain();
        server.say("EHLO a\r\n");
        server.say(format!("MAIL FROM:<a@b.example>{parameter}\r\nRCPT TO:<c@d.example>\r\n"));
        assert_eq!(server.say("BDAT 3\r\na\nbBDAT 4 LAST\r\n\r\n\0\r"), format!("250 {code}"), "{parameter}");
    }
}

#[test]
fn s1_after_a_refused_message_nothing_of_it_is_left() {
    let mut server = Server::in_transaction();
    server.say("DATA\r\n");
    assert_eq!(server.say("a\nb\r\n.\r\n"), "550");
    assert_eq!(server.say("RCPT TO:<c@d.example>\r\n"), "503");
    assert_eq!(server.say("DATA\r\n"), "503");
    assert!(server.session.transaction().is_none());
}

#[test]
fn s2_s7_data_and_chunks_do_not_mix() {
    let mut server = Server::in_transaction();
    assert_eq!(server.say("BDAT x\r\n"), "501");
    assert!(server.closed, "the size is not known");
    let mut server = Server::in_transaction();
    assert_eq!(server.say("BDAT 2\r\nabDATA\r\n"), "250 503");
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\n"), "503", "the chunks' transaction is still open");
    assert_eq!(server.say("BDAT 2 LAST\r\n\r\n"), "250");
    assert_eq!(server.say("BDAT 2 LAST\r\n\r\n"), "503");
}

#[test]
fn s4_a_chunk_out_of_order_is_read_past_and_the_session_stays_in_step() {
    let mut server = Server::plain();
    server.say("EHLO a\r\n");
    assert_eq!(server.say("BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"), "503 250");
    server.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(server.say("BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n"), "503 250");
}

#[test]
fn s5_sizes_that_are_none() {
    for size in ["18446744073709551616", "-1", "0x10", "1 last ", "1 LASTX", ""] {
        let mut server = Server::in_transaction();
        assert_eq!(server.say(format!("BDAT {size}\r\n")), "501", "{size}");
        assert!(server.closed);
    }
    let mut server = Server::in_transaction();
    assert_eq!(server.say("BDAT 18446744073709551615 LAST\r\n"), "552");
    assert!(server.closed, "nobody reads past so much");
}

#[test]
fn s6_empty_chunks_have_an_end() {
    let mut server = Server::in_transaction();
    let replies = server.say("BDAT 0\r\n".repeat(1000));
    // EHLO was the first of a hundred.
    assert_eq!(replies.matches("250").count(), 99);
    assert!(replies.ends_with("421") && server.closed);
}

#[test]
fn s8_the_size_limit_holds_whatever_was_declared() {
    let limits = || Limits { message_size: 1000, ..Limits::default() };
    let mut server = Server::new(limits(), |_| {});
    server.say("EHLO a\r\n");
    assert_eq!(server.say("MAIL FROM:<a@b.example> SIZE=1001\r\n"), "552");
    server.say("MAIL FROM:<a@b.example> SIZE=1\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    assert_eq!(server.say(format!("{}.\r\n", "x\r\n".repeat(1000))), "552");
    server.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n");
    assert_eq!(
        server.say(format!("BDAT 600\r\n{0}BDAT 600\r\n{0}NOOP\r\n", "x\r\n".repeat(200))),
        "250 552 250"
    );
    let drain = Limits { message_size: 1000, discarded_message: 2000, ..Limits::default() };
    let mut server = Server::new(drain, |_| {});
    server.say("EHLO a\r\n");
    server.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
    let replies: String =
        (0..100).map(|_| if server.closed { String::new() } else { server.say([b'x'; 100]) }).collect();
    assert_eq!(replies, "552");
    assert!(server.closed);
}

#[test]
fn r3_r7_headers_have_bounds_and_their_names_are_only_bytes() {
    for (header, code) in [
        ("X: y\r\n".repeat(1000), "250"),
        ("X: y\r\n".repeat(1001), "552"),
        (format!("X: {}\r\n", "y\r\n ".repeat(300_000)), "552"),
        (format!("X: {}\r\n", "y".repeat(100_001)), "550"),
        ("__proto__: 1\r\n: 2\r\n\u{1}é: 3\r\n".into(), "250"),
        (format!("{}: 1\r\n", "n".repeat(64 << 10)), "250"),
        (" goes on our trace field\r\nX: y\r\n".into(), "550"),
        ("\tgoes on our trace field\r\n".into(), "550"),
    ] {
        let mut server = Server::in_transaction();
        server.say("DATA\r\n");
        assert_eq!(server.say(format!("{header}\r\nbody\r\n.\r\n")), code, "{:.40}", header);
    }
}

#[test]
fn r6_parts_within_parts_are_only_lines() {
    let mut server = Server::in_transaction();
    server.say("DATA\r\n");
    let part = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n";
    let nested = part.repeat(20_000);
    assert_eq!(server.say(format!("{nested}.\r\n")), "250");
    assert_eq!(server.taken, [(1, nested.into_bytes())]);
}

#[test]
fn l1_a_hundred_hops_pass_and_one_more_does_not() {
    for (hops, code) in [(100, "250"), (101, "554")] {
        let mut server = Server::in_transaction();
        server.say("DATA\r\n");
        assert_eq!(server.say(format!("{}\r\nbody\r\n.\r\n", "rEceived: x\r\n\ty\r\n".repeat(hops))), code);
    }
}
