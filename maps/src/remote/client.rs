//! Connections to one server: opened when needed, kept for the next request, a bounded number at a time.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::either::Either;

use super::wire::{self, Protocol, RemoteError, Reply};
use crate::spec::Endpoint;

/// A connection that nobody used for longer is not worth a try.
const MAX_IDLE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Client {
    protocol: Protocol,
    endpoint: Endpoint,
    /// One for each connection in use.
    permits: Semaphore,
    kept: Mutex<Vec<Kept>>,
}

type Stream = BufReader<Either<TcpStream, UnixStream>>;

#[derive(Debug)]
struct Kept {
    stream: Stream,
    since: Instant,
}

impl Client {
    pub(super) fn new(protocol: Protocol, endpoint: Endpoint, connections: usize) -> Self {
        Self { protocol, endpoint, permits: Semaphore::new(connections), kept: Mutex::default() }
    }

    /// Sends a request and reads its reply. The caller bounds the time; a request given up takes its
    /// connection with it, as the reply may still come.
    pub(super) async fn ask(&self, key: &str) -> Result<Reply, RemoteError> {
        let _permit = self.permits.acquire().await.map_err(|_| wire::closed())?;
        let request = self.protocol.request(key);
        if let Some(stream) = self.take() {
            // The server may have closed it the moment before: that says nothing of the server.
            if let Ok(stream) = send(stream, &request).await {
                return self.read(stream).await;
            }
        }
        let stream = self.connect().await?;
        self.read(send(stream, &request).await?).await
    }

    async fn read(&self, mut stream: Stream) -> Result<Reply, RemoteError> {
        let reply = self.protocol.reply(&mut stream).await;
        // After a bad reply nobody knows where the next one starts.
        if matches!(reply, Ok(_) | Err(RemoteError::Refused { .. })) && stream.buffer().is_empty() {
            let kept = Kept { stream, since: Instant::now() };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
        }
        reply
    }

    /// The connection used last, so that those not needed grow old.
    fn take(&self) -> Option<Stream> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < MAX_IDLE);
        while let Some(Kept { stream, .. }) = kept.pop() {
            if is_quiet(&stream) {
                return Some(stream);
            }
        }
        None
    }

    async fn connect(&self) -> Result<Stream, RemoteError> {
        let stream = match &self.endpoint {
            Endpoint::Inet { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Either::Left(stream)
            }
            Endpoint::Unix(path) => Either::Right(UnixStream::connect(path).await?),
        };
        Ok(BufReader::new(stream))
    }
}

/// Nothing came unasked: a reply read as that to another request would be a wrong answer.
fn is_quiet(stream: &Stream) -> bool {
    let mut octet = [0];
    let read = match stream.get_ref() {
        Either::Left(stream) => stream.try_read(&mut octet),
        Either::Right(stream) => stream.try_read(&mut octet),
    };
    matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Sends a request and waits for the first octet of its reply.
async fn send(mut stream: Stream, request: &[u8]) -> Result<Stream, RemoteError> {
    stream.write_all(request).await?;
    stream.flush().await?;
    if stream.fill_buf().await?.is_empty() { Err(wire::closed()) } else { Ok(stream) }
}

impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.protocol {
            Protocol::Socketmap { name } => write!(formatter, "socketmap:{}:{name}", self.endpoint),
            Protocol::Tcp => {
                write!(formatter, "tcp:{}", self.endpoint.to_string().trim_start_matches("inet:"))
            }
        }
    }
}
