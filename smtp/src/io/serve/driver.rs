//! The loop of one session: a step, its answer, a write, a read, each within its time.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::memory::MemoryShare;
use super::super::stream::Stream;
use super::super::tls_server;
use super::{Ended, ServeOptions, Service};
use crate::envelope::MailObject;
use crate::reply::{Reply, table};
use crate::server::{Drained, Session, Step, Transaction};

/// Octets to make room for before a read: little for commands, more once content flows.
const COMMAND_ROOM: usize = 4 << 10;
const CONTENT_ROOM: usize = 16 << 10;

/// One session, the stream it goes over, and what is under way.
pub(super) struct Driver<'a, K> {
    stream: Stream,
    session: Session<K>,
    input: BytesMut,
    options: &'a ServeOptions,
    /// When the command or the content that is awaited began to be awaited.
    since: Instant,
    content_octets: u64,
    share: Option<MemoryShare>,
}

impl<'a, K: Send> Driver<'a, K> {
    pub(super) fn new(stream: Stream, session: Session<K>, options: &'a ServeOptions) -> Self {
        Self {
            stream,
            session,
            input: BytesMut::new(),
            options,
            since: Instant::now(),
            content_octets: 0,
            share: None,
        }
    }

    /// Until the session ends.
    pub(super) async fn run<S: Service<Kept = K>>(
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
