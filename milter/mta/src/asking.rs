//! A session that filters are asked about: what they know of it, and what they said.

use bytes::Bytes;
use switchyard_milter_protocol::edits::{Edited, is_stuffed};
use switchyard_milter_protocol::event::{Event, Path};
use switchyard_milter_protocol::io::client::{Chain, Filtered};
use switchyard_smtp::client::{mail_parameters, rcpt_parameters};
use switchyard_smtp::envelope::{Body, Content, MailObject, Recipient, Sender};
use switchyard_smtp::io::memory::MemoryShare;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Client;

use crate::filters::Team;
use crate::session::Judged;
use crate::visitor::Visitor;
use crate::words::{Word, greeting};
use crate::{envelope, known};

/// What filters are told of one client.
#[derive(Debug)]
pub(crate) struct Asking {
    team: Team,
    chain: Chain,
    /// Whom the filters were told of.
    told: Option<Visitor>,
    /// What they said to the client, or to its name: the word for all that it says.
    refused: Option<Reply>,
    message: Standing,
}

/// How the message at hand stands.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// There is none.
    None,
    Envelope,
    /// Its content is to come.
    Data,
    /// A filter wants it taken, and dropped.
    Dropped,
    /// A filter refused its content before it came: the client may ask again, and hears the same.
    Refused(Reply),
}

impl Asking {
    pub(crate) fn new(team: Team) -> Self {
        let chain = team.chain();
        Self { team, chain, told: None, refused: None, message: Standing::None }
    }

    /// A client has connected, or is another one by XCLIENT.
    pub(crate) async fn connect(&mut self, client: &Client) -> Result<(), Reply> {
        self.meet(Visitor::of(client)).await.map_err(greeting)
    }

    /// It has said its name. Filters are told anew when that, or its TLS, is another.
    pub(crate) async fn hello(&mut self, client: &Client) -> Result<(), Reply> {
        self.abort();
        self.meet(Visitor::of(client)).await
    }

    /// MAIL, for a message that has this id with us. Whoever was not told of before is told of now: a client behind one
    /// of our own hosts.
    pub(crate) async fn sender(&mut self, client: &Client, sender: &Sender, id: &str) -> Result<(), Reply> {
        self.abort();
        self.meet(Visitor::of(client)).await?;
        known::of_sender(&mut self.chain, id, &sender.reverse_path);
        let path = Bytes::from(sender.reverse_path.to_string());
        self.message = Standing::Envelope;
        let word = self.tell(&Event::EnvFrom(Path { path, arguments: mail_parameters(sender) })).await;
        if word.is_err() {
            self.abort();
        }
        word
    }

    /// RCPT, for one that we take ourselves.
    pub(crate) async fn recipient(&mut self, recipient: &Recipient) -> Result<(), Reply> {
        if self.message != Standing::Envelope {
            return Ok(());
        }
        known::of_recipient(&mut self.chain, &recipient.forward_path);
        self.tell(&told(recipient)).await
    }

    /// RCPT, for one to whom a message leaves.
    pub(crate) async fn leaving(
        &mut self,
        recipient: &Recipient,
        transport: &str,
        next_hop: &str,
    ) -> Result<(), Reply> {
        if self.message != Standing::Envelope {
            return Ok(());
        }
        known::of_leaving(&mut self.chain, &recipient.forward_path, transport, next_hop);
        self.tell(&told(recipient)).await
    }

    /// RCPT, for one that we refuse ourselves: told to those filters that want to know.
    pub(crate) async fn refused(&mut self, recipient: &Recipient, reply: &Reply) {
        if self.message == Standing::Envelope {
            known::of_refused(&mut self.chain, reply);
            self.chain.tell_refused(&told(recipient)).await;
        }
    }

    /// DATA, or the first chunk; what comes after the first is known already.
    pub(crate) async fn data(&mut self) -> Result<(), Reply> {
        match &self.message {
            Standing::None | Standing::Data | Standing::Dropped => return Ok(()),
            Standing::Refused(reply) => return Err(reply.clone()),
            Standing::Envelope => self.message = Standing::Data,
        }
        let word = self.tell(&Event::Data).await;
        if let Err(reply) = &word {
            self.message = Standing::Refused(reply.clone());
        }
        word
    }

    /// The whole message. What stands in its content's `added` is ours, and filters are not shown it.
    pub(crate) async fn content(&mut self, mail: MailObject) -> Result<Judged, Reply> {
        let judged = match self.data().await {
            Err(reply) => Err(reply),
            Ok(()) if self.message == Standing::Dropped => Ok(dropped(mail, "a filter wants it")),
            Ok(()) => {
                let Content { added, wire } = &mail.content;
                // Filters are shown lines without the wire's dots: a copy of the whole, for as long as they look at it.
                let mut copy = self.team.memory.share();
                if is_stuffed(wire) && !copy.grow_to(wire.len() as u64) {
                    Err(table::NO_ROOM)
                } else {
                    let filtered = self.chain.message(added, wire).await;
                    judged(mail, filtered, self.team.memory.share())
                }
            }
        };
        self.abort();
        judged
    }

    /// The message at hand is over, whatever became of it.
    pub(crate) fn abort(&mut self) {
        if self.message != Standing::None {
            self.message = Standing::None;
            self.chain.abort();
        }
    }

    /// The client is gone.
    pub(crate) fn close(self) {
        self.chain.close();
    }

    /// Tells the filters of a client that they do not know, or of what is new about it.
    async fn meet(&mut self, visitor: Visitor) -> Result<(), Reply> {
        if self.team.lacks_one {
            return Err(table::FILTER_DEFERS);
        }
        if !self.told.as_ref().is_some_and(|told| told.is_same_connection(&visitor)) {
            let before = std::mem::replace(&mut self.chain, self.team.chain());
            before.close();
            self.refused = None;
            known::of_connection(&mut self.chain, &self.team.host, &visitor);
            self.told = Some(Visitor { helo: None, tls: None, ..visitor.clone() });
            let word = self.tell(&visitor.connect()).await;
            self.refused = word.err();
        }
        if let Some(reply) = &self.refused {
            return Err(reply.clone());
        }
        if let Some(hello) = visitor.hello().filter(|_| self.told.as_ref() != Some(&visitor)) {
            known::of_hello(&mut self.chain, &visitor);
            self.told = Some(visitor);
            let word = self.tell(&hello).await;
            self.refused = word.as_ref().err().cloned();
            return word;
        }
        Ok(())
    }

    async fn tell(&mut self, event: &Event) -> Result<(), Reply> {
        match self.chain.tell(event).await.verdict.into() {
            Word::GoOn => Ok(()),
            Word::Refuse(reply) => Err(reply),
            Word::Drop => {
                self.chain.abort();
                self.message = Standing::Dropped;
                Ok(())
            }
        }
    }
}

fn told(recipient: &Recipient) -> Event {
    let path = Bytes::from(recipient.forward_path.to_string());
    Event::EnvRcpt(Path { path, arguments: rcpt_parameters(recipient) })
}

fn dropped(mail: MailObject, why: &'static str) -> Judged {
    Judged { discard: Some(why), ..Judged::unchanged(mail) }
}

fn judged(mut mail: MailObject, filtered: Filtered, mut share: MemoryShare) -> Result<Judged, Reply> {
    match filtered.verdict.into() {
        Word::GoOn => {}
        Word::Refuse(reply) => return Err(reply),
        Word::Drop => return Ok(dropped(mail, "a filter wants it")),
    }
    let hold = envelope::edited(&mut mail.envelope, &filtered.envelope).map_err(|error| {
        tracing::warn!(%error, "a filter's edits cannot be made");
        table::FILTER_DEFERS
    })?;
    if let Some(message) = filtered.edited {
        if !share.grow_to(message.content_len() as u64) {
            return Err(table::NO_ROOM);
        }
        let Edited { added, wire } = message.content();
        let seven_bit = mail.envelope.sender.body == Body::SevenBit;
        if seven_bit && !(added.is_ascii() && wire.is_ascii()) {
            // A filter put octets in that were not there (RFC 6152 §3): the next host must be told.
            mail.envelope.sender.body = Body::EightBitMime;
        }
        mail.content = Content { added, wire };
    }
    if mail.envelope.recipients.is_empty() {
        return Ok(dropped(mail, "a filter took all its recipients away"));
    }
    Ok(Judged { mail, hold, discard: None, share: Some(share) })
}
