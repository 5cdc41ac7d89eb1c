//! The words of a pattern: which octets stand for themselves, and which for something else.

use super::Parser;
use crate::fault::Wrong;

/// POSIX has two kinds of words: in basic ones, operators are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
    Basic,
    Extended,
    Pcre,
}

/// A word of a pattern, if it is not an octet that stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Alternative,
    Open,
    Close,
    Star,
    Plus,
    Question,
    Brace,
    Caret,
    Dollar,
    Dot,
    Bracket,
    Escape(u8),
    Byte(u8),
}

impl Parser<'_> {
    /// The next word and its length; nothing at the end.
    pub(super) fn peek(&mut self) -> Result<Option<(Token, usize)>, Wrong> {
        if self.words == Words::Pcre {
            self.skip_comments()?;
        }
        let Some(byte) = self.byte(0) else { return Ok(None) };
        if self.quoted {
            return Ok(Some((Token::Byte(byte), 1)));
        }
        let basic = self.words == Words::Basic;
        if byte == b'\\' {
            let escaped = self.byte(1).ok_or_else(|| Wrong::at(self.at, "a `\\` with nothing behind it"))?;
            let operator = operator(escaped).filter(|_| basic).unwrap_or(Token::Escape(escaped));
            return Ok(Some((operator, 2)));
        }
        let token = match byte {
            b'*' => Token::Star,
            b'^' => Token::Caret,
            b'$' => Token::Dollar,
            b'.' => Token::Dot,
            b'[' => Token::Bracket,
            _ => operator(byte).filter(|_| !basic).unwrap_or(Token::Byte(byte)),
        };
        Ok(Some((token, 1)))
    }

    pub(super) fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes octets if they are next.
    pub(super) fn take(&mut self, word: &[u8]) -> bool {
        let next = self.rest().starts_with(word);
        self.at += if next { word.len() } else { 0 };
        next
    }
}

/// The words that basic patterns escape, and extended ones do not.
fn operator(byte: u8) -> Option<Token> {
    Some(match byte {
        b'|' => Token::Alternative,
        b'(' => Token::Open,
        b')' => Token::Close,
        b'+' => Token::Plus,
        b'?' => Token::Question,
        b'{' => Token::Brace,
        _ => return None,
    })
}
