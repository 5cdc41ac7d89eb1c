//! The MTA's side: tells a filter what happens and hears what it wants, without a socket or a clock.
//!
//! [`Opening`] offers what we can do and takes the filter's answer; from then on there is a [`Conversation`]:
//! 1. [`Conversation::tell`] writes an event, with its macros before it, unless the filter does not want it or has
//!    said enough; it says whether an answer is due. Fields of a header can be told in a row, before the answers to
//!    those above them are heard ([`Conversation::takes`]).
//! 2. [`Conversation::hear`] takes frames until the answer is complete, answer by answer.
//! 3. [`Conversation::abort`] drops a message, [`Conversation::next_session`] ends the client's session and keeps the
//!    connection, [`Conversation::quit`] ends both.
//!
//! What holds: edits come out with the action that completes the answer to the end of a message, and only if the
//! message goes on. A filter that breaks off before has changed nothing. What a filter said about one message says
//! nothing about the next.

mod awaited;

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};

use awaited::Awaited;

use crate::command::Command;
use crate::decode::DecodeError;
use crate::edit::{Edit, EditError};
use crate::event::{Event, Field};
use crate::frame::Frame;
use crate::macros::{Defined, Known, usual};
use crate::negotiate::{Agreed, NegotiateError, Options, Steps};
use crate::response::{Action, Response};
use crate::stage::Stage;
use crate::turn::{OutOfTurn, Turn};

/// Bounds on what one answer may hold.
#[derive(Debug, Clone, Copy)]
pub struct EditLimits {
    /// Edits.
    pub count: usize,
    /// Octets of all of them, a new body among them.
    pub octets: usize,
}

/// Answers that may be owed at once: so few that a filter never waits for us to read them.
const MOST_AHEAD: usize = 64;

impl Default for EditLimits {
    fn default() -> Self {
        Self { count: 10_000, octets: 64 << 20 }
    }
}

/// What a filter said that it may not say. The conversation is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HearError {
    /// Its options are not a part of ours.
    #[error(transparent)]
    Negotiate(#[from] NegotiateError),
    /// A frame that is no response.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An edit that cannot be made.
    #[error("{edit}: {error}")]
    Edit {
        /// Which.
        edit: &'static str,
        /// Why.
        error: EditError,
    },
    /// An answer that nobody asked for.
    #[error("an answer that nobody asked for")]
    Unasked,
    /// A response that means nothing at this stage.
    #[error("{response} as an answer to {stage}")]
    Unfit {
        /// Which.
        response: &'static str,
        /// What was asked.
        stage: Stage,
    },
}

/// A conversation that has not begun.
#[derive(Debug)]
pub struct Opening {
    offer: Options,
}

impl Opening {
    /// Says what we offer.
    #[must_use]
    pub fn new(offer: Options, output: &mut BytesMut) -> Self {
        Command::Negotiate(offer.clone()).encode(output);
        Self { offer }
    }

    /// Takes the filter's answer.
    ///
    /// # Errors
    /// When it is none, or not a part of the offer.
    pub fn hear(self, frame: Frame, limits: EditLimits) -> Result<Conversation, HearError> {
        let Response::Negotiate(answer) = Response::decode(frame)? else { return Err(HearError::Unasked) };
        let agreed = Agreed::new(&self.offer, answer)?;
        Ok(Conversation {
            agreed,
            limits,
            turn: Turn::default(),
            interest: Interest::All,
            skips: Vec::new(),
            awaited: VecDeque::new(),
            rests: false,
        })
    }
}

/// Whether [`Conversation::tell`] asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Written; [`Conversation::hear`] is next.
    Awaits,
    /// Written; there will be no answer.
    NoAnswer,
    /// Nothing was written: the filter does not want to know.
    Passed,
}

/// What a frame brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The answer goes on.
    More,
    /// The filter is at work: whoever waits may wait longer.
    Progress,
    /// The answer is complete.
    Answer(Answer),
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to do.
    pub action: Action,
    /// What to change, in this order. Only at the end of a message that goes on.
    pub edits: Vec<Edit>,
}

impl Answer {
    /// Whether nothing more of the same is told after it.
    #[must_use]
    pub fn ends(&self) -> bool {
        !matches!(self.action, Action::Continue | Action::Skip)
    }
}

/// How much of what comes the filter still wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interest {
    All,
    NotThisMessage,
    NotThisSession,
}

/// The talk with one filter over one connection.
#[derive(Debug)]
pub struct Conversation {
    agreed: Agreed,
    limits: EditLimits,
    turn: Turn,
    interest: Interest,
    /// Stages that the filter wants no more of in this message.
    skips: Vec<Stage>,
    /// Answers that are owed, in this order.
    awaited: VecDeque<Awaited>,
    /// The latest thing said was "continue" at the end of a message.
    rests: bool,
}

impl Conversation {
    /// What was agreed on.
    #[must_use]
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Whether an event of this stage would be sent now.
    #[must_use]
    pub fn wants(&self, stage: Stage) -> bool {
        self.interest == Interest::All && self.agreed.tells(stage) && !self.skips.contains(&stage)
    }

    /// Whether an event of this stage can be told before the answers that are still owed. It can within a header, whose
    /// fields are all here when the first is told: they share a write, and their answers a wait. The body and the end
    /// wait until all of the header is answered, so that nothing is told of a message that was refused.
    #[must_use]
    pub fn takes(&self, stage: Stage) -> bool {
        self.awaited.back().is_none_or(|latest| {
            latest.stage() == Stage::Header
                && matches!(stage, Stage::Header | Stage::Eoh)
                && self.awaited.len() < MOST_AHEAD
        })
    }

    /// The event to which the next answer is owed.
    #[must_use]
    pub fn owed(&self) -> Option<Stage> {
        self.awaited.front().map(Awaited::stage)
    }

    /// Whether an answer is owed. After a refusal in the middle of a row those behind it stay so: there are filters that
    /// give them and filters that do not, and the connection can serve no other message.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owed().is_some()
    }

    /// Whether recipients that we refuse ourselves are told as well.
    #[must_use]
    pub fn wants_rejected_recipients(&self) -> bool {
        self.agreed.steps.contains(Steps::REJECTED_RCPT) && self.wants(Stage::EnvRcpt)
    }

    /// Writes an event. A field's value is given with the space behind its colon, whatever was agreed, and comes
    /// with it in an edit.
    ///
    /// # Errors
    /// When it cannot come now: a fault of ours.
    pub fn tell(&mut self, event: Event, known: &Known, output: &mut BytesMut) -> Result<Told, OutOfTurn> {
        let stage = event.stage();
        if !self.wants(stage) {
            return Ok(Told::Passed);
        }
        if !self.takes(stage) {
            return Err(OutOfTurn { stage });
        }
        self.turn.admit(stage, &self.agreed)?;
        self.rests = false;
        let macros = match self.agreed.wanted_macros(stage) {
            Some(wanted) => known.pick(wanted.iter().map(|name| &name[..])),
            None => known.pick(usual(stage).iter().map(|name| name.as_bytes())),
        };
        if !macros.is_empty() {
            Command::Macros(Defined { stage, macros }).encode(output);
        }
        Command::Event(self.fitted(event)).encode(output);
        if !self.agreed.answers(stage) {
            return Ok(Told::NoAnswer);
        }
        self.awaited.push_back(Awaited::new(stage));
        Ok(Told::Awaits)
    }

    /// A field as this filter takes it. A frame larger than was agreed would make it close the connection, so that
    /// a huge field is told by its beginning.
    fn fitted(&self, event: Event) -> Event {
        let Event::Header(Field { mut name, mut value }) = event else { return event };
        // Sendmail eats one space there, and no tab.
        if !self.agreed.steps.contains(Steps::LEADING_SPACE) && value.first() == Some(&b' ') {
            value.advance(1);
        }
        let most = self.agreed.data_size();
        if name.len() + value.len() + 2 > most {
            name.truncate(most / 2);
            value.truncate(most - name.len() - 2);
        }
        Event::Header(Field { name, value })
    }

    /// Takes the next frame of an answer.
    ///
    /// # Errors
    /// When the filter may not say that. The connection must be closed; nothing of the answer counts.
    pub fn hear(&mut self, frame: Frame) -> Result<Heard, HearError> {
        let response = Response::decode(frame)?;
        let Some(awaited) = self.awaited.front_mut() else { return Err(HearError::Unasked) };
        let stage = awaited.stage();
        match response {
            Response::Negotiate(_) => Err(HearError::Unfit { response: "optneg", stage }),
            Response::Progress => Ok(Heard::Progress),
            Response::Edit(edit) if stage != Stage::Eom => {
                Err(HearError::Unfit { response: edit.as_str(), stage })
            }
            Response::Edit(edit) => {
                awaited.take(edit, &self.agreed, self.limits)?;
                Ok(Heard::More)
            }
            Response::Action(action) => {
                let understood = action != Action::Skip || self.agreed.steps.contains(Steps::SKIP);
                if !understood || !action.is_legal(stage) {
                    return Err(HearError::Unfit { response: action.as_str(), stage });
                }
                let edits = self.awaited.pop_front().map(Awaited::into_edits).unwrap_or_default();
                self.conclude(stage, &action);
                let goes_on = matches!(action, Action::Continue | Action::Accept);
                Ok(Heard::Answer(Answer { action, edits: if goes_on { edits } else { Vec::new() } }))
            }
        }
    }

    /// What an action means for the events that follow.
    fn conclude(&mut self, stage: Stage, action: &Action) {
        let of_message = stage.is_of_message();
        self.interest = match action {
            Action::ConnFail | Action::Shutdown => Interest::NotThisSession,
            Action::Skip => {
                self.skips.push(stage);
                self.interest
            }
            Action::Continue => self.interest,
            Action::Accept | Action::Discard if of_message => Interest::NotThisMessage,
            Action::Accept | Action::Discard => Interest::NotThisSession,
            // One recipient less, one command refused: the message and the session go on.
            Action::Reject | Action::Tempfail | Action::Reply(_)
                if matches!(stage, Stage::EnvRcpt | Stage::Unknown) =>
            {
                self.interest
            }
            Action::Reject | Action::Tempfail | Action::Reply(_) if of_message => Interest::NotThisMessage,
            Action::Reject | Action::Tempfail | Action::Reply(_) => Interest::NotThisSession,
        };
        if stage == Stage::Eom {
            self.end_message();
            self.rests = *action == Action::Continue;
        }
    }

    fn end_message(&mut self) {
        self.turn.end_message();
        self.skips.clear();
        if self.interest == Interest::NotThisMessage {
            self.interest = Interest::All;
        }
    }

    /// Drops the message at hand: RSET, a refusal by somebody else, or a refusal by this filter. An answer that is
    /// still awaited is awaited on: nothing can be told before it.
    pub fn abort(&mut self, output: &mut BytesMut) {
        if self.turn.in_message() {
            Command::Abort.encode(output);
            self.rests = false;
        }
        self.end_message();
    }

    /// The client is gone, and the connection is kept for another. `false` when that cannot be: then only
    /// [`Conversation::quit`] is left. An answer that nobody waited for would be the next client's.
    ///
    /// libmilter passes over the command, and over the next connection with it, unless it stands right behind the end
    /// of a message that it answered with "continue".
    #[must_use]
    pub fn next_session(&mut self, output: &mut BytesMut) -> bool {
        if self.agreed.version < 6 || !self.rests || self.owes() {
            return false;
        }
        Command::QuitNewConnection.encode(output);
        self.rests = false;
        self.turn = Turn::default();
        self.interest = Interest::All;
        true
    }

    /// Says goodbye.
    pub fn quit(mut self, output: &mut BytesMut) {
        if !self.owes() {
            self.abort(output);
        }
        Command::Quit.encode(output);
    }
}

#[cfg(test)]
mod tests;
