//! One connection to one place of a filter: events out, answers in, each with its time.

use std::io;

use bytes::BytesMut;
use tokio::time::{Duration, Instant, timeout_at};

use super::alarm::Alarm;
use super::{Endpoint, FilterOptions, Times};
use crate::event::Event;
use crate::frame::{self, Frame, FrameError, LARGEST};
use crate::io::stream::Stream;
use crate::macros::Known;
use crate::mta::{Answer, Conversation, HearError, Heard, Opening, Told};
use crate::response::Action;
use crate::stage::Stage;
use crate::turn::OutOfTurn;

/// What waits to be written before it is, where nothing is waited for: events without an answer share a write.
const GATHERED: usize = 64 << 10;
/// Reads of what came late: a megabyte of it. A filter that owes more has its say to nobody.
const LATE_READS: usize = 64;

/// Why a place is lost.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No connection, or it broke.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The filter closed it in the middle.
    #[error("the filter hung up")]
    Closed,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// No answer before the time of the whole message was over, whoever used it up.
    #[error("no answer before the message's time was over")]
    Spent,
    /// No frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Something that the filter may not say.
    #[error(transparent)]
    Hear(#[from] HearError),
    /// We told something at the wrong time.
    #[error(transparent)]
    OutOfTurn(#[from] OutOfTurn),
}

/// The kinds of it, as labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// No connection, or it broke.
    Lost,
    /// No answer in time.
    TimedOut,
    /// Something that may not be said.
    Protocol,
    /// No connection was free in time.
    Full,
}

impl Cause {
    /// As a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::TimedOut => "timed_out",
            Self::Protocol => "protocol",
            Self::Full => "full",
        }
    }
}

impl LinkError {
    /// Its kind.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Io(_) | Self::Closed => Cause::Lost,
            Self::TimedOut | Self::Spent => Cause::TimedOut,
            Self::Frame(_) | Self::Hear(_) | Self::OutOfTurn(_) => Cause::Protocol,
        }
    }

    /// Whether another place may do better. What talks nonsense does so everywhere, and no time is no time.
    pub(super) const fn lets_others_try(&self) -> bool {
        !matches!(self, Self::Spent) && !matches!(self.cause(), Cause::Protocol)
    }
}

#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    conversation: Conversation,
    output: BytesMut,
    times: Times,
    alarm: Alarm,
}

impl Link {
    /// Connects and settles the options.
    pub(super) async fn open(
        place: &Endpoint,
        options: &FilterOptions,
        deadline: Instant,
    ) -> Result<Self, LinkError> {
        let patience = Instant::now() + options.times.connect;
        let mut alarm = Alarm::new(patience);
        let open = async {
            let mut stream = Stream::new(place.connect().await?);
            let mut output = BytesMut::new();
            let opening = Opening::new(options.offer.clone(), &mut output);
            stream.write(&mut output).await?;
            let frame = next_frame(&mut stream).await?;
            let conversation = opening.hear(frame, options.edits)?;
            Ok::<_, LinkError>((stream, conversation, output))
        };
        let (stream, conversation, output) = within(&mut alarm, patience, deadline, open).await??;
        Ok(Self { stream, conversation, output, times: options.times, alarm })
    }

    /// Whether recipients that we refuse ourselves are told as well.
    pub(super) fn wants_rejected_recipients(&self) -> bool {
        self.conversation.wants_rejected_recipients()
    }

    /// Whether an answer is owed that nobody waits for: until it has come, no other message can be told over this.
    pub(super) fn owes(&self) -> bool {
        self.conversation.owes()
    }

    /// Tells events, as many in a row as can be; `heard` is shown each answer and how long it took, once what it is an
    /// answer to was on its way and the one before it had come. The last answer comes back, where one was
    /// due, or the first after which there is nothing more to tell.
    pub(super) async fn tell(
        &mut self,
        events: &[Event],
        known: &Known,
        deadline: Instant,
        mut heard: impl FnMut(Stage, &Action, Duration),
    ) -> Result<Option<Answer>, LinkError> {
        let most = self.conversation.agreed().data_size();
        let (mut latest, mut awaits) = (None, false);
        for event in events.iter().flat_map(|event| event.pieces(most)) {
            let stage = event.stage();
            let is_due = self.conversation.wants(stage) && !self.conversation.takes(stage);
            // What is under way is bounded: a filter may have to write before it can read on.
            if is_due || self.output.len() >= GATHERED {
                latest = self.settle(deadline, &mut heard).await?.or(latest);
                if latest.as_ref().is_some_and(Answer::ends) {
                    return Ok(latest);
                }
            }
            if !self.conversation.owes() {
                self.expect_silence()?;
            }
            awaits |= self.conversation.tell(event, known, &mut self.output)? == Told::Awaits;
        }
        // What is owed from a row that had its last word is heard by nobody.
        if awaits {
            latest = self.settle(deadline, &mut heard).await?;
        } else if self.output.len() >= GATHERED {
            self.flush(self.times.content, deadline).await?;
        }
        Ok(latest)
    }

    /// Every answer has been heard, or is owed by a message that is over and as far as it has come heard here, and
    /// nothing has come since: what lies there would be taken for the next one.
    pub(super) fn expect_silence(&mut self) -> Result<(), LinkError> {
        let mut reads = 0;
        loop {
            while self.conversation.owes()
                && let Some(late) = frame::take(&mut self.stream.input, LARGEST)?
            {
                let _ = self.conversation.hear(late)?;
            }
            if !self.conversation.owes() && !self.stream.input.is_empty() {
                return Err(HearError::Unasked.into());
            }
            if self.conversation.owes() && reads == LATE_READS {
                return Ok(());
            }
            // Behind the last answer there may be more, or the end.
            match self.stream.read_now() {
                None => return Ok(()),
                Some(Ok(0)) => return Err(LinkError::Closed),
                Some(read) => _ = read?,
            }
            reads += 1;
        }
    }

    /// Hears what is owed, up to the first answer after which nothing more is told.
    async fn settle(
        &mut self,
        deadline: Instant,
        heard: &mut impl FnMut(Stage, &Action, Duration),
    ) -> Result<Option<Answer>, LinkError> {
        let mut since = Instant::now();
        let first = self.conversation.owed().unwrap_or(Stage::Body);
        self.flush(self.times.of(first), deadline).await?;
        let mut latest = None;
        while let Some(stage) = self.conversation.owed() {
            let answer = self.hear(self.times.of(stage), deadline).await?;
            let now = Instant::now();
            heard(stage, &answer.action, now - since);
            since = now;
            let ends = answer.ends();
            latest = Some(answer);
            if ends {
                break;
            }
        }
        Ok(latest)
    }

    /// A sign of life gives the answer its time anew; the deadline stays.
    async fn hear(&mut self, time: Duration, deadline: Instant) -> Result<Answer, LinkError> {
        let mut patience = Instant::now() + time;
        loop {
            // Frames that lie there already are taken without a look at the clock, so it is looked at here.
            if Instant::now() >= deadline {
                return Err(LinkError::Spent);
            }
            let next = match frame::take(&mut self.stream.input, LARGEST)? {
                Some(frame) => frame,
                None => within(&mut self.alarm, patience, deadline, next_frame(&mut self.stream)).await??,
            };
            match self.conversation.hear(next)? {
                Heard::Answer(answer) => return Ok(answer),
                Heard::Progress => patience = Instant::now() + time,
                // Edits come in a row; each must come in time.
                Heard::More => {}
            }
        }
    }

    async fn flush(&mut self, time: Duration, deadline: Instant) -> Result<(), LinkError> {
        let written = self.stream.write(&mut self.output);
        Ok(within(&mut self.alarm, Instant::now() + time, deadline, written).await??)
    }

    /// The message is dropped, or over.
    pub(super) fn abort(&mut self) {
        self.conversation.abort(&mut self.output);
    }

    /// Ends the client's session; the link again, if it can serve another.
    pub(super) async fn release(mut self, keep: bool) -> Option<Self> {
        let keeps = keep && self.conversation.next_session(&mut self.output);
        let deadline = Instant::now() + self.times.connect;
        if keeps {
            let time = self.times.connect;
            return self.flush(time, deadline).await.is_ok().then_some(self);
        }
        let Self { mut stream, conversation, mut output, .. } = self;
        conversation.quit(&mut output);
        let goodbye = async {
            let _ = stream.write(&mut output).await;
            stream.close().await;
        };
        let _ = timeout_at(deadline, goodbye).await;
        None
    }
}

/// Waits until `patience` is at its end or the message's time is over, whichever is first.
async fn within<T>(
    alarm: &mut Alarm,
    patience: Instant,
    deadline: Instant,
    work: impl Future<Output = T>,
) -> Result<T, LinkError> {
    let over = if deadline <= patience { LinkError::Spent } else { LinkError::TimedOut };
    alarm.within(patience.min(deadline), work).await.ok_or(over)
}

async fn next_frame(stream: &mut Stream) -> Result<Frame, LinkError> {
    loop {
        if let Some(frame) = frame::take(&mut stream.input, LARGEST)? {
            return Ok(frame);
        }
        if stream.read().await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}
