//! Whole dialogues against a scripted peer in memory.

mod carry;
mod lost;
mod pair;
mod session;
mod some;
mod step;
mod tls;

use bytes::Bytes;
use tokio::io::duplex;

use super::{Connection, DialError, DialOptions};
use crate::address::{ForwardPath, ReversePath};
use crate::client::{Delivery, Outcome, Protocol, RecipientOutcome, Transfer};
use crate::envelope::{Content, Recipient, Sender};
use crate::io::stream::Stream;
use crate::testing::{Played, play};
use crate::wire::command::Attributes;

/// Everything that a host of ours offers.
const EVERYTHING: &str = "PIPELINING SIZE_1000000 8BITMIME SMTPUTF8 CHUNKING BINARYMIME DSN XTXN \
                          XFORWARD_NAME_ADDR_PORT_PROTO_HELO_IDENT";

/// A message on its way.
struct Mail {
    sender: Sender,
    recipients: Vec<Recipient>,
    content: Content,
    forwarded: Option<Attributes>,
    transfer: Transfer,
}

impl Mail {
    /// From `<a@c.example>` to `<r0@mx.example>`, `<r1@mx.example>`…
    fn to(recipients: usize) -> Self {
        let path = |index| ForwardPath::parse(&format!("<r{index}@mx.example>")).unwrap();
        Self {
            sender: Sender::new(ReversePath::parse("<a@c.example>").unwrap()),
            recipients: (0..recipients).map(|index| Recipient::new(path(index))).collect(),
            content: Content::from_wire(Bytes::from_static(b"Subject: x\r\n\r\n..body\r\n")),
            forwarded: None,
            transfer: Transfer::Data,
        }
    }

    fn over(self, transfer: Transfer) -> Self {
        Self { transfer, ..self }
    }

    fn with_content(mut self, wire: impl Into<Bytes>) -> Self {
        self.content = Content::from_wire(wire.into());
        self
    }

    async fn deliver(&self, connection: &mut Connection) -> Outcome {
        let recipients: Vec<&Recipient> = self.recipients.iter().collect();
        let delivery = Delivery {
            sender: &self.sender,
            recipients: &recipients,
            content: &self.content,
            forwarded: self.forwarded.as_ref(),
            transfer: self.transfer,
        };
        connection.deliver(&delivery).await
    }
}

/// Greeting and EHLO with `offers`: words with `_` for the spaces in them.
fn hello(protocol: Protocol, offers: &str) -> String {
    let verb = if protocol == Protocol::Lmtp { "LHLO" } else { "EHLO" };
    let mut script = format!("S: 220 mx.example\nC: {verb} c.example\n");
    for offer in offers.split_whitespace() {
        script += &format!("S: 250-{}\n", offer.replace('_', " "));
    }
    // The first line is the host's name, and the last one has no hyphen.
    script = script.replacen("S: 250-", "S: 250-mx.example\nS: 250-", 1);
    script + if offers.is_empty() { "S: 250 mx.example\n" } else { "S: 250 HELP\n" }
}

fn options(protocol: Protocol) -> DialOptions {
    DialOptions { protocol, ..DialOptions::new("c.example") }
}

/// What is seen of one message that was handed over.
struct Seen {
    outcome: Outcome,
    played: Played,
    is_reusable: bool,
}

/// Hands one message over to a peer that plays `dialogue` after its hello. `room` is how many octets are on the way
/// at most: content that is longer goes out in turns.
async fn hand_over(mail: &Mail, protocol: Protocol, offers: &str, dialogue: &str, room: usize) -> Seen {
    let (ours, theirs) = duplex(room);
    let script = hello(protocol, offers) + dialogue;
    let client = async {
        let mut connection = Connection::over(Stream::Memory(ours), &options(protocol)).await.unwrap();
        let outcome = mail.deliver(&mut connection).await;
        (outcome, connection.is_reusable())
    };
    let ((outcome, is_reusable), played) = tokio::join!(client, play(theirs, &script));
    Seen { outcome, played, is_reusable }
}

/// Tries to open a session with a peer that plays `script`.
async fn open(script: &str, protocol: Protocol) -> Result<Connection, DialError> {
    let (ours, theirs) = duplex(64 << 10);
    let options = options(protocol);
    let peer = async {
        play(theirs, script).await;
        // Gone; what that means to the client is for the client to say.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        opened = Connection::over(Stream::Memory(ours), &options) => opened,
        () = peer => unreachable!("it never ends"),
    }
}

/// One line for each recipient.
fn told(outcome: &Outcome) -> Vec<String> {
    let line = |recipient: &RecipientOutcome| match recipient {
        RecipientOutcome::Accepted(reply) => format!("accepted {reply}"),
        RecipientOutcome::Refused { stage, reply } => format!("refused {} {reply}", stage.as_str()),
        RecipientOutcome::Lost { stage, why, after_final_dot } => {
            let when = if *after_final_dot { "after" } else { "before" };
            format!("lost {} {when} the dot: {why}", stage.as_str())
        }
        RecipientOutcome::Local(refusal) => format!("local {refusal:?}"),
    };
    outcome.recipients.iter().map(line).collect()
}

/// A dialogue, and what it comes to.
struct Case {
    name: &'static str,
    mail: Mail,
    protocol: Protocol,
    offers: &'static str,
    dialogue: &'static str,
    told: &'static [&'static str],
    is_reusable: bool,
}

async fn check(cases: Vec<Case>) {
    for case in cases {
        let seen = hand_over(&case.mail, case.protocol, case.offers, case.dialogue, 64 << 10).await;
        assert_eq!(told(&seen.outcome), case.told, "{}", case.name);
        assert_eq!(seen.is_reusable, case.is_reusable, "{}", case.name);
        assert_eq!(seen.outcome.lost.is_none(), case.is_reusable, "{}", case.name);
    }
}
