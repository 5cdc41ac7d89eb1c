//! The driver's own: time limits, room for content, and the end of a drain.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::super::memory::MemoryBudget;
use super::*;
use crate::envelope::{MailObject, Recipient, Sender};
use crate::reply::{Reply, table};
use crate::server::{Dialect, Event, Limits, Took, Transaction};

struct Taken;

impl Took for Taken {
    fn reply(&self) -> Reply {
        table::TAKEN
    }
}

/// Takes everything.
struct Willing;

impl Service for Willing {
    type Kept = ();
    type Took = Taken;

    async fn connect(&mut self, _: &Client) -> Result<Offer, Reply> {
        Ok(Offer {
            size: 1 << 20,
            recipients: 100,
            starttls: false,
            require_tls: false,
            xclient: false,
            xforward: false,
            priority: false,
            xtxn: false,
        })
    }

    async fn hello(&mut self, _: &Client) -> Result<(), Reply> {
        Ok(())
    }

    async fn sender(&mut self, _: &Client, _: &Sender) -> Result<(), Reply> {
        Ok(())
    }

    async fn recipient(&mut self, _: &Client, _: &mut Transaction<()>, _: &Recipient) -> Result<(), Reply> {
        Ok(())
    }

    fn room(&mut self, _: Option<u64>) -> Result<(), Reply> {
        Ok(())
    }

    async fn content(&mut self, _: &Client, (): (), _: MailObject) -> Result<Taken, Reply> {
        Ok(Taken)
    }

    fn event(&mut self, _: Event) {}
}

struct Dialogue {
    stream: DuplexStream,
    memory: MemoryBudget,
    drain: CancellationToken,
    server: tokio::task::JoinHandle<Ended>,
}

impl Dialogue {
    /// In a transaction, with a budget of so many octets.
    async fn begin(memory: u64) -> Self {
        let (stream, theirs) = duplex(4 << 10);
        let (memory, drain) = (MemoryBudget::new(memory), CancellationToken::new());
        let options = ServeOptions {
            host_name: "mx.example".into(),
            limits: Arc::new(Limits::default()),
            dialect: Dialect::Smtp,
            tls: None,
            memory: memory.clone(),
            drain: drain.clone(),
            stress: Arc::new(Calm),
        };
        let address = "192.0.2.1:4711".parse().unwrap();
        let server =
            tokio::spawn(async move { serve(Stream::Memory(theirs), address, &options, &mut Willing).await });
        let mut dialogue = Self { stream, memory, drain, server };
        dialogue.expect("220").await;
        dialogue.say("EHLO a\r\n", "250").await;
        dialogue.transaction("").await;
        dialogue
    }

    async fn transaction(&mut self, parameter: &str) {
        self.say(&format!("MAIL FROM:<a@b.example>{parameter}\r\n"), "250").await;
        self.say("RCPT TO:<c@d.example>\r\n", "250").await;
    }

    async fn say(&mut self, text: &str, code: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.expect(code).await;
    }

    /// One reply with this code, and nothing after it.
    async fn expect(&mut self, code: &str) {
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n") {
            assert!(self.stream.read_buf(&mut reply).await.unwrap() > 0, "hung up before {code}");
        }
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with(code), "{code} wanted: {reply}");
    }
}

/// Nearly the time for one command.
const LONG: Duration = Duration::from_secs(290);

#[tokio::test(start_paused = true)]
async fn r1_each_command_has_its_own_time() {
    let mut dialogue = Dialogue::begin(1 << 20).await;
    for _ in 0..3 {
        tokio::time::advance(LONG).await;
        dialogue.say("NOOP\r\n", "250").await;
    }
    // A chunk that was slow, but not too slow, takes no time from what comes after it.
    dialogue.stream.write_all(b"BDAT 10\r\nS: x\r\n").await.unwrap();
    tokio::time::sleep(LONG).await;
    dialogue.say("\r\n\r\n", "250").await;
    tokio::time::sleep(LONG).await;
    dialogue.say("BDAT 0 LAST\r\n", "250").await;
    dialogue.say("QUIT\r\n", "221").await;
    assert_eq!(dialogue.server.await.unwrap(), Ended::Closed);
}

#[tokio::test(start_paused = true)]
async fn r1_octets_that_drip_do_not_lengthen_a_command() {
    let mut dialogue = Dialogue::begin(1 << 20).await;
    for octet in ["N", "O", "O"] {
        dialogue.stream.write_all(octet.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(99)).await;
    }
    dialogue.expect("421").await;
    assert_eq!(dialogue.server.await.unwrap(), Ended::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn r8_room_is_given_back_however_a_transaction_ends() {
    let chunk = format!("BDAT 100000\r\n{}", "x".repeat(100_000));
    for (text, code) in [("RSET\r\n", "250"), ("EHLO a\r\n", "250"), ("BDAT 2 LAST\r\na\n", "550")] {
        let mut dialogue = Dialogue::begin(1 << 20).await;
        dialogue.say(&chunk, "250").await;
        assert!(dialogue.memory.used() >= 100_000, "what has come is held");
        dialogue.say(text, code).await;
        // The next answer comes after whatever the last one left to be done.
        dialogue.say("NOOP\r\n", "250").await;
        assert_eq!(dialogue.memory.used(), 0, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn room_is_taken_for_what_comes_and_not_for_words() {
    let mut dialogue = Dialogue::begin(200_000).await;
    dialogue.stream.write_all(b"BDAT 180000\r\nS: x\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(dialogue.memory.used() < 50_000);
    // Somebody else takes what is left, so what comes has no room: it is read past, and the session goes on.
    let mut other = dialogue.memory.share();
    assert!(other.grow_to(150_000));
    dialogue.say(&"x".repeat(180_000 - 6), "452").await;
    assert_eq!(dialogue.memory.used(), 150_000);
    dialogue.transaction(" SIZE=100000").await;
    dialogue.say("DATA\r\n", "452").await;
    drop(other);
    dialogue.say("DATA\r\n", "354").await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_a_session_after_its_transaction_whatever_it_has_sent_already() {
    let mut dialogue = Dialogue::begin(1 << 20).await;
    dialogue.drain.cancel();
    let next = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    dialogue.stream.write_all(format!("BDAT 2 LAST\r\n\r\n{next}").as_bytes()).await.unwrap();
    let mut said = String::new();
    dialogue.stream.read_to_string(&mut said).await.unwrap();
    let codes: Vec<&str> = said.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "421"]);
}
