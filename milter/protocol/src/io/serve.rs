//! A filter as a server: takes connections of MTAs and asks a [`Filter`] about what they tell.
//!
//! [`accept`] is the loop: one [`Filter`] a connection, so many connections and no more, and an end by the drain:
//! no newcomers, and each connection closes between two messages. [`serve`] is one connection; a daemon with an
//! accept loop of its own calls it.

mod listener;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use listener::{Listener, accept};

use super::stream::{Duplex, Stream};
use crate::edit::Edit;
use crate::event::Event;
use crate::filter::{Session, SessionError, Step};
use crate::macros::Macros;
use crate::negotiate::{Agreed, Wants};
use crate::response::Action;

/// What is known beside an event.
#[derive(Debug, Clone)]
pub struct Context {
    /// The macros of this session and this message.
    pub macros: Arc<Macros>,
    /// What was agreed with this MTA.
    pub agreed: Arc<Agreed>,
}

/// What to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The action.
    pub action: Action,
    /// The changes before it.
    pub edits: Vec<Edit>,
}

impl Verdict {
    /// An action and no change.
    #[must_use]
    pub fn plain(action: Action) -> Self {
        Self { action, edits: Vec::new() }
    }
}

/// The questions about one connection. One value of it serves one connection, session by session and message by
/// message; what belongs to a message is dropped at its end, in [`Filter::abort`] and in [`Filter::next_session`].
pub trait Filter: Send {
    /// Something happened. An event that needs no answer gets [`Action::Continue`].
    fn event(&mut self, event: Event, context: Context) -> impl Future<Output = Action> + Send;

    /// The message is over; `rest` is the last of its body. The MTA is kept waiting for as long as it takes.
    fn end(&mut self, rest: Bytes, context: Context) -> impl Future<Output = Verdict> + Send;

    /// The message at hand is over without its end: the MTA dropped it or hung up, this filter has said its last
    /// word on it, or it took too long.
    fn abort(&mut self);

    /// The client's session is over, and another follows.
    fn next_session(&mut self);
}

/// What all connections share.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// What is asked of every MTA.
    pub wants: Wants,
    /// Connections at once; over that they are closed at once, and the MTA does what it is set to.
    pub connections: usize,
    /// How long an MTA may be silent: it waits for its own client, so this is long.
    pub idle: Duration,
    /// How long an MTA may take to read what is written.
    pub write: Duration,
    /// How often an MTA hears that its message is still being looked at.
    pub progress_every: Duration,
    /// The longest that a message is looked at; past it the MTA hears "tempfail".
    pub work: Duration,
    /// The daemon stops.
    pub drain: CancellationToken,
}

impl ServeOptions {
    /// With the times that libmilter and MTAs keep to.
    #[must_use]
    pub fn new(wants: Wants, drain: CancellationToken) -> Self {
        Self {
            wants,
            connections: 1000,
            // libmilter's own: two hours and a bit.
            idle: Duration::from_secs(7210),
            write: Duration::from_secs(60),
            // Sendmail waits ten seconds, Postfix thirty.
            progress_every: Duration::from_secs(5),
            work: Duration::from_secs(290),
            drain,
        }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The MTA said goodbye.
    Closed,
    /// The MTA hung up.
    ByMta,
    /// The daemon stops.
    Drained,
    /// The MTA was silent too long, or did not read.
    TimedOut,
    /// The MTA said what it may not say.
    Broken,
}

impl Ended {
    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ByMta => "by_mta",
            Self::Drained => "drained",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
        }
    }
}

/// Serves one MTA until the connection ends.
pub async fn serve<F: Filter>(socket: Box<dyn Duplex>, options: &ServeOptions, filter: &mut F) -> Ended {
    let session = Session::new(options.wants.clone());
    let mut driver = Driver { stream: Stream::new(socket), session, begun: false, options };
    let ended = match driver.run(filter).await {
        Ok(ended) => ended,
        Err(ServeError::Session(error)) => {
            tracing::warn!(%error, "an MTA is not understood");
            Ended::Broken
        }
        Err(ServeError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => Ended::TimedOut,
        Err(ServeError::Io(_)) => Ended::ByMta,
    };
    if driver.begun {
        filter.abort();
    }
    driver.stream.close().await;
    ended
}

#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

struct Driver<'a> {
    stream: Stream,
    session: Session,
    /// The filter was told of a message, and not yet that it is over.
    begun: bool,
    options: &'a ServeOptions,
}

impl Driver<'_> {
    async fn run<F: Filter>(&mut self, filter: &mut F) -> Result<Ended, ServeError> {
        loop {
            let step = self.session.step(&mut self.stream.input)?;
            match step {
                Step::Read => {
                    // What the filter said earlier has answered the end.
                    self.forget_ended(filter);
                    self.write().await?;
                    if let Some(ended) = self.read().await? {
                        return Ok(ended);
                    }
                }
                Step::Event(event) => {
                    self.begun |= event.stage().is_of_message();
                    let action = match self.context() {
                        Some(context) => timeout(self.options.work, filter.event(event, context)).await.ok(),
                        None => None,
                    };
                    self.session.answer(action.unwrap_or(Action::Tempfail));
                    self.forget_ended(filter);
                }
                Step::End(rest) => self.end(rest, filter).await?,
                Step::Abort => self.abort(filter),
                Step::NextSession => {
                    self.begun = false;
                    filter.next_session();
                }
                Step::Close => return Ok(Ended::Closed),
            }
        }
    }

    fn abort<F: Filter>(&mut self, filter: &mut F) {
        if std::mem::take(&mut self.begun) {
            filter.abort();
        }
    }

    /// A refusal, or the first word said to all of a message, ends it here: the MTA tells no more of it.
    fn forget_ended<F: Filter>(&mut self, filter: &mut F) {
        if self.session.is_idle() {
            self.abort(filter);
        }
    }

    fn context(&self) -> Option<Context> {
        let agreed = self.session.agreed()?.clone();
        Some(Context { macros: self.session.macros().clone(), agreed })
    }

    /// Asks about a whole message, with a sign of life from time to time.
    async fn end<F: Filter>(&mut self, rest: Bytes, filter: &mut F) -> Result<(), ServeError> {
        let Some(context) = self.context() else { return Ok(()) };
        self.begun = true;
        let verdict = {
            let work = timeout(self.options.work, filter.end(rest, context));
            tokio::pin!(work);
            match poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
                // Said at once, it shares a write with the answers to what came in a row with the end.
                Poll::Ready(verdict) => verdict.ok(),
                Poll::Pending => self.waiting(work).await?,
            }
        };
        match verdict {
            Some(_) => self.begun = false,
            None => self.abort(filter),
        }
        let verdict = verdict.unwrap_or_else(|| Verdict::plain(Action::Tempfail));
        if let Err(error) = self.session.finish(verdict.edits, verdict.action) {
            tracing::error!(%error, "an edit that cannot be sent: the message is put off");
            self.session.answer(Action::Tempfail);
        }
        Ok(())
    }

    /// A verdict that takes its time.
    async fn waiting(
        &mut self,
        mut work: Pin<&mut impl Future<Output = Result<Verdict, Elapsed>>>,
    ) -> io::Result<Option<Verdict>> {
        // The MTA waits less long for the answers to what came in a row with the end than for this one.
        self.write().await?;
        let mut beat = tokio::time::interval(self.options.progress_every);
        beat.tick().await;
        loop {
            tokio::select! {
                biased;
                verdict = &mut work => return Ok(verdict.ok()),
                _ = beat.tick() => {
                    self.session.progress();
                    self.write().await?;
                }
            }
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        let mut output: BytesMut = std::mem::take(self.session.output());
        let written = timeout(self.options.write, self.stream.write(&mut output)).await;
        written.map_err(|_elapsed| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Reads more; `Some` when the connection is over instead.
    async fn read(&mut self) -> io::Result<Option<Ended>> {
        let may_drain = self.session.is_idle();
        tokio::select! {
            biased;
            () = self.options.drain.cancelled(), if may_drain => Ok(Some(Ended::Drained)),
            read = timeout(self.options.idle, self.stream.read()) => match read {
                Err(_elapsed) => Ok(Some(Ended::TimedOut)),
                Ok(Ok(0)) => Ok(Some(Ended::ByMta)),
                Ok(read) => read.map(|_octets| None),
            },
        }
    }
}

#[cfg(test)]
mod tests;
