//! Drives a client's dialogue over a stream: connects, greets, upgrades, hands mail over, and keeps every time
//! limit.
//!
//! A [`Connection`] is one that has said hello and can carry mail; there is no other kind. It is used again as long
//! as [`Connection::is_reusable`]; before that, [`Connection::is_idle`] tells whether the peer still waits.

mod carry;
mod error;
mod line;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Waker};

use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio::time::timeout;

use self::line::Line;
use super::stream::Stream;
use super::tls_client::TlsClient;
use crate::client::dialogue::{ExpectGreeting, Ready};
use crate::client::{Delivery, Outcome, Protocol, Timeouts};
use crate::extension::Extensions;
use crate::wire::command::{Attributes, Verb};

pub use self::error::DialError;

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// A host's port.
    Tcp(SocketAddr),
    /// A local socket, as LMTP servers have them.
    Unix(PathBuf),
}

/// What all connections of one kind share.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// What we call ourselves.
    pub hello_name: Arc<str>,
    /// The address of ours to connect from.
    pub bind: Option<IpAddr>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

impl DialOptions {
    /// SMTP with the default time limits.
    #[must_use]
    pub fn new(hello_name: impl Into<Arc<str>>) -> Self {
        Self {
            protocol: Protocol::Smtp,
            hello_name: hello_name.into(),
            bind: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// What TLS came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3 with cipher TLS13_AES_256_GCM_SHA384`.
    pub description: Box<str>,
    /// The peer's certificate was checked, and is its own.
    pub verified: bool,
}

/// A session with a peer that can carry mail.
#[derive(Debug)]
pub struct Connection {
    line: Line,
    ready: Ready,
    peer_addr: Option<SocketAddr>,
    tls: Option<TlsInfo>,
    transactions: u32,
}

impl Connection {
    /// Connects, waits for the greeting, and says hello.
    ///
    /// # Errors
    /// When the peer can't be reached, says no, or is no mail server.
    pub async fn connect(target: &Target, options: &DialOptions) -> Result<Self, DialError> {
        let open = open(target, options.bind);
        let opened =
            timeout(options.timeouts.connect, open).await.map_err(|_| io::ErrorKind::TimedOut.into());
        let stream = opened.and_then(|opened| opened).map_err(DialError::Unreachable)?;
        Self::over(stream, options).await
    }

    /// The same over a stream that is there already.
    ///
    /// # Errors
    /// When the peer says no, or is no mail server.
    pub async fn over(stream: Stream, options: &DialOptions) -> Result<Self, DialError> {
        let peer_addr = match &stream {
            Stream::Plain(stream) => stream.peer_addr().ok(),
            _ => None,
        };
        let mut line = Line::new(stream, options.timeouts);
        let greeting = line.read_reply(Verb::Connect).await?;
        let hello = ExpectGreeting::new(options.protocol, &options.hello_name).reply(greeting)?;
        let ready = line.say_hello(hello).await?;
        Ok(Self { line, ready, peer_addr, tls: None, transactions: 0 })
    }

    /// Goes over to TLS and says hello again. `name` is the host that the certificate is to be for. A connection
    /// on which this failed is closed; whoever may do without TLS connects anew.
    ///
    /// # Errors
    /// When the peer does not offer TLS or refuses it, talks on in the clear, or the handshake fails.
    pub async fn starttls(self, client: &TlsClient, name: ServerName<'static>) -> Result<Self, DialError> {
        let Self { mut line, ready, peer_addr, transactions, .. } = self;
        let state = ready.start_tls()?;
        let reply = line.ask(&state.command(), Verb::StartTls).await?;
        let (drained, hello) = state.reply(reply, &line.input)?;
        let Stream::Plain(socket) = line.stream else { return Err(DialError::NotTcp) };
        let handshake = Box::pin(client.connect(socket, name, drained));
        let upgraded = match timeout(line.timeouts.tls, handshake).await {
            Ok(Ok(upgraded)) => upgraded,
            Ok(Err(error)) => return Err(DialError::Tls(error)),
            Err(_) => return Err(DialError::Tls(io::ErrorKind::TimedOut.into())),
        };
        // A new line: nothing that was read before the handshake is carried over.
        let mut line = Line::new(Stream::Tls(upgraded.stream), line.timeouts);
        let ready = line.say_hello(hello).await.map_err(DialError::after_handshake)?;
        let tls = TlsInfo { description: upgraded.description, verified: upgraded.verified };
        Ok(Self { line, ready, peer_addr, tls: Some(tls), transactions })
    }

    /// Says by XCLIENT whom we stand for, and hello again: to servers that let us, for tests of what they do with
    /// that client's mail.
    ///
    /// # Errors
    /// When the peer does not offer it, or wants no mail of that client.
    pub async fn stand_for(self, client: &Attributes) -> Result<Self, DialError> {
        let Self { mut line, ready, peer_addr, tls, transactions } = self;
        let (command, greeting) = ready.stand_for(client)?;
        let reply = line.ask(&command, Verb::Xclient).await?;
        let ready = line.say_hello(greeting.reply(reply)?).await?;
        Ok(Self { line, ready, peer_addr, tls, transactions })
    }

    /// Hands a message over to some of its recipients, and tells what the peer said for each.
    pub async fn deliver(&mut self, delivery: &Delivery<'_>) -> Outcome {
        self.transactions += 1;
        let mut transaction = self.ready.begin(delivery);
        self.line.carry(&mut transaction).await;
        transaction.finish(&mut self.ready)
    }

    /// Says goodbye, as RFC 5321 §4.1.1.10 asks, and waits for the answer a little.
    pub async fn quit(mut self) {
        if !self.line.dead && self.line.ask("QUIT\r\n", Verb::Quit).await.is_ok() {
            let _ = timeout(self.line.timeouts.quit, self.line.stream.shutdown()).await;
        }
    }

    /// What the peer offers.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        self.ready.extensions()
    }

    /// False once the connection is lost, or the peer is out of step.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        !self.line.dead
    }

    /// True when the peer still waits for us: it has neither hung up nor said anything (421, say) while the
    /// connection lay idle. Looks and does not wait.
    pub fn is_idle(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let waits =
            !self.line.dead && self.line.input.is_empty() && self.line.poll_fill(&mut context).is_pending();
        self.line.dead |= !waits;
        waits
    }

    /// Recipients to give it in one transaction at most: what the peer tells (RFC 9422), or the 100 that every
    /// server takes (RFC 5321 §4.5.3.1.8). Over what it tells, recipients are put off unasked.
    #[must_use]
    pub fn max_recipients(&self) -> usize {
        self.extensions().recipients.map_or(100, |most| most as usize)
    }

    /// The address that was really connected to; none for local sockets.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.peer_addr
    }

    /// What TLS came to, where there is any.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Messages that were handed over here, or tried.
    #[must_use]
    pub fn transactions(&self) -> u32 {
        self.transactions
    }
}

async fn open(target: &Target, bind: Option<IpAddr>) -> io::Result<Stream> {
    match (target, bind) {
        (Target::Unix(path), _) => UnixStream::connect(path).await.map(Stream::Unix),
        (Target::Tcp(address), None) => without_delay(TcpStream::connect(address).await?),
        (Target::Tcp(address), Some(ours)) => {
            let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(SocketAddr::new(ours, 0))?;
            without_delay(socket.connect(*address).await?)
        }
    }
}

/// Each write is a whole turn of the dialogue: nothing is gained by holding it back.
fn without_delay(stream: TcpStream) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    Ok(Stream::Plain(stream))
}
