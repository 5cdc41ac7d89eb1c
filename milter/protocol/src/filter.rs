//! The filter's side: hears what happens at an MTA and answers, without a socket or a clock.
//!
//! A [`Session`] is fed with octets ([`Session::step`]) and hands out one [`Step`] at a time. An event is followed by
//! [`Session::answer`], the end of a message by [`Session::finish`], with whatever shall be changed;
//! [`Session::progress`] keeps the MTA waiting. What is to be written stands in [`Session::output`].
//!
//! A filter need not care what was agreed. An answer that the MTA does not wait for is kept for the next stage
//! where it does; "skip" works with MTAs that do not know it; a body is cut into frames.

mod say;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::command::Command;
use crate::decode::DecodeError;
use crate::event::Event;
use crate::frame::{self, FrameError, LARGEST};
use crate::macros::Macros;
use crate::negotiate::{Agreed, NegotiateError, Wants};
use crate::response::{Action, Response};
use crate::stage::Stage;
use crate::turn::{OutOfTurn, Turn};

/// What an MTA said that it may not say. The connection must be closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No command.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It cannot do what this filter needs.
    #[error(transparent)]
    Negotiate(#[from] NegotiateError),
    /// An event at the wrong time.
    #[error(transparent)]
    OutOfTurn(#[from] OutOfTurn),
    /// Something before the options, or options twice.
    #[error("the options are not where they must be: once, at the start")]
    Options,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write [`Session::output`], then read more.
    Read,
    /// Something happened: [`Session::answer`].
    Event(Event),
    /// The message is over, with this last bit of its body: [`Session::finish`].
    End(Bytes),
    /// The message at hand is dropped. No answer.
    Abort,
    /// The client's session is over; another follows. No answer.
    NextSession,
    /// The MTA has said goodbye.
    Close,
}

/// Something said that could not be told yet.
#[derive(Debug, Clone)]
struct Held {
    action: Action,
    /// Said of a message; otherwise of the whole session.
    of_message: bool,
}

/// The talk with one MTA over one connection.
#[derive(Debug)]
pub struct Session {
    wants: Wants,
    agreed: Option<Arc<Agreed>>,
    turn: Turn,
    macros: Arc<Macros>,
    output: BytesMut,
    /// The stage that the filter is asked about.
    asked: Option<Stage>,
    /// What was said where no answer was due.
    held: Option<Held>,
    /// Stages that the filter wants no more of in this message, where the MTA cannot leave them out.
    skips: Vec<Stage>,
    /// The filter has had its last word on a message before its end.
    is_over: bool,
}

impl Session {
    /// A connection has been taken.
    #[must_use]
    pub fn new(wants: Wants) -> Self {
        Self {
            wants,
            agreed: None,
            turn: Turn::default(),
            macros: Arc::default(),
            output: BytesMut::new(),
            asked: None,
            held: None,
            skips: Vec::new(),
            is_over: false,
        }
    }

    /// What was agreed on, once it was.
    #[must_use]
    pub fn agreed(&self) -> Option<&Arc<Agreed>> {
        self.agreed.as_ref()
    }

    /// What the MTA told beside the events.
    #[must_use]
    pub fn macros(&self) -> &Arc<Macros> {
        &self.macros
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// True between two messages: a filter that wants to stop can close the connection here.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.turn.in_message() && self.asked.is_none()
    }

    /// Takes the next command from what was read.
    ///
    /// # Errors
    /// When the MTA may not say that.
    pub fn step(&mut self, input: &mut BytesMut) -> Result<Step, SessionError> {
        loop {
            let Some(frame) = frame::take(input, LARGEST)? else { return Ok(Step::Read) };
            let command = Command::decode(frame)?;
            if let Some(step) = self.command(command)? {
                return Ok(step);
            }
        }
    }

    fn command(&mut self, command: Command) -> Result<Option<Step>, SessionError> {
        let Some(agreed) = &self.agreed else { return self.open(command) };
        match command {
            Command::Negotiate(_) => Err(SessionError::Options),
            Command::Macros(defined) => {
                // Those of the rest of a message that is over would be taken for the next one's.
                if !(self.is_over && defined.stage.is_content()) {
                    Arc::make_mut(&mut self.macros).define(defined);
                }
                Ok(None)
            }
            Command::Event(event) => {
                let stage = event.stage();
                self.is_over &= stage.is_content();
                if self.is_over {
                    // An MTA that does not wait between the parts of a message had not heard yet; libmilter answers no
                    // more of them either.
                    return Ok(None);
                }
                // An MTA may tell much in a row; our caller answers each step before it takes the next.
                if self.asked.is_some() {
                    return Err(OutOfTurn { stage }.into());
                }
                self.turn.admit(stage, agreed)?;
                self.asked = Some(stage);
                Ok(self.ask(event))
            }
            Command::Abort => {
                let begun = self.turn.in_message();
                self.is_over = false;
                self.end_message();
                Ok(begun.then_some(Step::Abort))
            }
            Command::QuitNewConnection => {
                self.is_over = false;
                self.end_message();
                self.turn = Turn::default();
                Arc::make_mut(&mut self.macros).clear();
                self.held = None;
                Ok(Some(Step::NextSession))
            }
            Command::Quit => Ok(Some(Step::Close)),
        }
    }

    /// The options come first; a connection may also be closed before them, as those who only look do.
    fn open(&mut self, command: Command) -> Result<Option<Step>, SessionError> {
        match command {
            Command::Negotiate(offer) => {
                let answer = self.wants.answer(&offer)?;
                Response::Negotiate(answer.clone()).encode(&mut self.output);
                self.agreed = Some(Arc::new(Agreed::new(&offer, answer)?));
                Ok(None)
            }
            Command::Quit => Ok(Some(Step::Close)),
            _ => Err(SessionError::Options),
        }
    }

    /// The filter is asked, unless it has said what it thinks already.
    fn ask(&mut self, event: Event) -> Option<Step> {
        let stage = event.stage();
        if let Some(held) = self.held.clone() {
            self.answer(held.action);
            return None;
        }
        if self.skips.contains(&stage) {
            self.answer(Action::Continue);
            return None;
        }
        Some(match event {
            Event::Eom(rest) => Step::End(rest),
            event => Step::Event(event),
        })
    }

    fn end_message(&mut self) {
        self.turn.end_message();
        Arc::make_mut(&mut self.macros).end_message();
        self.asked = None;
        self.skips.clear();
        self.held.take_if(|held| held.of_message);
    }
}

#[cfg(test)]
mod tests;
