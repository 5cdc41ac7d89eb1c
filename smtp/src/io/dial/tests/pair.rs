//! Both halves together: what our client sends is what our server hands to its service.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::envelope::{Body, MailObject, Notify, Orcpt, Ret, TransactionId};
use crate::extension::Offer;
use crate::io::memory::MemoryBudget;
use crate::io::serve::{Calm, ServeOptions, Service, serve};
use crate::reply::{Reply, table};
use crate::server::{Client, Dialect, Event, Limits, Took, Transaction};

/// Takes what comes, but for recipients named `nobody`, and keeps it.
#[derive(Default)]
struct Taker {
    taken: Vec<(MailObject, Option<Box<Attributes>>)>,
}

struct Taken;

impl Took for Taken {
    fn reply(&self) -> Reply {
        table::TAKEN
    }
}

impl Service for Taker {
    type Kept = ();
    type Took = Taken;

    async fn connect(&mut self, _: &Client) -> Result<Offer, Reply> {
        Ok(Offer {
            size: 1_000_000,
            recipients: 100,
            starttls: false,
            require_tls: false,
            xclient: false,
            xforward: true,
            priority: true,
            xtxn: true,
        })
    }

    async fn hello(&mut self, _: &Client) -> Result<(), Reply> {
        Ok(())
    }

    async fn sender(&mut self, _: &Client, _: &Sender) -> Result<(), Reply> {
        Ok(())
    }

    async fn recipient(&mut self, _: &Client, _: &mut Transaction<()>, to: &Recipient) -> Result<(), Reply> {
        if to.forward_path.to_string().contains("nobody") { Err(table::NO_SUCH_USER) } else { Ok(()) }
    }

    fn room(&mut self, _: Option<u64>) -> Result<(), Reply> {
        Ok(())
    }

    async fn content(&mut self, client: &Client, (): (), mail: MailObject) -> Result<Taken, Reply> {
        self.taken.push((mail, client.forwarded.clone()));
        Ok(Taken)
    }

    fn event(&mut self, _: Event) {}
}

fn serving() -> ServeOptions {
    ServeOptions {
        host_name: "mx.example".into(),
        limits: Arc::new(Limits::default()),
        dialect: Dialect::Either,
        tls: None,
        memory: MemoryBudget::new(1 << 20),
        drain: CancellationToken::new(),
        stress: Arc::new(Calm),
    }
}

/// Hands `mails` over on one connection; what was said, and what was taken.
async fn hand_over_all(mails: &[Mail], protocol: Protocol) -> (Vec<Vec<String>>, Taker) {
    // Little room, so that content takes turns.
    let (ours, theirs) = duplex(500);
    let serving = serving();
    let mut taker = Taker::default();
    let client = async {
        let mut connection = Connection::over(Stream::Memory(ours), &options(protocol)).await.unwrap();
        let mut all = Vec::new();
        for mail in mails {
            all.push(told(&mail.deliver(&mut connection).await));
            assert!(connection.is_reusable());
        }
        connection.quit().await;
        all
    };
    let address = "192.0.2.1:4711".parse().unwrap();
    let (all, _) = tokio::join!(client, serve(Stream::Memory(theirs), address, &serving, &mut taker));
    (all, taker)
}

fn rich(transfer: Transfer, protocol: Protocol) -> Mail {
    let mut mail = Mail::to(2)
        .over(transfer)
        .with_content(["S: \u{e9}\r\n\r\n".as_bytes(), &b"..dots and \xff octets\r\n".repeat(200)].concat());
    mail.sender = Sender {
        body: Body::EightBitMime,
        smtputf8: true,
        ret: Some(Ret::Full),
        envid: Some("id+1 =".into()),
        transaction: (transfer == Transfer::Whole && protocol == Protocol::Smtp).then_some(TransactionId(9)),
        ..Sender::new(ReversePath::parse("<jos\u{e9}@c.example>").unwrap())
    };
    mail.recipients[1].notify = Some(Notify::NEVER);
    mail.recipients[1].orcpt = Some(Orcpt { address_type: "rfc822".into(), address: "x+y@c.example".into() });
    mail.forwarded = Some(Attributes {
        address: Some("2001:db8::1".parse().unwrap()),
        helo: Some("odd name=".into()),
        ..Attributes::default()
    });
    mail
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_what_is_taken() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let mails =
            [Transfer::Data, Transfer::Chunk, Transfer::Whole].map(|transfer| rich(transfer, protocol));
        let (all, taker) = hand_over_all(&mails, protocol).await;
        assert_eq!(all, vec![vec!["accepted 250 2.0.0 Ok"; 2]; 3]);
        assert_eq!(taker.taken.len(), 3);
        for (sent, (taken, forwarded)) in mails.iter().zip(&taker.taken) {
            let size = Some(sent.content.len() as u64);
            assert_eq!(taken.envelope.sender, Sender { size, ..sent.sender.clone() });
            assert_eq!(taken.envelope.recipients, sent.recipients);
            assert_eq!(taken.content, sent.content, "{:?}", sent.transfer);
            assert_eq!(forwarded.as_deref(), sent.forwarded.as_ref());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s11_half_a_message_before_the_end_is_dropped() {
    let begun = "EHLO c.example\r\n";
    let envelope = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\n";
    for half in ["DATA\r\n", "BDAT 100 LAST\r\n"] {
        let (mut ours, theirs) = duplex(4096);
        let (options, mut taker) = (serving(), Taker::default());
        let client = async {
            let mut said = String::new();
            for (lines, answer) in [("", "220 "), (begun, "250 "), (envelope, "250 2.1.5"), (half, "")] {
                ours.write_all(lines.as_bytes()).await.unwrap();
                while !answer.is_empty() && !said.contains(answer) {
                    let mut octets = [0; 512];
                    let read = ours.read(&mut octets).await.unwrap();
                    said += str::from_utf8(&octets[..read]).unwrap();
                }
                said.clear();
            }
            ours.write_all(b"Subject: half\r\n\r\n.").await.unwrap();
            // Nothing more will come, but we still listen.
            ours.shutdown().await.unwrap();
            ours.read_to_string(&mut said).await.unwrap();
            said
        };
        let address = "192.0.2.1:4711".parse().unwrap();
        let (said, ended) = tokio::join!(client, async move {
            let ended = serve(Stream::Memory(theirs), address, &options, &mut taker).await;
            (ended, taker.taken.len(), options.memory.used())
        });
        assert!(!said.contains("\r\n250 ") && !said.starts_with("250 "), "{said}");
        assert_eq!((ended.1, ended.2), (0, 0), "{half}");
    }
}

#[tokio::test(start_paused = true)]
async fn some_are_unknown_and_the_next_message_is_none_the_worse() {
    let with_nobody = |transfer| {
        let mut mail = rich(transfer, Protocol::Smtp);
        mail.recipients[0].forward_path = ForwardPath::parse("<nobody@mx.example>").unwrap();
        mail
    };
    let mails = [Transfer::Data, Transfer::Chunk, Transfer::Whole].map(with_nobody);
    let last = rich(Transfer::Data, Protocol::Smtp);
    let mails: Vec<Mail> = mails.into_iter().chain([last]).collect();
    let (all, taker) = hand_over_all(&mails, Protocol::Smtp).await;
    let unknown = "refused rcpt 550 5.1.1 User unknown";
    let accepted = "accepted 250 2.0.0 Ok";
    // Between our own hosts it is all or nothing.
    let not_all = "refused bdat 554 5.5.1 Not all recipients were accepted";
    assert_eq!(all, [[unknown, accepted], [unknown, accepted], [unknown, not_all], [accepted, accepted]]);
    assert_eq!(taker.taken.len(), 3);
}
