//! The parts that payloads are made of: numbers, and text that ends at a NUL.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::reply::ReplyError;

/// What no command and no response is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A code that the protocol does not know.
    #[error("the code {:?} means nothing", char::from(*.0))]
    Unknown(u8),
    /// The payload ends in the middle of a part.
    #[error("the payload of {:?} ends too soon", char::from(*.0))]
    Short(u8),
    /// The payload goes on behind its last part.
    #[error("the payload of {:?} has {left} octets too many", char::from(*.code))]
    Rest {
        /// Which command or response.
        code: u8,
        /// Octets that nobody asked for.
        left: usize,
    },
    /// A part that is there has no legal value.
    #[error("{:?} with {what} that is none", char::from(*.code))]
    Value {
        /// Which command or response.
        code: u8,
        /// Which part of it.
        what: &'static str,
    },
    /// The reply that a filter wants given is none.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// More parts than are kept.
    #[error("{:?} with more than {most} {what}", char::from(*.code))]
    Many {
        /// Which command or response.
        code: u8,
        /// Which parts.
        what: &'static str,
        /// How many are kept.
        most: usize,
    },
}

/// Reads a payload from its front.
#[derive(Debug)]
pub(crate) struct Parts {
    code: u8,
    left: Bytes,
}

impl Parts {
    pub(crate) fn new(code: u8, payload: Bytes) -> Self {
        Self { code, left: payload }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn octet(&mut self) -> Result<u8, DecodeError> {
        if self.left.is_empty() { Err(self.short()) } else { Ok(self.left.get_u8()) }
    }

    pub(crate) fn short_number(&mut self) -> Result<u16, DecodeError> {
        if self.left.len() < 2 { Err(self.short()) } else { Ok(self.left.get_u16()) }
    }

    pub(crate) fn number(&mut self) -> Result<u32, DecodeError> {
        if self.left.len() < 4 { Err(self.short()) } else { Ok(self.left.get_u32()) }
    }

    /// Text up to its NUL.
    pub(crate) fn text(&mut self) -> Result<Bytes, DecodeError> {
        let Some(end) = memchr::memchr(0, &self.left) else { return Err(self.short()) };
        let text = self.left.split_to(end);
        self.left.advance(1);
        Ok(text)
    }

    /// Texts up to the end of the payload, `most` of them.
    pub(crate) fn texts(&mut self, what: &'static str, most: usize) -> Result<Vec<Bytes>, DecodeError> {
        let mut texts = Vec::new();
        while !self.left.is_empty() {
            if texts.len() == most {
                return Err(DecodeError::Many { code: self.code, what, most });
            }
            texts.push(self.text()?);
        }
        Ok(texts)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.left)
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        match self.left.len() {
            0 => Ok(()),
            left => Err(DecodeError::Rest { code: self.code, left }),
        }
    }

    pub(crate) fn value(&self, what: &'static str) -> DecodeError {
        DecodeError::Value { code: self.code, what }
    }

    pub(crate) fn many(&self, what: &'static str, most: usize) -> DecodeError {
        DecodeError::Many { code: self.code, what, most }
    }

    fn short(&self) -> DecodeError {
        DecodeError::Short(self.code)
    }
}

/// Writes text and its NUL. Text ends at a NUL of its own, for the other side would read it so.
pub(crate) fn put_text(output: &mut BytesMut, text: &[u8]) {
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    output.extend_from_slice(text.get(..end).unwrap_or_default());
    output.put_u8(0);
}
