//! Drives a server session over a stream: reads, asks the [`Service`], writes, and keeps every time limit.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::memory::{MemoryBudget, MemoryShare};
use super::stream::Stream;
use super::tls_server;
use crate::envelope::{MailObject, Recipient, Sender};
use crate::extension::Offer;
use crate::reply::{Reply, table};
use crate::server::{Client, Dialect, Drained, Event, Limits, Session, Step, Took, Transaction};

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

/// Serves one client until its session ends. `address` is the client's, as the PROXY protocol may have told.
pub async fn serve<S: Service>(
    stream: Stream,
    address: SocketAddr,
    options: &ServeOptions,
    service: &mut S,
) -> Ended {
    let client = Client { address, hello: None, tls: None, verified: false, forwarded: None };
    let (offer, verdict) = match service.connect(&client).await {
        Ok(offer) => (offer, Ok(())),
        Err(reply) => (refused_offer(options), Err(reply)),
    };
    let session =
        Session::new(options.host_name.clone(), options.limits.clone(), offer, options.dialect, client);
    let mut driver = Driver {
        stream,
        session,
        input: BytesMut::new(),
        options,
        since: Instant::now(),
        content_octets: 0,
        share: None,
    };
    match driver.run(verdict, service).await {
        Ok(ended) => ended,
        Err(error) => match error.kind() {
            io::ErrorKind::TimedOut => Ended::TimedOut,
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Ended::ByClient
            }
            _ => Ended::Broken,
        },
    }
}

fn refused_offer(options: &ServeOptions) -> Offer {
    Offer {
        size: options.limits.message_size,
        recipients: 0,
        starttls: false,
        require_tls: false,
        xclient: false,
        xforward: false,
        priority: false,
        xtxn: false,
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Octets to make room for before a read: little for commands, more once content flows.
const COMMAND_ROOM: usize = 4 << 10;
const CONTENT_ROOM: usize = 16 << 10;

struct Driver<'a, K> {
    stream: Stream,
    session: Session<K>,
    input: BytesMut,
    options: &'a ServeOptions,
    /// When the command or the content that is awaited began to be awaited.
    since: Instant,
    content_octets: u64,
    share: Option<MemoryShare>,
}

impl<K: Send> Driver<'_, K> {
    async fn run<S: Service<Kept = K>>(
        &mut self,
        verdict: Result<(), Reply>,
        service: &mut S,
    ) -> io::Result<Ended> {
        self.listen_for_early_talk().await?;
        self.session.greet(verdict, &self.input);
        self.input.clear();
        loop {
            let step = self.session.step(&mut self.input);
            for event in self.session.events() {
                service.event(event);
            }
            match step {
                Step::Read => {
                    if !self.session.output().is_empty() {
                        self.write().await?;
                        // What comes next is another command, with a time of its own.
                        self.since = Instant::now();
                    }
                    if let Some(ended) = self.read().await? {
                        return Ok(ended);
                    }
                    continue;
                }
                Step::Hello => {
                    let verdict = service.hello(self.session.client()).await;
                    self.session.hello(verdict);
                }
                Step::Sender(sender) => {
                    let verdict = service.sender(self.session.client(), &sender).await;
                    self.session.sender(*sender, verdict);
                }
                Step::Recipient(recipient) => {
                    let (client, transaction) = self.session.client_and_transaction();
                    let Some(transaction) = transaction else { continue };
                    let verdict = service.recipient(client, transaction, &recipient).await;
                    self.session.recipient(*recipient, verdict);
                }
                Step::Data { octets } => {
                    let (client, transaction) = self.session.client_and_transaction();
                    let Some(transaction) = transaction else { continue };
                    let verdict = service.data(client, transaction).await;
                    let verdict =
                        verdict.and_then(|()| service.room(octets)).and_then(|()| self.reserve(octets));
                    self.session.data(verdict);
                    self.content_octets = 0;
                }
                Step::Content(transaction, content) => {
                    let Transaction { envelope, kept, .. } = *transaction;
                    let recipients = envelope.recipients.len();
                    let mail = MailObject { envelope, content };
                    // The hand-over is the one large future here; idle sessions must not carry its size.
                    let verdict = Box::pin(service.content(self.session.client(), kept, mail)).await;
                    self.session.content(recipients, verdict);
                    self.share = None;
                    if self.options.drain.is_cancelled() {
                        // What the client has sent already may begin another: it comes again.
                        self.session.drain();
                    }
                }
                Step::Xclient => {
                    let verdict = service.connect(self.session.client()).await;
                    self.session.xclient(verdict);
                }
                Step::StartTls(drained) => {
                    self.write().await?;
                    if !self.start_tls(drained).await {
                        return Ok(Ended::Tls);
                    }
                }
                Step::Close => {
                    self.write().await?;
                    return Ok(self.close().await);
                }
            }
            self.since = Instant::now();
        }
    }

    /// RFC 5321 §3.1: a client waits for the greeting. Zero patience still sees what is already there.
    async fn listen_for_early_talk(&mut self) -> io::Result<()> {
        let wait = self.options.limits.greeting_wait;
        if wait.is_zero() {
            if let Stream::Plain(stream) = &self.stream {
                match stream.try_read_buf(&mut self.input) {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
            return Ok(());
        }
        match timeout(wait, self.stream.fill(&mut self.input, COMMAND_ROOM)).await {
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Room is asked for what was declared, and taken for what comes: words alone keep it from nobody.
    fn reserve(&mut self, octets: Option<u64>) -> Result<(), Reply> {
        let memory = &self.options.memory;
        let share = self.share.get_or_insert_with(|| memory.share());
        let declared = octets.unwrap_or(0).min(self.options.limits.message_size);
        let fits =
            share.grow_to(CONTENT_ROOM as u64) && memory.has_room(declared.saturating_sub(share.held()));
        if fits { Ok(()) } else { Err(table::NO_ROOM) }
    }

    async fn write(&mut self) -> io::Result<()> {
        if self.session.output().is_empty() {
            return Ok(());
        }
        let write = async {
            self.stream.write_all(self.session.output()).await?;
            self.stream.flush().await
        };
        let written = timeout(self.options.limits.write_timeout, write).await;
        self.session.written();
        written.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Reads more; `Some` when the session is over instead.
    async fn read(&mut self) -> io::Result<Option<Ended>> {
        let receives_content = self.session.receives_content();
        if self.session.is_idle() {
            // However its transaction ended, its content is gone.
            self.share = None;
        }
        if self.input.is_empty() {
            // Nothing is half read: hold no buffer while waiting.
            self.input = BytesMut::new();
        }
        let room = if receives_content { CONTENT_ROOM.max(self.input.len() / 2) } else { COMMAND_ROOM };
        let deadline = self.deadline(receives_content);
        let may_drain = self.session.is_idle();
        let read = tokio::select! {
            biased;
            () = self.options.drain.cancelled(), if may_drain => {
                self.session.drain();
                return Ok(None);
            }
            read = timeout_at(deadline, self.stream.fill(&mut self.input, room)) => read,
        };
        match read {
            Err(_) => {
                self.session.end(&table::TIMED_OUT);
                self.write().await?;
                Ok(Some(Ended::TimedOut))
            }
            Ok(Ok(0)) => Ok(Some(Ended::ByClient)),
            Ok(Ok(octets)) => {
                if receives_content {
                    self.account_for(octets);
                }
                Ok(None)
            }
            Ok(Err(error)) => Err(error),
        }
    }

    /// A command has one deadline however its octets drip; content has one that moves with what has come.
    fn deadline(&self, receives_content: bool) -> Instant {
        let limits = &self.options.limits;
        if receives_content {
            let earned = Duration::from_secs(self.content_octets / limits.data_rate.max(1));
            return self.since + limits.data_timeout + earned;
        }
        let stress = self.options.stress.is_high();
        self.since + if stress { limits.stress_command_timeout } else { limits.command_timeout }
    }

    fn account_for(&mut self, octets: usize) {
        self.content_octets += octets as u64;
        let held = (self.session.held() + self.input.len()) as u64;
        if let Some(share) = &mut self.share
            && !share.grow_to(held)
        {
            self.session.refuse_rest(table::NO_ROOM);
            self.share = None;
        }
    }

    async fn start_tls(&mut self, drained: Drained) -> bool {
        let Some(config) = self.options.tls.clone() else { return false };
        // Take the socket out of the driver for the handshake; a failed one ends the session.
        let Stream::Plain(socket) = std::mem::replace(&mut self.stream, Stream::Gone) else { return false };
        let handshake = Box::pin(tls_server::accept(socket, config, drained));
        match timeout(self.options.limits.tls_timeout, handshake).await {
            Ok(Ok(upgraded)) => {
                self.stream = Stream::Tls(upgraded.stream);
                self.session.tls_started(upgraded.description, upgraded.verified);
                true
            }
            Ok(Err(error)) => {
                tracing::debug!(client = %self.session.client().address, %error, "tls handshake failed");
                false
            }
            Err(_) => false,
        }
    }

    /// Says goodbye to the socket, so that the client reads our last reply and not a reset: what it still
    /// sends is read past for a moment.
    async fn close(&mut self) -> Ended {
        let _ = timeout(self.options.limits.write_timeout, self.stream.shutdown()).await;
        let mut left = self.options.limits.discarded_line;
        let linger = Instant::now() + Duration::from_secs(1);
        while left > 0 {
            self.input.clear();
            match timeout_at(linger, self.stream.fill(&mut self.input, COMMAND_ROOM)).await {
                Ok(Ok(octets)) if octets > 0 => left = left.saturating_sub(octets),
                _ => break,
            }
        }
        Ended::Closed
    }
}

#[cfg(test)]
mod tests;
