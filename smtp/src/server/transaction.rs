//! One mail transaction, from MAIL to the end of data (RFC 5321 §3.3). RSET is dropping it.

use crate::envelope::{Envelope, Recipient, Sender};

/// What a transaction has gathered, and what the service keeps beside it.
#[derive(Debug)]
pub struct Transaction<T> {
    /// MAIL and the recipients accepted so far.
    pub envelope: Envelope,
    /// The service's own: the map snapshot this transaction holds on to, say.
    pub kept: T,
    /// Recipients that were refused, for whatever reason.
    pub refused: usize,
}

impl<T> Transaction<T> {
    pub(super) fn begin(sender: Sender, kept: T) -> Self {
        Self { envelope: Envelope { sender, recipients: Vec::new() }, kept, refused: 0 }
    }

    pub(super) fn accept(&mut self, recipient: Recipient) {
        self.envelope.recipients.push(recipient);
    }
}
