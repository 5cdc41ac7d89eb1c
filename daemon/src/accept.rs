//! The accept loop: every newcomer gets a session or a refusal, and running out of anything costs a delay.
//!
//! The order for one newcomer: accept → a place in [`Sessions`] → `serve`; without a place → `over`, which
//! writes the refusal (421). Refusals are bounded too; past that bound the connection is closed. Where nothing can be
//! said to one who is too many ([`Sessions::waiting`]), he waits for a place, and those behind him for him.
//!
//! Out of descriptors the listening socket stays readable, and a loop that simply tries again takes a whole
//! core. Here the loop gives up its spare descriptor to answer one newcomer, and otherwise sleeps until a
//! session ends or a growing delay has passed.

mod fault;
mod metrics;

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

use self::fault::Fault;
pub use self::metrics::AcceptMetrics;
use crate::drain::Drain;

/// How many sessions may be open at once. Clones share the count, so several listeners may share one cap.
#[derive(Debug, Clone)]
pub struct Sessions {
    house: Arc<House>,
    /// Who finds no place waits for one.
    waits: bool,
    /// What ends those who come in this way.
    drain: Drain,
}

/// What all listeners and all sessions under one cap share; each session holds one pointer to it.
#[derive(Debug)]
struct House {
    open: AtomicUsize,
    max: AtomicUsize,
    refusals: Arc<Semaphore>,
    ended: Notify,
    metrics: AcceptMetrics,
}

/// The listening socket itself is broken.
#[derive(Debug, thiserror::Error)]
#[error("accepting connections failed: {0}")]
pub struct AcceptError(#[from] io::Error);

/// Where connections come from: a [`TcpListener`], a socket of another kind, or a twin in a test.
pub trait Incoming: Send {
    /// A connection.
    type Stream: Send + 'static;
    /// Whose it is.
    type Peer: Send + 'static;

    /// The next connection. Safe to drop at any point.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>> + Send;
}

impl Incoming for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Replies are small and waited for; a socket that cannot be set is about to fail anyway.
        let _best_effort = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

impl Sessions {
    /// At most `max` sessions, which end when `drain` says so.
    #[must_use]
    pub fn new(max: usize, drain: Drain, metrics: AcceptMetrics) -> Self {
        let house = House {
            open: AtomicUsize::new(0),
            max: AtomicUsize::new(max),
            refusals: Arc::new(Semaphore::new(MAX_REFUSALS)),
            ended: Notify::new(),
            metrics,
        };
        Self { house: Arc::new(house), waits: false, drain }
    }

    /// The same, where nobody is refused: who finds no place waits for one, and so do all who come after.
    #[must_use]
    pub fn waiting(self) -> Self {
        Self { waits: true, ..self }
    }

    /// The same cap for those who come in another way, which may be closed before the rest.
    #[must_use]
    pub fn behind(&self, drain: Drain) -> Self {
        Self { house: Arc::clone(&self.house), waits: self.waits, drain }
    }

    /// At most so many from now on. Who is in stays: over a smaller cap, nobody comes in until enough have left.
    pub fn set_max(&self, max: usize) {
        self.house.max.store(max, Ordering::Relaxed);
        // Who waits looks again.
        self.house.ended.notify_waiters();
    }

    /// A place for one more, unless the house is full.
    fn enter(&self) -> Option<Place> {
        let House { open, max, metrics, .. } = &*self.house;
        let max = max.load(Ordering::Relaxed);
        let one_more = |now: usize| (now < max).then_some(now + 1);
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        metrics.open.inc();
        Some(Place(Arc::clone(&self.house)))
    }

    /// A place, however long that takes.
    async fn wait_place(&self) -> Place {
        loop {
            // Made before the look, so that an end during it is not missed.
            let ended = self.house.ended.notified();
            if let Some(place) = self.enter() {
                return place;
            }
            ended.await;
        }
    }

    /// Runs `session` in a place that is given back when it ends, however it ends.
    fn start(&self, place: Place, session: impl Future<Output = ()> + Send + 'static) {
        // Boxed, because a future moved into another takes its room twice, and idle sessions are what an MX
        // has most of.
        let session = Box::pin(session);
        self.drain.track(async move {
            let _place = place;
            session.await;
        });
    }
}

/// Accepts until the drain begins, then closes the listening socket. The error is final: nobody can come in.
///
/// `serve` is the session; `over` answers one who is too many, and gets two seconds for it.
pub async fn accept<I, S, SF, O, OF>(
    mut incoming: I,
    sessions: Sessions,
    serve: S,
    over: O,
) -> Result<(), AcceptError>
where
    I: Incoming,
    S: Fn(I::Stream, I::Peer) -> SF + Send,
    SF: Future<Output = ()> + Send + 'static,
    O: Fn(I::Stream, I::Peer) -> OF + Send,
    OF: Future<Output = ()> + Send + 'static,
{
    let House { metrics, ended, .. } = &*sessions.house;
    let drain = &sessions.drain;
    let mut spare = spare_descriptor();
    let mut exhausted: Option<Duration> = None;
    loop {
        // Made before the attempt, so that an end during it is not missed below.
        let session_ended = ended.notified();
        let accepted = tokio::select! {
            biased;
            () = drain.wait_started() => return Ok(()),
            accepted = incoming.accept() => accepted,
        };
        let error = match accepted {
            Ok((stream, peer)) => {
                if exhausted.take().is_some() {
                    tracing::info!("connections are accepted again");
                }
                spare = spare.or_else(spare_descriptor);
                let place = if sessions.waits {
                    tokio::select! {
                        biased;
                        () = drain.wait_started() => return Ok(()),
                        place = sessions.wait_place() => Some(place),
                    }
                } else {
                    sessions.enter()
                };
                match place {
                    Some(place) => {
                        metrics.accepted.inc();
                        sessions.start(place, serve(stream, peer));
                    }
                    None => refuse(&sessions, over(stream, peer)),
                }
                continue;
            }
            Err(error) => error,
        };
        let fault = Fault::of(&error);
        metrics.faults.with_label_values(&[fault.label()]).inc();
        match fault {
            Fault::Connection => continue,
            Fault::Listener => return Err(error.into()),
            Fault::Exhausted => {}
        }
        let delay = exhausted.unwrap_or_else(|| {
            tracing::warn!(%error, "newcomers are refused, or wait until a session ends");
            FIRST_DELAY
        });
        exhausted = Some((delay * 2).min(LAST_DELAY));
        // With the spare given up there is room to tell one newcomer why. This cannot spin: a turn without a
        // pause has either answered somebody, or found the queue empty and waits for the next above.
        let given_up = spare.take();
        if given_up.is_some() {
            drop(given_up);
            let newcomer = incoming.accept().now_or_never();
            let pause = matches!(newcomer, Some(Err(_)));
            if let Some(Ok((stream, peer))) = newcomer {
                metrics.refused.inc();
                let _answered = tokio::time::timeout(REFUSAL_TIME, over(stream, peer)).await;
            }
            spare = spare_descriptor();
            if !pause {
                continue;
            }
        }
        spare = spare.or_else(spare_descriptor);
        tokio::select! {
            biased;
            () = drain.wait_started() => return Ok(()),
            () = session_ended => {}
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// Has a newcomer refused, or closes the connection.
fn refuse(sessions: &Sessions, refusal: impl Future<Output = ()> + Send + 'static) {
    let House { refusals, metrics, .. } = &*sessions.house;
    if let Ok(permit) = Arc::clone(refusals).try_acquire_owned() {
        metrics.refused.inc();
        sessions.drain.track(async move {
            let _permit = permit;
            let _answered = tokio::time::timeout(REFUSAL_TIME, refusal).await;
        });
    } else {
        metrics.dropped.inc();
    }
}

/// A descriptor to give up when there is no other.
fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

/// Refusals being written at once.
const MAX_REFUSALS: usize = 256;
/// How long one refusal may take.
const REFUSAL_TIME: Duration = Duration::from_secs(2);
/// The first and the longest pause when the system has run out of something.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const LAST_DELAY: Duration = Duration::from_secs(1);

// ---- a session's place ----

/// Held by a running session; dropping it, by an end or a panic, makes room for the next.
struct Place(Arc<House>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.open.dec();
        if std::thread::panicking() {
            self.0.metrics.panicked.inc();
        }
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
