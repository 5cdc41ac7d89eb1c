//! A unix socket whose owner is woken for what comes, and for room to write only when there was none.
//!
//! The kernel tells a unix socket that there is room whenever its peer has read. Whoever asks and waits for the answer
//! would be woken by that first, once a question and for nothing. So a socket is watched for room from a write that
//! found none until all is written. That takes no second descriptor: there may be none left.
//!
//! The watch that changes forgets who waited: a socket is read and written by turns, by one task.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as Socket;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::UnixStream;
use tokio::task::coop;

/// Octets that are read at a time: room for them is cleared before.
const AT_A_TIME: usize = 16 << 10;

/// One end of a connection.
#[derive(Debug)]
pub struct UnixSocket {
    /// None once the run time could not watch it any more.
    socket: Option<AsyncFd<Socket>>,
    /// While a write waits it is watched for room, too.
    awaits_room: bool,
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
        let socket = watched(stream.into_std()?, Interest::READABLE)?;
        Ok(Self { socket: Some(socket), awaits_room: false })
    }

    fn socket(&self) -> io::Result<&AsyncFd<Socket>> {
        self.socket.as_ref().ok_or_else(|| ErrorKind::NotConnected.into())
    }

    /// Watches for something else from now on. What lies there already is told again.
    fn watch(&mut self, interest: Interest) -> io::Result<()> {
        if let Some(socket) = self.socket.take() {
            self.socket = Some(watched(socket.into_inner(), interest)?);
        }
        Ok(())
    }

    /// Waits until there is room.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.awaits_room {
            self.watch(Interest::READABLE | Interest::WRITABLE)?;
            self.awaits_room = true;
        }
        ready!(self.socket()?.poll_write_ready(context))?.clear_ready();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for UnixSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = self.socket()?;
        let most = into.remaining().min(AT_A_TIME);
        loop {
            let mut readiness = ready!(socket.poll_read_ready(context))?;
            match socket.get_ref().read(into.initialize_unfilled_to(most)) {
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
        // One that always finds room lets others have their turn, as one that reads does.
        let turn = ready!(coop::poll_proceed(context));
        loop {
            let written = self.socket()?.get_ref().write(octets);
            match written {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.poll_room(context))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => {
                    turn.made_progress();
                    return Poll::Ready(written);
                }
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.awaits_room {
            self.watch(Interest::READABLE)?;
            self.awaits_room = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket()?.get_ref().shutdown(Shutdown::Write))
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
    use std::os::fd::AsRawFd as _;

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

    /// How many descriptors of this process are this socket.
    fn descriptors(of: &UnixSocket) -> usize {
        let target = |name: &str| std::fs::read_link(format!("/proc/self/fd/{name}")).ok();
        let socket = target(&of.socket().unwrap().get_ref().as_raw_fd().to_string()).unwrap();
        let names = std::fs::read_dir("/proc/self/fd").unwrap();
        let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.filter(|name| target(name).as_ref() == Some(&socket)).count()
    }

    #[tokio::test]
    async fn r9_a_write_waits_for_room_with_the_one_descriptor_and_then_reading_goes_on() {
        let (mut one, mut other) = pair();
        let much = vec![7; 4 << 20];
        // Both run in this one thread, so that nobody reads before there is no room.
        let written = tokio::spawn(async move {
            one.write_all(&much).await.unwrap();
            assert!(one.awaits_room, "four megabytes found room at once");
            assert_eq!(descriptors(&one), 1);
            one.flush().await.unwrap();
            one
        });
        let mut heard = vec![0; 4 << 20];
        other.read_exact(&mut heard).await.unwrap();
        // What comes while nothing is watched is not lost.
        other.write_all(b"c").await.unwrap();
        let mut one = written.await.unwrap();
        assert!(!one.awaits_room && heard.iter().all(|octet| *octet == 7));
        assert_eq!(one.read_u8().await.unwrap(), b'c');
        drop(other);
        assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_write_that_waits_hears_that_the_other_side_is_gone() {
        let (mut one, mut other) = pair();
        let written = tokio::spawn(async move {
            let error = one.write_all(&vec![7; 4 << 20]).await.unwrap_err();
            (one.awaits_room, error.kind())
        });
        other.read_u8().await.unwrap();
        drop(other);
        let (awaited_room, kind) = written.await.unwrap();
        assert!(awaited_room && matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind}");
    }

    #[tokio::test]
    async fn who_always_finds_room_lets_others_have_their_turn() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut one, other) = (UnixSocket::new(one).unwrap(), other.into_std().unwrap());
        let mut writes = 0;
        while coop::has_budget_remaining() && writes < 10_000 {
            one.write_all(b"word").await.unwrap();
            assert_eq!((&other).read(&mut [0; 8]).unwrap(), 4);
            writes += 1;
        }
        assert!(writes < 10_000);
    }

    #[tokio::test]
    async fn no_more_room_is_cleared_than_is_read_at_a_time() {
        let (mut one, mut other) = pair();
        other.write_all(b"word").await.unwrap();
        let mut space = vec![std::mem::MaybeUninit::<u8>::uninit(); 1 << 20];
        let mut into = ReadBuf::uninit(&mut space);
        std::future::poll_fn(|context| Pin::new(&mut one).poll_read(context, &mut into)).await.unwrap();
        assert_eq!(into.filled(), b"word");
        assert!(into.initialized().len() <= AT_A_TIME, "{}", into.initialized().len());
    }
}
