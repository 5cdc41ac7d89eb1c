//! What a daemon says to a session, and what all sessions of a listener share.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::super::memory::MemoryBudget;
use crate::envelope::{MailObject, Recipient, Sender};
use crate::extension::Offer;
use crate::reply::Reply;
use crate::server::{Client, Dialect, Event, Limits, Took, Transaction};

/// The decisions of a daemon about one session: allowed or not, and who takes the mail. One value of it
/// belongs to one session. What is legal has been seen to before it is asked.
pub trait Service: Send {
    /// What belongs to one transaction, a snapshot of the maps say; RSET drops it.
    type Kept: Send;
    /// The proof that the mail was taken.
    type Took: Took + Send;

    /// A client has connected, or XCLIENT has changed who it is: what is it offered?
    fn connect(&mut self, client: &Client) -> impl Future<Output = Result<Offer, Reply>> + Send;

    /// HELO, EHLO or LHLO.
    fn hello(&mut self, client: &Client) -> impl Future<Output = Result<(), Reply>> + Send;

    /// MAIL.
    fn sender(
        &mut self,
        client: &Client,
        sender: &Sender,
    ) -> impl Future<Output = Result<Self::Kept, Reply>> + Send;

    /// RCPT.
    fn recipient(
        &mut self,
        client: &Client,
        transaction: &mut Transaction<Self::Kept>,
        recipient: &Recipient,
    ) -> impl Future<Output = Result<(), Reply>> + Send;

    /// DATA, or a chunk: may the content come? Asked before [`Self::room`], for each chunk anew.
    fn data(
        &mut self,
        _client: &Client,
        _transaction: &mut Transaction<Self::Kept>,
    ) -> impl Future<Output = Result<(), Reply>> + Send {
        std::future::ready(Ok(()))
    }

    /// Is there room for a message of so many octets, as far as that is known?
    ///
    /// # Errors
    /// With the reply to give when there is none.
    fn room(&mut self, octets: Option<u64>) -> Result<(), Reply>;

    /// The message is here: who takes it?
    fn content(
        &mut self,
        client: &Client,
        kept: Self::Kept,
        mail: MailObject,
    ) -> impl Future<Output = Result<Self::Took, Reply>> + Send;

    /// Something was answered.
    fn event(&mut self, event: Event);
}

/// What all sessions of one listener share.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Our name, in the greeting and in EHLO.
    pub host_name: Arc<str>,
    /// Bounds.
    pub limits: Arc<Limits>,
    /// SMTP, LMTP or both.
    pub dialect: Dialect,
    /// The certificate, where STARTTLS is to be offered.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Content in memory, over all sessions.
    pub memory: MemoryBudget,
    /// The daemon stops: sessions end as soon as they hold no transaction.
    pub drain: CancellationToken,
    /// Sessions are short: shorter patience.
    pub stress: Arc<dyn Stress>,
}

/// Tells whether a daemon is under stress.
pub trait Stress: Send + Sync + std::fmt::Debug {
    /// True when sessions, memory or descriptors are nearly used up.
    fn is_high(&self) -> bool;
}

/// Never under stress.
#[derive(Debug)]
pub struct Calm;

impl Stress for Calm {
    fn is_high(&self) -> bool {
        false
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// QUIT, or our own 421 or refusal.
    Closed,
    /// The client hung up.
    ByClient,
    /// Too slow, or silent.
    TimedOut,
    /// The TLS handshake failed.
    Tls,
    /// The socket broke.
    Broken,
}

impl Ended {
    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ByClient => "by_client",
            Self::TimedOut => "timed_out",
            Self::Tls => "tls",
            Self::Broken => "broken",
        }
    }
}
