//! Dialogues: bytes in, replies out, and what was taken. Each test bears the id of the threat it answers.

use std::sync::Arc;

use bytes::BytesMut;

use super::*;
use crate::address::Mailbox;
use crate::server::Took;

struct Taken;

impl Took for Taken {
    fn reply(&self) -> Reply {
        table::TAKEN
    }
}

/// A session and a service that takes everything but recipients named `nobody`.
struct Server {
    session: Session<()>,
    input: BytesMut,
    /// What was taken: how many recipients, and the content.
    taken: Vec<(usize, Vec<u8>)>,
    closed: bool,
    upgrades: usize,
}

impl Server {
    fn new(limits: Limits, change: impl FnOnce(&mut Offer)) -> Self {
        let mut offer = Offer {
            size: limits.message_size,
            recipients: limits.recipients as u32,
            starttls: true,
            require_tls: false,
            xclient: false,
            xforward: false,
            priority: false,
            xtxn: false,
        };
        change(&mut offer);
        let client = Client {
            address: "192.0.2.1:4711".parse().unwrap(),
            hello: None,
            tls: None,
            verified: false,
            forwarded: None,
        };
        let session = Session::new("mx.example".into(), Arc::new(limits), offer, Dialect::Smtp, client);
        let mut server =
            Self { session, input: BytesMut::new(), taken: Vec::new(), closed: false, upgrades: 0 };
        server.session.greet(Ok(()), &[]);
        assert_eq!(server.codes(), "220");
        server
    }

    fn plain() -> Self {
        Self::new(Limits::default(), |_| {})
    }

    /// In a transaction with one recipient.
    fn in_transaction() -> Self {
        let mut server = Self::plain();
        assert_eq!(server.say("EHLO client.example\r\n"), "250");
        assert_eq!(server.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"), "250 250");
        server
    }

    /// Feeds bytes and gives the codes of the replies, one each.
    fn say(&mut self, bytes: impl AsRef<[u8]>) -> String {
        self.input.extend_from_slice(bytes.as_ref());
        loop {
            match self.session.step(&mut self.input) {
                Step::Read => break,
                Step::Hello => self.session.hello(Ok(())),
                Step::Sender(sender) => self.session.sender(*sender, Ok(())),
                Step::Recipient(recipient) => {
                    let local =
                        recipient.forward_path.mailbox().map(|mailbox: &Mailbox| mailbox.local.as_str());
                    let verdict = if local == Some("nobody") { Err(table::NO_SUCH_USER) } else { Ok(()) };
                    self.session.recipient(*recipient, verdict);
                }
                Step::Data { .. } => self.session.data(Ok(())),
                Step::Content(transaction, content) => {
                    let recipients = transaction.envelope.recipients.len();
                    self.taken.push((recipients, content.wire.to_vec()));
                    self.session.content(recipients, Ok(Taken));
                }
                Step::Xclient => {
                    let offer = self.session.offer().clone();
                    self.session.xclient(Ok(offer));
                }
                Step::StartTls(_) => {
                    self.upgrades += 1;
                    self.session.tls_started("TLSv1.3".into(), false);
                }
                Step::Close => {
                    self.closed = true;
                    break;
                }
            }
        }
        self.codes()
    }

    fn codes(&mut self) -> String {
        let output = String::from_utf8(self.session.output().to_vec()).unwrap();
        self.session.written();
        assert!(output.is_empty() || output.ends_with("\r\n"));
        let last_lines = output.lines().filter(|line| line.as_bytes()[3] == b' ');
        last_lines.map(|line| &line[..3]).collect::<Vec<_>>().join(" ")
    }
}

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
fn e14_stray_bytes_in_a_command_are_refused_and_the_third_ends_it() {
    let mut server = Server::plain();
    assert_eq!(server.say("EHLO a\nMAIL FROM:<a@b.example>\r\n"), "500");
    assert_eq!(server.say("NOOP\0\r\n"), "500");
    assert_eq!(server.say("NOOP\r\r\n"), "421");
    assert!(server.closed);
}

#[test]
fn t1_nothing_said_before_tls_is_heard_inside_it() {
    for injected in ["NOOP\r\n", "RSET\r\n", "MAI"] {
        let mut server = Server::plain();
        server.say("EHLO a\r\n");
        assert_eq!(server.say(format!("STARTTLS\r\n{injected}")), "554");
        assert!(server.closed && server.upgrades == 0);
    }
}

#[test]
fn t3_t4_tls_forgets_the_hello_and_comes_once() {
    let mut server = Server::plain();
    assert_eq!(server.say("STARTTLS\r\n"), "503", "before any hello");
    server.say("EHLO a\r\n");
    assert_eq!(server.say("STARTTLS x\r\n"), "501");
    server.say("MAIL FROM:<a@b.example>\r\n");
    assert_eq!(server.say("STARTTLS\r\n"), "503", "in a transaction");
    server.say("RSET\r\n");
    assert_eq!(server.say("STARTTLS\r\n"), "220");
    assert_eq!(server.say("RCPT TO:<c@d.example>\r\nMAIL FROM:<a@b.example>\r\n"), "503 503");
    server.say("EHLO a\r\n");
    assert!(!server.session.offer().starttls);
    assert_eq!(server.say("STARTTLS\r\n"), "503");
}

#[test]
fn t5_commands_sent_too_early_end_the_session() {
    let mut server = Server::plain();
    assert_eq!(server.say("EHLO a\r\nMAIL FROM:<a@b.example>\r\n"), "554");
    assert!(server.closed);
    let mut server = Server::in_transaction();
    assert_eq!(server.say("DATA\r\nS: x\r\n"), "554");
    assert!(server.closed && server.taken.is_empty());
    let mut server = Server::plain();
    server.session.greet(Ok(()), b"EHLO a\r\n");
    assert_eq!((server.codes().as_str(), server.say("")), ("554", String::new()));
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
fn s3_vrfy_leaves_a_transaction_alone() {
    let mut server = Server::in_transaction();
    assert_eq!(server.say("VRFY grüße\r\n"), "252");
    assert_eq!(server.say("DATA\r\n"), "354");
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
fn s9_the_order_of_a_transaction() {
    let mut server = Server::plain();
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\n"), "503");
    server.say("EHLO a\r\n");
    assert_eq!(server.say("RCPT TO:<c@d.example>\r\nDATA\r\n"), "503 503");
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n"), "250 503 503");
    assert_eq!(server.say("RCPT TO:<nobody@d.example>\r\nDATA\r\n"), "550 554");
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

#[test]
fn a3_the_bare_postmaster_is_always_a_recipient() {
    let mut server = Server::plain();
    server.say("EHLO a\r\n");
    assert_eq!(server.say("MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<>\r\n"), "250 250 501");
}

#[test]
fn a9_addresses_beyond_ascii_need_smtputf8() {
    let mut server = Server::plain();
    server.say("EHLO a\r\n");
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\nRCPT TO:<é@d.example>\r\n"), "250 553");
    server.say("RSET\r\n");
    assert_eq!(server.say("MAIL FROM:<é@b.example> SMTPUTF8\r\nRCPT TO:<é@d.example>\r\n"), "250 250");
    server.say("RSET\r\n");
    assert_eq!(server.say(&b"MAIL FROM:<\xe9@b.example> SMTPUTF8\r\n"[..]), "553");
}

#[test]
fn xclient_xforward_and_xtxn_only_where_offered() {
    let transaction = format!("MAIL FROM:<a@b.example> XTXN={:032x}\r\n", 7);
    let mut server = Server::plain();
    server.say("EHLO a\r\n");
    assert_eq!(
        server.say(format!("XCLIENT ADDR=192.0.2.9\r\nXFORWARD ADDR=192.0.2.9\r\n{transaction}")),
        "503 503 555"
    );
    let mut server = Server::new(Limits::default(), |offer| {
        (offer.xclient, offer.xforward, offer.xtxn) = (true, true, true);
    });
    server.say("EHLO a\r\n");
    assert_eq!(server.say("XCLIENT ADDR=192.0.2.9 HELO=c.example\r\n"), "220");
    assert_eq!(server.session.client().address.ip().to_string(), "192.0.2.9");
    server.say("EHLO a\r\n");
    assert_eq!(server.say(format!("XFORWARD ADDR=192.0.2.8\r\n{transaction}")), "250 250");
    assert_eq!(
        server.session.client().forwarded.as_ref().unwrap().address,
        Some("192.0.2.8".parse().unwrap())
    );
    // A named transaction is taken whole or not at all.
    assert_eq!(
        server.say("RCPT TO:<c@d.example>\r\nRCPT TO:<nobody@d.example>\r\nBDAT 2 LAST\r\n\r\n"),
        "250 550 554"
    );
    assert!(server.taken.is_empty());
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

fn lmtp(recipients: usize) -> Server {
    let mut server = Server::new(Limits { message_size: 1000, ..Limits::default() }, |_| {});
    server.session.dialect = Dialect::Lmtp;
    assert_eq!(server.say("LHLO client.example\r\n"), "250");
    server.say("MAIL FROM:<a@b.example>\r\n");
    for _ in 0..recipients {
        server.say("RCPT TO:<c@d.example>\r\n");
    }
    server
}

#[test]
fn lmtp_refuses_for_each_recipient_and_counts_it_once() {
    let mut server = lmtp(30);
    assert_eq!(server.say("DATA\r\n"), "354");
    assert_eq!(server.say("S: x\n\r\n.\r\n"), vec!["550"; 30].join(" "));
    assert!(!server.closed);
    // The last chunk is answered as the end of data is, refused or not; one before it has one answer.
    let mut server = lmtp(2);
    assert_eq!(server.say(["BDAT 1001 LAST\r\n", &"x".repeat(1001), "NOOP\r\n"].concat()), "552 552 250");
    let mut server = lmtp(2);
    assert_eq!(server.say(["BDAT 1001\r\n", &"x".repeat(1001), "NOOP\r\n"].concat()), "552 250");
}

#[test]
fn what_one_client_showed_is_not_another_ones() {
    let mut server = Server::new(Limits::default(), |offer| {
        (offer.xclient, offer.xforward) = (true, true);
    });
    server.say("EHLO a\r\n");
    server.session.client.verified = true;
    assert_eq!(server.say("XFORWARD ADDR=192.0.2.8\r\nRSET\r\n"), "250 250");
    assert_eq!(server.session.client().forwarded, None, "RSET forgets whom the next message was from");
    assert_eq!(server.say("XFORWARD ADDR=192.0.2.8\r\nXCLIENT ADDR=192.0.2.9\r\n"), "250 220");
    assert!(!server.session.client().verified, "the certificate was the other's");
    assert_eq!(server.session.client().forwarded, None);
}

#[test]
fn a_draining_session_ends_once_its_transaction_is_over() {
    let mut server = Server::in_transaction();
    server.session.drain();
    assert_eq!(server.say("DATA\r\n"), "354");
    assert_eq!(server.say("S: x\r\n\r\n.\r\n"), "250 421");
    assert!(server.closed && server.taken.len() == 1);
}

mod model {
    //! S10: sessions of random commands against a model of the few words that matter.

    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone, Copy)]
    enum Word {
        Ehlo,
        Mail,
        Rcpt,
        RcptNobody,
        Data,
        BadData,
        Chunk,
        LastChunk,
        Rset,
        Noop,
        StartTls,
    }

    #[derive(Default)]
    struct Model {
        greeted: bool,
        tls: bool,
        mail: bool,
        recipients: usize,
        chunking: bool,
        refused: bool,
        taken: usize,
    }

    impl Model {
        fn forget(&mut self) {
            (self.mail, self.recipients, self.chunking, self.refused) = (false, 0, false, false);
        }

        fn expect(&mut self, word: Word) -> &'static str {
            let content_is_legal = self.mail && self.recipients > 0;
            match word {
                Word::Ehlo => {
                    self.forget();
                    self.greeted = true;
                    "250"
                }
                Word::Noop => "250",
                Word::Rset => {
                    self.forget();
                    "250"
                }
                Word::StartTls if self.greeted && !self.mail && !self.tls => {
                    (self.tls, self.greeted) = (true, false);
                    "220"
                }
                Word::Mail if self.greeted && !self.mail => {
                    self.mail = true;
                    "250"
                }
                Word::Rcpt if self.mail && !self.chunking => {
                    self.recipients += 1;
                    "250"
                }
                Word::RcptNobody if self.mail && !self.chunking => {
                    self.refused = true;
                    "550"
                }
                Word::Data | Word::BadData if content_is_legal && !self.chunking => {
                    self.forget();
                    if matches!(word, Word::Data) {
                        self.taken += 1;
                        "354 250"
                    } else {
                        "354 550"
                    }
                }
                Word::Data | Word::BadData if self.mail && !self.chunking && self.refused => "554 ",
                Word::Data | Word::BadData => "503 ",
                Word::Chunk if content_is_legal => {
                    self.chunking = true;
                    "250"
                }
                Word::LastChunk if content_is_legal => {
                    self.taken += 1;
                    self.forget();
                    "250"
                }
                Word::Chunk | Word::LastChunk => {
                    let code = if self.mail && self.refused && !self.chunking { "554" } else { "503" };
                    self.forget();
                    code
                }
                _ => "503",
            }
        }
    }

    fn say(server: &mut Server, word: Word) -> String {
        match word {
            Word::Ehlo => server.say("EHLO a\r\n"),
            Word::Mail => server.say("MAIL FROM:<a@b.example>\r\n"),
            Word::Rcpt => server.say("RCPT TO:<c@d.example>\r\n"),
            Word::RcptNobody => server.say("RCPT TO:<nobody@d.example>\r\n"),
            Word::Data | Word::BadData => {
                let first = server.say("DATA\r\n");
                let text = if matches!(word, Word::Data) { "S: x\r\n\r\n.\r\n" } else { "S: x\n\r\n.\r\n" };
                let second = if first == "354" { server.say(text) } else { String::new() };
                format!("{first} {second}")
            }
            Word::Chunk => server.say("BDAT 3\r\nx\r\n"),
            Word::LastChunk => server.say("BDAT 3 LAST\r\nx\r\n"),
            Word::Rset => server.say("RSET\r\n"),
            Word::Noop => server.say("NOOP\r\n"),
            Word::StartTls => server.say("STARTTLS\r\n"),
        }
    }

    proptest! {
        #[test]
        fn s10_any_order_of_commands_is_answered_as_the_model_says(choices in proptest::collection::vec(0usize..11, 0..60)) {
            const WORDS: [Word; 11] = [
                Word::Ehlo, Word::Mail, Word::Rcpt, Word::RcptNobody, Word::Data, Word::BadData, Word::Chunk,
                Word::LastChunk, Word::Rset, Word::Noop, Word::StartTls,
            ];
            let limits = Limits { errors: 1000, junk_commands: 1000, ..Limits::default() };
            let mut server = Server::new(limits, |_| {});
            let mut model = Model::default();
            for choice in choices {
                let expected = model.expect(WORDS[choice]);
                prop_assert_eq!(say(&mut server, WORDS[choice]), expected, "{:?}", WORDS[choice]);
                prop_assert_eq!(server.taken.len(), model.taken);
            }
        }

        #[test]
        fn no_bytes_panic_in_any_state(bytes in proptest::collection::vec(any::<u8>(), 0..200), state in 0usize..4) {
            let mut server = Server::plain();
            for words in ["EHLO a\r\n", "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", "DATA\r\n"].iter().take(state) {
                server.say(words);
            }
            server.say(&bytes);
            server.say("\r\n.\r\nQUIT\r\n");
        }
    }
}
