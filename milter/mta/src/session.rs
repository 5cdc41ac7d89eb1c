//! One client's session, told to the filters as it goes.

use switchyard_smtp::envelope::{MailObject, Recipient, Sender};
use switchyard_smtp::io::memory::MemoryShare;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::Client;

use crate::asking::Asking;
use crate::filters::Team;

/// A session. Without filters it says yes to everything, and does nothing.
///
/// What it takes to ask lies outside of the session, and so does each question while it waits: a session that asks
/// nobody costs a pointer, and there are ten thousand of them.
#[derive(Debug, Default)]
pub struct FilterSession {
    pub(crate) asking: Option<Box<Asking>>,
}

/// A message that goes on.
#[derive(Debug)]
pub struct Judged {
    /// As the filters leave it.
    pub mail: MailObject,
    /// Why a filter wants it held.
    pub hold: Option<String>,
    /// Why it is to be taken and dropped.
    pub discard: Option<&'static str>,
    /// The room that what was changed takes, until this is dropped.
    pub share: Option<MemoryShare>,
}

impl Judged {
    /// One that nobody was asked about.
    #[must_use]
    pub fn unchanged(mail: MailObject) -> Self {
        Self { mail, hold: None, discard: None, share: None }
    }
}

impl FilterSession {
    pub(crate) fn with(team: Team) -> Self {
        Self { asking: (!team.is_empty()).then(|| Box::new(Asking::new(team))) }
    }

    /// A client has connected, or is another one by XCLIENT.
    ///
    /// # Errors
    /// With the reply that a filter wants given.
    pub async fn connect(&mut self, client: &Client) -> Result<(), Reply> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        Box::pin(asking.connect(client)).await
    }

    /// It has said its name. Filters are told anew when that, or its TLS, is another.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn hello(&mut self, client: &Client) -> Result<(), Reply> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        Box::pin(asking.hello(client)).await
    }

    /// MAIL, for a message that has this id with us. Whoever was not told of before is told of now: a client behind one
    /// of our own hosts.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn sender(&mut self, client: &Client, sender: &Sender, id: &str) -> Result<(), Reply> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        Box::pin(asking.sender(client, sender, id)).await
    }

    /// RCPT, for one that we take ourselves.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn recipient(&mut self, recipient: &Recipient) -> Result<(), Reply> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        Box::pin(asking.recipient(recipient)).await
    }

    /// RCPT, for one that we refuse ourselves: told to those filters that want to know.
    pub async fn refused(&mut self, recipient: &Recipient, reply: &Reply) {
        if let Some(asking) = &mut self.asking {
            Box::pin(asking.refused(recipient, reply)).await;
        }
    }

    /// DATA, or the first chunk; what comes after the first is known already.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn data(&mut self) -> Result<(), Reply> {
        let Some(asking) = &mut self.asking else { return Ok(()) };
        Box::pin(asking.data()).await
    }

    /// The whole message. What stands in its content's `added` is ours, and filters are not shown it.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn content(&mut self, mail: MailObject) -> Result<Judged, Reply> {
        match &mut self.asking {
            None => Ok(Judged::unchanged(mail)),
            Some(asking) => Box::pin(asking.content(mail)).await,
        }
    }

    /// The message at hand is over, whatever became of it.
    pub fn abort(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.abort();
        }
    }

    /// The client is gone. Filters hear of it beside what follows.
    pub fn close(self) {
        if let Some(asking) = self.asking {
            asking.close();
        }
    }
}

#[cfg(test)]
mod tests;
