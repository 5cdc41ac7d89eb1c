//! How often a piece of a pattern may stand: `*`, `+`, `?` and numbers in braces.

use regex_syntax::hir::{Hir, Repetition};

use super::{Atom, DEEPEST, LONGEST_NAME, Parser, Token, Words};
use crate::fault::Wrong;

/// How often something may be repeated.
pub(super) struct Times {
    least: u32,
    most: Option<u32>,
    octets: usize,
}

impl Parser<'_> {
    /// Reads the repetitions behind an atom.
    pub(super) fn repeated(&mut self, atom: Atom) -> Result<Hir, Wrong> {
        let Atom::Free(mut hir) = atom else { return Ok(atom.into_hir()) };
        for _ in 0..DEEPEST {
            let Some(times) = self.repetition()? else { return Ok(hir) };
            self.at += times.octets;
            let mut greedy = !self.mode.ungreedy;
            if self.words == Words::Pcre {
                if self.byte(0) == Some(b'+') {
                    return Err(self.cannot(self.at, "a possessive repetition"));
                }
                greedy ^= self.take(b"?");
            }
            hir =
                Hir::repetition(Repetition { min: times.least, max: times.most, greedy, sub: Box::new(hir) });
            if self.words == Words::Pcre {
                // PCRE repeats a thing once; what follows then is told as a repetition of nothing.
                return Ok(hir);
            }
        }
        Err(Wrong::at(self.at, format!("more than {DEEPEST} repetitions of one thing")))
    }

    fn repetition(&mut self) -> Result<Option<Times>, Wrong> {
        let Some((token, octets)) = self.peek()? else { return Ok(None) };
        let times = |least, most| Ok(Some(Times { least, most, octets }));
        match token {
            Token::Star => times(0, None),
            Token::Plus => times(1, None),
            Token::Question => times(0, Some(1)),
            Token::Brace => {
                let place = self.at;
                self.at += octets;
                let found = self.times();
                self.at = place;
                match found? {
                    Some(found) => Ok(Some(Times { octets: octets + found.octets, ..found })),
                    None if self.words == Words::Pcre => Ok(None),
                    None => Err(Wrong::at(place, "`{n}`, `{n,}`, `{,m}` or `{n,m}` is expected")),
                }
            }
            _ => Ok(None),
        }
    }

    /// Reads what stands behind a brace; nothing when it is no repetition.
    pub(super) fn times(&self) -> Result<Option<Times>, Wrong> {
        let close: &[u8] = if self.words == Words::Basic { b"\\}" } else { b"}" };
        let rest = self.rest();
        let rest = rest.get(..LONGEST_NAME).unwrap_or(rest);
        let Some(end) = memchr::memmem::find(rest, close) else { return Ok(None) };
        let Ok(text) = std::str::from_utf8(rest.get(..end).unwrap_or_default()) else { return Ok(None) };
        let (least, most) = text.split_once(',').map_or((text, None), |(least, most)| (least, Some(most)));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        // PCRE takes `{,m}` as it stands.
        let bare = least.is_empty() && (self.words == Words::Pcre || most.is_none_or(str::is_empty));
        if !digits(least) || !most.is_none_or(digits) || bare {
            return Ok(None);
        }
        let limit = if self.words == Words::Pcre { 65_535 } else { 32_767 };
        let number = |text: &str| match text.parse::<u32>() {
            _ if text.is_empty() => Ok(None),
            Ok(number) if number <= limit => Ok(Some(number)),
            _ => Err(Wrong::at(self.at, format!("a repetition is at most {limit} times"))),
        };
        let least = number(least)?.unwrap_or(0);
        let most = match most {
            None => Some(least),
            Some(most) => number(most)?,
        };
        if most.is_some_and(|most| most < least) {
            return Err(Wrong::at(self.at, "a repetition whose numbers are out of order"));
        }
        Ok(Some(Times { least, most, octets: end + close.len() }))
    }
}
