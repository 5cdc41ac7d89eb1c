//! The MTA's side: tells a filter what happens and hears what it wants, without a socket or a clock.
//!
//! [`Opening`] offers what we can do and takes the filter's answer; from then on there is a [`Conversation`]:
//! 1. [`Conversation::tell`] writes an event, with its macros before it, unless the filter does not want it or has
//!    said enough; it says whether an answer is due. The parts of a message can be told in a row, before the answers to
//!    those above them are heard ([`Conversation::takes`]).
//! 2. [`Conversation::hear`] takes frames until the answer is complete, answer by answer.
//! 3. [`Conversation::abort`] drops a message, [`Conversation::next_session`] ends the client's session and keeps the
//!    connection, [`Conversation::quit`] ends both.
//!
//! What holds: edits come out with the action that completes the answer to the end of a message, and only if the
//! message goes on. A filter that breaks off before has changed nothing. What a filter said about one message says
//! nothing about the next.

mod awaited;
mod conversation;

use bytes::BytesMut;

pub use conversation::Conversation;

use crate::command::Command;
use crate::decode::DecodeError;
use crate::edit::{Edit, EditError};
use crate::frame::Frame;
use crate::negotiate::{Agreed, NegotiateError, Options};
use crate::response::{Action, Response};
use crate::stage::Stage;

/// Bounds on what one answer may hold.
#[derive(Debug, Clone, Copy)]
pub struct EditLimits {
    /// Edits.
    pub count: usize,
    /// Octets of all of them, a new body among them.
    pub octets: usize,
}

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
        Ok(Conversation::new(Agreed::new(&self.offer, answer)?, limits))
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

#[cfg(test)]
mod tests;
