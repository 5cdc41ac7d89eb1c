//! What a filter says: the options at the start, edits and progress at the end of a message, and the action
//! that ends each answer.

use bytes::{Bytes, BytesMut};

use crate::decode::{DecodeError, Parts, put_text};
use crate::edit::Edit;
use crate::frame::{self, Frame};
use crate::negotiate::{self, Options};
use crate::reply::ReplyText;
use crate::stage::Stage;

const PROGRESS: u8 = b'p';
const REPLY_CODE: u8 = b'y';

/// One response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// What the filter wants of what was offered.
    Negotiate(Options),
    /// Still at work: wait on.
    Progress,
    /// A change to the message.
    Edit(Edit),
    /// The answer is complete.
    Action(Action),
}

/// What ends an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Go on.
    Continue,
    /// Go on, and ask no more: about this message, or about this connection if it is said before MAIL.
    Accept,
    /// 5yz.
    Reject,
    /// 4yz.
    Tempfail,
    /// Say 250 and drop the message.
    Discard,
    /// Send no more events of this kind for this message.
    Skip,
    /// This very reply.
    Reply(ReplyText),
    /// Break the client's connection.
    ConnFail,
    /// 421, and close the client's connection.
    Shutdown,
}

impl Action {
    /// As a label, by the protocol's own words.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Tempfail => "tempfail",
            Self::Discard => "discard",
            Self::Skip => "skip",
            Self::Reply(_) => "replycode",
            Self::ConnFail => "conn_fail",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether it makes sense as the answer to an event of this stage.
    #[must_use]
    pub const fn is_legal(&self, stage: Stage) -> bool {
        match self {
            // Said of chunks of the body mostly; Postfix takes it for recipients and fields as well.
            Self::Skip => matches!(stage, Stage::EnvRcpt | Stage::Header | Stage::Body),
            // There is no message yet that could be dropped.
            Self::Discard => stage.is_of_message(),
            _ => true,
        }
    }

    /// Whether it says no, in whatever way.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Reject | Self::Tempfail | Self::Reply(_) | Self::ConnFail | Self::Shutdown)
    }

    const fn code(&self) -> u8 {
        match self {
            Self::Continue => b'c',
            Self::Accept => b'a',
            Self::Reject => b'r',
            Self::Tempfail => b't',
            Self::Discard => b'd',
            Self::Skip => b's',
            Self::Reply(_) => REPLY_CODE,
            Self::ConnFail => b'f',
            Self::Shutdown => b'4',
        }
    }

    fn of_code(code: u8) -> Option<Self> {
        Some(match code {
            b'c' => Self::Continue,
            b'a' => Self::Accept,
            b'r' => Self::Reject,
            b't' => Self::Tempfail,
            b'd' => Self::Discard,
            b's' => Self::Skip,
            b'f' => Self::ConnFail,
            b'4' => Self::Shutdown,
            _ => return None,
        })
    }
}

impl Response {
    /// Appends its frame.
    pub fn encode(&self, output: &mut BytesMut) {
        match self {
            Self::Negotiate(options) => {
                frame::put(output, negotiate::CODE, |payload| options.encode(payload));
            }
            Self::Progress => frame::put(output, PROGRESS, |_| ()),
            Self::Edit(edit) => frame::put(output, edit.code(), |payload| edit.encode(payload)),
            Self::Action(action) => frame::put(output, action.code(), |payload| {
                if let Action::Reply(reply) = action {
                    put_text(payload, reply.encode().as_bytes());
                }
            }),
        }
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When it holds no response.
    pub fn decode(frame: Frame) -> Result<Self, DecodeError> {
        let Frame { code, payload } = frame;
        if let Some(edit) = Edit::decode(code, &payload) {
            return edit.map(Self::Edit);
        }
        match code {
            negotiate::CODE => Options::decode(payload).map(Self::Negotiate),
            REPLY_CODE => Ok(Self::Action(Action::Reply(reply(payload)?))),
            PROGRESS => bare(code, &payload, Self::Progress),
            _ => match Action::of_code(code) {
                Some(action) => bare(code, &payload, Self::Action(action)),
                None => Err(DecodeError::Unknown(code)),
            },
        }
    }
}

fn bare(code: u8, payload: &Bytes, response: Response) -> Result<Response, DecodeError> {
    match payload.len() {
        0 => Ok(response),
        left => Err(DecodeError::Rest { code, left }),
    }
}

fn reply(payload: Bytes) -> Result<ReplyText, DecodeError> {
    let mut parts = Parts::new(REPLY_CODE, payload);
    let text = parts.text()?;
    parts.end()?;
    Ok(ReplyText::parse(&text)?)
}

#[cfg(test)]
mod tests;
