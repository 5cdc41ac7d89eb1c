//! What an MTA says: the options at the start, macros, events, and how it ends.

use bytes::BytesMut;

use crate::decode::DecodeError;
use crate::event::Event;
use crate::frame::{self, Frame};
use crate::macros::{self, Defined};
use crate::negotiate::{self, Options};
use crate::stage::Stage;

const ABORT: u8 = b'A';
const QUIT: u8 = b'Q';
const QUIT_NEW_CONNECTION: u8 = b'K';

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What the MTA can do.
    Negotiate(Options),
    /// Macros for the event that comes next.
    Macros(Defined),
    /// Something happened.
    Event(Event),
    /// The message at hand is dropped; the session goes on.
    Abort,
    /// The session is over, and so is the connection to the filter.
    Quit,
    /// The session is over; another follows on this connection to the filter.
    QuitNewConnection,
}

impl Command {
    /// Appends its frame.
    pub fn encode(&self, output: &mut BytesMut) {
        match self {
            Self::Negotiate(options) => {
                frame::put(output, negotiate::CODE, |payload| options.encode(payload));
            }
            Self::Macros(defined) => frame::put(output, macros::CODE, |payload| defined.encode(payload)),
            Self::Event(event) => frame::put(output, event.stage().code(), |payload| event.encode(payload)),
            Self::Abort => frame::put(output, ABORT, |_| ()),
            Self::Quit => frame::put(output, QUIT, |_| ()),
            Self::QuitNewConnection => frame::put(output, QUIT_NEW_CONNECTION, |_| ()),
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it holds no command.
    pub fn decode(frame: Frame) -> Result<Self, DecodeError> {
        let Frame { code, payload } = frame;
        let bare = |command| match payload.len() {
            0 => Ok(command),
            left => Err(DecodeError::Rest { code, left }),
        };
        match code {
            negotiate::CODE => Options::decode(payload).map(Self::Negotiate),
            macros::CODE => Defined::decode(payload).map(Self::Macros),
            ABORT => bare(Self::Abort),
            QUIT => bare(Self::Quit),
            QUIT_NEW_CONNECTION => bare(Self::QuitNewConnection),
            _ => {
                let stage = Stage::of_code(code).ok_or(DecodeError::Unknown(code))?;
                Event::decode(stage, payload).map(Self::Event)
            }
        }
    }
}

#[cfg(test)]
mod tests;
