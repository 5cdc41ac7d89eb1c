//! Dialogues: bytes in, replies out, and what was taken. Each test bears the id of the threat it answers.

mod bounds;
mod content;
mod model;

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
fn s9_the_order_of_a_transaction() {
    let mut server = Server::plain();
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\n"), "503");
    server.say("EHLO a\r\n");
    assert_eq!(server.say("RCPT TO:<c@d.example>\r\nDATA\r\n"), "503 503");
    assert_eq!(server.say("MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n"), "250 503 503");
    assert_eq!(server.say("RCPT TO:<nobody@d.example>\r\nDATA\r\n"), "550 554");
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
