//! The stream under a conversation or a session, whatever it is made of, and how frames are read from it.

use std::io;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Octets to make room for before a read.
const ROOM: usize = 4 << 10;
/// The same, once much comes at a time.
const MORE_ROOM: usize = 64 << 10;

/// Anything that can be read and written: TCP, a unix socket, TLS, or memory in a test.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection with what was read from it and not yet understood.
pub(crate) struct Stream {
    socket: Box<dyn Duplex>,
    pub(crate) input: BytesMut,
    /// There was more room than is kept while nothing comes.
    is_large: bool,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("input", &self.input.len()).finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(socket: Box<dyn Duplex>) -> Self {
        Self { socket, input: BytesMut::new(), is_large: false }
    }

    /// Reads what there is; zero octets are the end.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        // What comes in bulk comes faster with room for it, and room is made for what came, not for what is said.
        let room = if self.input.len() >= ROOM { MORE_ROOM } else { ROOM };
        if self.input.is_empty() && self.is_large {
            // Nothing is half read: what earlier frames are made of is theirs now, and a small room will do again.
            self.input = BytesMut::new();
            self.is_large = false;
        }
        self.is_large |= room == MORE_ROOM;
        self.input.reserve(room);
        self.socket.read_buf(&mut self.input).await
    }

    /// Reads what has come already, without waiting; `None` when nothing has.
    pub(crate) fn read_now(&mut self) -> Option<io::Result<usize>> {
        self.input.reserve(ROOM);
        let read = std::pin::pin!(self.socket.read_buf(&mut self.input));
        match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        }
    }

    /// Writes all of it, and empties it.
    pub(crate) async fn write(&mut self, output: &mut BytesMut) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let written = async {
            self.socket.write_all(output).await?;
            self.socket.flush().await
        };
        let written = written.await;
        if output.capacity() > ROOM {
            *output = BytesMut::new();
        }
        output.clear();
        written
    }

    pub(crate) async fn close(&mut self) {
        let _ = self.socket.shutdown().await;
    }
}
