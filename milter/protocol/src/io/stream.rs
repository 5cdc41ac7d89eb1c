//! The stream under a conversation or a session, whatever it is made of, and how frames are read from it.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::task::coop::unconstrained;

/// Octets that are read at a time, as a rule.
const PASSING: usize = 16 << 10;
/// Octets to make room for before a read, once more than the usual waits to be understood.
const MORE_ROOM: usize = 64 << 10;
/// What a connection keeps of a buffer that is empty.
const KEPT: usize = 512;
/// What it keeps of the one that it writes from.
const KEPT_OUTPUT: usize = 4 << 10;

/// Anything that can be read and written: TCP, a unix socket, TLS, or memory in a test.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection with what was read from it and not yet understood.
///
/// There are thousands of them, and most wait: while nothing comes they hold no room for it. What comes passes over the
/// stack, and takes as much room as it is long.
pub(crate) struct Stream {
    socket: Box<dyn Duplex>,
    pub(crate) input: BytesMut,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("input", &self.input.len()).finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(socket: Box<dyn Duplex>) -> Self {
        Self { socket, input: BytesMut::new() }
    }

    /// Reads what there is; zero octets are the end.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        if self.input.is_empty() && self.input.capacity() > KEPT {
            // Nothing is half read: what earlier frames are made of is theirs now.
            self.input = BytesMut::new();
        }
        if self.input.len() < PASSING {
            return poll_fn(|context| self.poll_pass(context)).await;
        }
        // What comes in bulk comes faster with room for it, and room is made for what came, not for what is said.
        self.input.reserve(MORE_ROOM);
        self.socket.read_buf(&mut self.input).await
    }

    /// Reads what has come already, without waiting; `None` when nothing has.
    pub(crate) fn read_now(&mut self) -> Option<io::Result<usize>> {
        // Nobody comes back to it later, so it is read even by a task that should let others have their turn.
        let read = pin!(unconstrained(poll_fn(|context| self.poll_pass(context))));
        match read.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(read) => Some(read),
            Poll::Pending => None,
        }
    }

    fn poll_pass(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut passing = [const { MaybeUninit::uninit() }; PASSING];
        let mut passing = ReadBuf::uninit(&mut passing);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut passing))?;
        self.input.extend_from_slice(passing.filled());
        Poll::Ready(Ok(passing.filled().len()))
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
        if output.capacity() > KEPT_OUTPUT {
            *output = BytesMut::new();
        }
        output.clear();
        written
    }

    pub(crate) async fn close(&mut self) {
        let _ = self.socket.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::coop;

    use super::*;

    #[tokio::test]
    async fn what_has_come_is_read_by_a_task_whose_turn_is_over() {
        let (mut other, one) = tokio::io::duplex(64);
        let mut stream = Stream::new(Box::new(one));
        other.write_all(b"here").await.unwrap();
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        assert_eq!(stream.read_now().unwrap().unwrap(), 4);
        assert_eq!(&stream.input[..], b"here");
        assert!(stream.read_now().is_none());
    }
}
