//! HTTP on a connection, a turn at a time: between two requests nothing of HTTP is in memory.
//!
//! A host keeps a connection for its next word, and hyper keeps 16 KiB of buffers for one that is kept. So a turn has a
//! hyper connection of its own: it begins with the first octet, and ends when the answers to all that came are on the
//! wire. What came of the next request by then is handed on.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::Router;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1::Builder;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use switchyard_daemon::drain::Drain;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::timeout;

use super::{Caller, HEADER};

/// The longest head of a request.
const HEAD: usize = 32 * 1024;

/// Answers one request after another, until the other side ends or the hub drains.
pub(super) async fn answer<S>(mut stream: S, known: Known, drain: &Drain) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut before = Bytes::new();
    loop {
        if before.is_empty() {
            let mut first = [0];
            let has_come = tokio::select! {
                biased;
                () = drain.wait_started() => false,
                read = timeout(HEADER, stream.read(&mut first)) => matches!(read, Ok(Ok(1))),
            };
            if !has_come {
                let _it_ends_in_any_case = stream.shutdown().await;
                return Ok(());
            }
            before = Bytes::copy_from_slice(&first);
        }
        // In a box, for it is large and a connection mostly waits.
        match Box::pin(turn(stream, before, known.clone(), drain)).await? {
            Some(next) => (stream, before) = next,
            None => return Ok(()),
        }
    }
}

/// Answers all that has come; gives back what is left for the next turn, unless the connection has ended.
async fn turn<S>(stream: S, before: Bytes, known: Known, drain: &Drain) -> hyper::Result<Option<(S, Bytes)>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let turn = Arc::new(Turn::default());
    let wire = Wire { stream, before, turn: Arc::clone(&turn) };
    let mut connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER)
        .max_headers(64)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(wire), Answering { known, turn: Arc::clone(&turn) });
    let (mut drains, mut ends) = (pin!(drain.wait_started()), false);
    let is_over = poll_fn(|context| {
        if !ends && drains.as_mut().poll(context).is_ready() {
            ends = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
            return Poll::Ready(ended.map(|()| false));
        }
        if ends || !turn.is_over() {
            return Poll::Pending;
        }
        // Nothing is under way, so that this ends it at once, and closes nothing.
        ends = true;
        Pin::new(&mut connection).graceful_shutdown();
        connection.poll_without_shutdown(context).map_ok(|()| true)
    });
    if !is_over.await? {
        return Ok(None);
    }
    let parts = connection.into_parts();
    let Wire { stream, before, .. } = parts.io.into_inner();
    // It read all that there was of the one before it read anything else.
    Ok(Some((stream, if before.is_empty() { parts.read_buf } else { before })))
}

/// How far a turn is.
#[derive(Debug, Default)]
struct Turn {
    /// Requests that came.
    asked: AtomicUsize,
    /// Those whose answers hyper has to their end.
    answered: AtomicUsize,
    /// It has written all that it had: it flushes only then.
    is_written: AtomicBool,
    /// A request was not read to its end: what comes next may be more of it.
    is_cut: AtomicBool,
}

impl Turn {
    fn is_over(&self) -> bool {
        let answered = self.answered.load(Ordering::Acquire);
        answered > 0
            && answered == self.asked.load(Ordering::Acquire)
            && self.is_written.load(Ordering::Acquire)
            && !self.is_cut.load(Ordering::Acquire)
    }
}

/// The stream of a turn.
struct Wire<S> {
    stream: S,
    /// What came of it before.
    before: Bytes,
    turn: Arc<Turn>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let count = self.before.len().min(buffer.remaining());
        buffer.put_slice(&self.before.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.turn.is_written.store(false, Ordering::Release);
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.turn.is_written.store(false, Ordering::Release);
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.turn.is_written.store(true, Ordering::Release);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The routes, told who asks.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) caller: Caller,
    pub(super) routes: TowerToHyperService<Router>,
}

/// The routes in a turn.
struct Answering {
    known: Known,
    turn: Arc<Turn>,
}

type Answered = Result<Response<Answer>, Infallible>;

impl Service<Request<Incoming>> for Answering {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answered> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.turn.asked.fetch_add(1, Ordering::AcqRel);
        let answering = Under(Arc::clone(&self.turn));
        let mut request = request.map(|body| Asked { body, has_ended: false, turn: Arc::clone(&self.turn) });
        request.extensions_mut().insert(Arc::clone(&self.known.caller));
        let answered = self.known.routes.call(request);
        Box::pin(async move { Ok(answered.await?.map(|body| Answer { body, _answering: answering })) })
    }
}

/// What comes with a request.
struct Asked {
    body: Incoming,
    has_ended: bool,
    turn: Arc<Turn>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.has_ended && !self.body.is_end_stream() {
            self.turn.is_cut.store(true, Ordering::Release);
        }
    }
}

impl Body for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        self.has_ended |= frame.is_none();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is answered: it counts as soon as hyper has all of it.
struct Answer {
    body: axum::body::Body,
    _answering: Under,
}

/// A request that is under way for as long as this lives.
struct Under(Arc<Turn>);

impl Drop for Under {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Ordering::AcqRel);
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
