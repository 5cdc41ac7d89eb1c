//! A message on its way out: filters are asked about the copy for one next hop, from MAIL to the end in one go.
//!
//! They are told of the client that it came from, and at each recipient of the next hop, under the names that
//! Sendmail gave the parts of its triple: `{rcpt_mailer}` is the transport, `{rcpt_host}` where it goes.

use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::envelope::MailObject;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::Client;

use crate::session::{FilterSession, Judged};

/// The copy of a message for one next hop.
#[derive(Debug)]
pub struct Leaving<'a> {
    /// Whose it is.
    pub client: &'a Client,
    /// Its name with us.
    pub id: &'a str,
    /// By which protocol it goes.
    pub transport: &'a str,
    /// And where.
    pub next_hop: &'a str,
    /// As it would leave.
    pub mail: MailObject,
}

/// What filters say of it.
#[derive(Debug)]
pub struct Left {
    /// Of single recipients, by their places in the envelope: these do not go on.
    pub refused: Vec<(usize, Reply)>,
    /// Of all the others. A recipient that is missing there a filter took away.
    pub rest: Result<Judged, Reply>,
}

impl FilterSession {
    /// Asks about a message that leaves; the session is good for nothing else.
    ///
    /// What a filter would add as a recipient has no place in the queue, so nobody could say what became of it: such a
    /// message is put off, and none of its edits are made.
    pub async fn leave(&mut self, leaving: Leaving<'_>) -> Left {
        let Leaving { client, id, transport, next_hop, mail } = leaving;
        let Some(asking) = &mut self.asking else {
            return Left { refused: Vec::new(), rest: Ok(Judged::unchanged(mail)) };
        };
        let mut refused = Vec::new();
        if let Err(reply) = Box::pin(asking.sender(client, &mail.envelope.sender, id)).await {
            return Left { refused, rest: Err(reply) };
        }
        let mut going = mail.clone();
        going.envelope.recipients.clear();
        for (index, recipient) in mail.envelope.recipients.iter().enumerate() {
            match Box::pin(asking.leaving(recipient, transport, next_hop)).await {
                Ok(()) => going.envelope.recipients.push(recipient.clone()),
                Err(reply) => refused.push((index, reply)),
            }
        }
        if going.envelope.recipients.is_empty() {
            asking.abort();
            return Left { refused, rest: Err(table::FILTER_REFUSES) };
        }
        let rest = Box::pin(asking.content(going)).await;
        Left { refused, rest: rest.and_then(|judged| without_more(judged, &mail)) }
    }
}

/// The same message, unless it goes to somebody whom it did not go to before.
fn without_more(judged: Judged, before: &MailObject) -> Result<Judged, Reply> {
    let known = &before.envelope.recipients;
    let is_known = |path: &ForwardPath| known.iter().any(|recipient| recipient.forward_path == *path);
    match judged.mail.envelope.recipients.iter().find(|recipient| !is_known(&recipient.forward_path)) {
        None => Ok(judged),
        Some(more) => {
            let more = &more.forward_path;
            tracing::warn!(recipient = %more, "a filter adds a recipient on the way out, where none can be added");
            Err(table::FILTER_DEFERS.with_text(format!("A filter adds {more} on the way out; it cannot")))
        }
    }
}
