//! Why there is no connection that could carry mail.

use std::io;

use crate::client::dialogue::DialogueError;
use crate::reply::Reply;
use crate::wire::command::Verb;
use crate::wire::reply::ReplyError;

/// Why there is no connection that could carry mail. Nothing was handed over.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody listens there, or nothing gets there.
    #[error("can't connect: {0}")]
    Unreachable(io::Error),
    /// The peer was too slow to answer.
    #[error("timed out while waiting for the answer to {}", .0.as_str())]
    TimedOut(Verb),
    /// The peer hung up.
    #[error("the peer closed the connection instead of answering {}", .0.as_str())]
    Closed(Verb),
    /// The socket broke.
    #[error("the connection broke while waiting for the answer to {}: {kind}", verb.as_str())]
    Broken {
        /// Whose answer was awaited.
        verb: Verb,
        /// How.
        kind: io::ErrorKind,
    },
    /// What came was no reply.
    #[error(transparent)]
    NotAReply(#[from] ReplyError),
    /// The peer said something before it was asked.
    #[error("the peer is out of step: it spoke before {}", .0.as_str())]
    OutOfStep(Verb),
    /// The peer said no, or did not play by the rules of STARTTLS.
    #[error(transparent)]
    Dialogue(#[from] DialogueError),
    /// TLS is done over TCP, and once.
    #[error("no TLS over this connection")]
    NotTcp,
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Tls(io::Error),
}

impl DialError {
    /// The peer said no, in so many words, and will say so again.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.refusal().is_some_and(Reply::is_permanent)
    }

    /// The peer's own words, when it said no.
    #[must_use]
    pub fn refusal(&self) -> Option<&Reply> {
        match self {
            Self::Dialogue(DialogueError::Refused { reply, .. }) => Some(reply),
            _ => None,
        }
    }

    /// In TLS 1.3 a peer says that it does not like our handshake when we think that it is over.
    pub(super) fn after_handshake(self) -> Self {
        match self {
            Self::Closed(_) => Self::Tls(io::ErrorKind::UnexpectedEof.into()),
            Self::Broken { kind, .. } => Self::Tls(kind.into()),
            other => other,
        }
    }

    /// TLS is why: a connection without it may do, where policy allows.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(
            self,
            Self::Tls(_)
                | Self::NotTcp
                | Self::Dialogue(DialogueError::NoStartTls | DialogueError::LeftOver)
                | Self::Dialogue(DialogueError::Refused { verb: Verb::StartTls, .. })
                | Self::TimedOut(Verb::StartTls)
                | Self::Closed(Verb::StartTls)
                | Self::Broken { verb: Verb::StartTls, .. }
        )
    }

    /// The peer's reply, or one of ours that says what happened.
    #[must_use]
    pub fn reply(&self) -> Reply {
        const UNREACHABLE: Reply = Reply::fixed(451, (4, 4, 1), "");
        const BAD_CONNECTION: Reply = Reply::fixed(451, (4, 4, 2), "");
        const TLS_FAILED: Reply = Reply::fixed(454, (4, 7, 5), "");
        const BAD_PROTOCOL: Reply = Reply::fixed(451, (4, 5, 0), "");
        if let Some(reply) = self.refusal() {
            return reply.clone();
        }
        let entry = match self {
            _ if self.is_tls() => TLS_FAILED,
            Self::Unreachable(_) => UNREACHABLE,
            Self::NotAReply(_) | Self::OutOfStep(_) => BAD_PROTOCOL,
            _ => BAD_CONNECTION,
        };
        entry.with_text(self.to_string())
    }
}
