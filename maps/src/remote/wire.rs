//! What both protocols have in common: a request, a reply, and what can go wrong between them.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::{socketmap, tcp};

/// How a server is spoken to.
#[derive(Debug, Clone)]
pub(super) enum Protocol {
    /// socketmap_table(5), and the table to ask there.
    Socketmap { name: String },
    /// tcp_table(5).
    Tcp,
}

/// What a server says of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Found(String),
    NotFound,
}

/// Why a server gave no answer. Cheap to clone: all who wait for a key are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// It is not asked for a while.
    #[error("not asked again so soon: {0}")]
    Away(Arc<str>),
    /// Too many keys wait for it.
    #[error("too many keys wait for an answer")]
    Busy,
    /// No reply in time.
    #[error("no reply in time")]
    Timeout,
    /// It cannot be reached, or went away.
    #[error("{0}")]
    Broken(Arc<str>),
    /// It said something that its protocol does not have.
    #[error("bad reply: {0}")]
    BadReply(Arc<str>),
    /// It said that it cannot say.
    #[error("the server says {word} {reason:?}")]
    Refused {
        /// Its own word for it: `TEMP`, `400`.
        word: Arc<str>,
        /// What it says about that.
        reason: Arc<str>,
    },
}

impl RemoteError {
    pub(super) fn bad(what: impl Into<Arc<str>>) -> Self {
        Self::BadReply(what.into())
    }
}

impl From<io::Error> for RemoteError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string().into())
    }
}

impl Protocol {
    /// The octets that ask for a key.
    pub(super) fn request(&self, key: &str) -> Vec<u8> {
        match self {
            Self::Socketmap { name } => socketmap::request(name, key),
            Self::Tcp => tcp::request(key),
        }
    }

    /// Reads a reply to its end, and no further.
    pub(super) async fn reply(&self, stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, RemoteError> {
        match self {
            Self::Socketmap { .. } => socketmap::reply(stream).await,
            Self::Tcp => tcp::reply(stream).await,
        }
    }
}

/// Reads up to an octet and drops it; what stands before it may have so many octets.
pub(super) async fn read_until(
    stream: &mut (impl AsyncBufRead + Unpin),
    end: u8,
    limit: usize,
) -> Result<Vec<u8>, RemoteError> {
    let mut read = Vec::new();
    loop {
        let buffer = stream.fill_buf().await?;
        if buffer.is_empty() {
            return Err(closed());
        }
        let found = memchr::memchr(end, buffer);
        let piece = &buffer[..found.unwrap_or(buffer.len())];
        if read.len() + piece.len() > limit {
            return Err(RemoteError::bad(format!("more than {limit} octets where fewer are expected")));
        }
        read.extend_from_slice(piece);
        let used = piece.len() + usize::from(found.is_some());
        stream.consume(used);
        if found.is_some() {
            return Ok(read);
        }
    }
}

pub(super) fn closed() -> RemoteError {
    RemoteError::Broken("the server closed the connection".into())
}

/// A value as it may stand in a map: text, not empty, of one line.
pub(super) fn value(octets: Vec<u8>) -> Result<String, RemoteError> {
    let value = String::from_utf8(octets).map_err(|_| RemoteError::bad("a value that is not UTF-8"))?;
    if let Some(control) = value.chars().find(|character| character.is_control() && *character != '\t') {
        let what = format!("a value with the control character U+{:04X}", u32::from(control));
        return Err(RemoteError::bad(what));
    }
    if value.trim_matches([' ', '\t']).is_empty() {
        return Err(RemoteError::bad("an empty value"));
    }
    Ok(value)
}

/// What a server says beside an error, fit for a log line.
pub(super) fn reason(octets: &[u8]) -> Arc<str> {
    const SHOWN: usize = 200;
    let text = String::from_utf8_lossy(octets);
    text.chars().filter(|character| !character.is_control()).take(SHOWN).collect::<String>().into()
}
