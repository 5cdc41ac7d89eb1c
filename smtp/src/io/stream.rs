//! The stream under a session or a dialogue: plain TCP, TLS over it, or a unix socket for LMTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

/// A connection, encrypted or not.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
    /// A local socket.
    Unix(UnixStream),
    /// Taken out for a handshake that did not succeed.
    Gone,
    /// In memory, where both ends are in one process.
    #[cfg(any(test, feature = "testing"))]
    Memory(tokio::io::DuplexStream),
}

impl Stream {
    /// Waits until there is something to read, without holding a buffer: thousands of idle sessions cost their
    /// state and nothing more.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.readable().await,
            // What is decrypted already shows on no socket.
            Self::Tls(stream) if !stream.get_ref().1.wants_read() => Ok(()),
            Self::Tls(stream) => stream.get_ref().0.readable().await,
            Self::Unix(stream) => stream.readable().await,
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
            #[cfg(any(test, feature = "testing"))]
            Self::Memory(_) => Ok(()),
        }
    }

    /// Reads what there is, `room` octets at most, after waiting for it without a buffer. Zero is the end.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn fill(&mut self, input: &mut BytesMut, room: usize) -> io::Result<usize> {
        loop {
            self.readable().await?;
            input.reserve(room);
            let read = match self {
                Self::Plain(stream) => stream.try_read_buf(input),
                Self::Unix(stream) => stream.try_read_buf(input),
                other => return other.read_buf(input).await,
            };
            match read {
                // Readiness is only a hint: go back to waiting, and empty-handed.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if input.is_empty() {
                        *input = BytesMut::new();
                    }
                }
                read => return read,
            }
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain($stream) => $call,
            Stream::Tls($stream) => $call,
            Stream::Unix($stream) => $call,
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            #[cfg(any(test, feature = "testing"))]
            Stream::Memory($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write_vectored(context, parts))
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Plain(_) | Self::Unix(_))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}
