//! A unix socket whose owner is woken for what comes, and for room to write only when there was none.
//!
//! The kernel tells a unix socket that there is room whenever its peer has read. Whoever asks and waits for the answer
//! would be woken by that first, once a question and for nothing. So room is waited for over a second descriptor of
//! the same socket, made when a write found none and gone when all is written.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Socket;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;

/// One end of a connection.
#[derive(Debug)]
pub struct UnixSocket {
    socket: AsyncFd<Socket>,
    /// While a write waits.
    room: Option<AsyncFd<Socket>>,
}

impl UnixSocket {
    /// Connects to the socket at this path.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(path: &Path) -> io::Result<Self> {
        UnixStream::connect(path).await.and_then(Self::new)
    }

    /// Takes a connection as it is.
    ///
    /// # Errors
    /// When the run time cannot watch it.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        Ok(Self { socket: watched(stream.into_std()?, Interest::READABLE)?, room: None })
    }

    /// Waits until there is room.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let room = match self.room.take() {
            Some(room) => room,
            None => watched(self.socket.get_ref().try_clone()?, Interest::WRITABLE)?,
        };
        let room = self.room.insert(room);
        ready!(room.poll_write_ready(context))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for UnixSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut readiness = ready!(self.socket.poll_read_ready(context))?;
            let space = into.initialize_unfilled();
            let most = space.len();
            match self.socket.get_ref().read(space) {
                Ok(octets) => {
                    // All that lay there came with it: what comes next is told anew.
                    if 0 < octets && octets < most {
                        readiness.clear_ready();
                    }
                    into.advance(octets);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => readiness.clear_ready(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for UnixSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.get_ref().write(octets) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_room(context))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.room = None;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}

/// Has the run time watch a socket for this.
#[expect(
    deprecated,
    reason = "its successor wants a promise that the descriptor stays the one it is, which a stream of std keeps by itself"
)]
fn watched(socket: Socket, interest: Interest) -> io::Result<AsyncFd<Socket>> {
    AsyncFd::with_interest(socket, interest)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn pair() -> (UnixSocket, UnixSocket) {
        let (one, other) = UnixStream::pair().unwrap();
        (UnixSocket::new(one).unwrap(), UnixSocket::new(other).unwrap())
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_the_end_with_it() {
        let (mut one, mut other) = pair();
        for word in [&b"one"[..], b"another", &[7; 40_000]] {
            one.write_all(word).await.unwrap();
            let mut heard = vec![0; word.len()];
            other.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, word);
            other.write_all(b"c").await.unwrap();
            assert_eq!(one.read_u8().await.unwrap(), b'c');
        }
        one.write_all(b"last").await.unwrap();
        one.shutdown().await.unwrap();
        let mut heard = Vec::new();
        other.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"last");
        drop(other);
        assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0);
        assert_eq!(one.write_all(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_write_waits_for_room_and_the_watch_for_it_ends_with_it() {
        let (mut one, mut other) = pair();
        let much = vec![7; 4 << 20];
        // Both run in this one thread, so that nobody reads before there is no room.
        let written = tokio::spawn(async move {
            one.write_all(&much).await.unwrap();
            assert!(one.room.is_some(), "four megabytes found room at once");
            one.flush().await.unwrap();
            one
        });
        let mut heard = vec![0; 4 << 20];
        other.read_exact(&mut heard).await.unwrap();
        let one = written.await.unwrap();
        assert!(one.room.is_none() && heard.iter().all(|octet| *octet == 7));
    }
}
