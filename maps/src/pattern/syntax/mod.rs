//! A pattern's text to the engine's tree, in the words of POSIX or of PCRE.
//!
//! The engine's own syntax differs from both in many small ways (`[a\]`, `\<`, `{`, `&&` in a class …), so
//! patterns are read here, octet by octet, and the tree is built by hand. What only a backtracking engine
//! can do (back-references, look-around, recursion …) is refused by name, at its place: a lookup takes time in
//! proportion to the key, whatever the pattern.
//!
//! Patterns match octets: `.` is one octet, and only ASCII letters have two cases, as in Postfix.

mod bytes;
mod pcre;
mod posix;
#[cfg(test)]
mod tests;

use regex_syntax::hir::{Capture, Hir, Look, Repetition};

use crate::fault::Wrong;
use bytes::ByteSet;

/// Which words a pattern is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// regexp_table(5).
    Posix,
    /// pcre_table(5).
    Pcre,
}

/// The switches behind a pattern; each letter toggles one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flags(u8);

impl Flags {
    const LETTERS: &'static str = "imxsAEUX";

    /// What is on when no letter is written.
    pub(super) fn initial(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Posix => Self(0).toggled('i').toggled('x'),
            Dialect::Pcre => Self(0).toggled('i').toggled('s'),
        }
    }

    /// Toggles the switch of a letter, if the dialect has it.
    pub(super) fn toggle(self, letter: char, dialect: Dialect) -> Option<Self> {
        let letters = match dialect {
            Dialect::Posix => "imx",
            Dialect::Pcre => Self::LETTERS,
        };
        letters.contains(letter).then(|| self.toggled(letter))
    }

    fn toggled(self, letter: char) -> Self {
        Self(self.0 ^ Self::bit(letter))
    }

    fn has(self, letter: char) -> bool {
        self.0 & Self::bit(letter) != 0
    }

    fn bit(letter: char) -> u8 {
        Self::LETTERS.find(letter).map_or(0, |place| 1 << place)
    }

    /// As they stand in the artifact: a bit for each of `imxsAEUX`, the first letter's the lowest.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn of_bits(bits: u8) -> Self {
        Self(bits)
    }
}

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// How many `( )` there are for `$1`, `$2` ….
    pub(super) groups: u32,
}

/// Octets of a pattern: more is no rule that a person wrote.
const LONGEST: usize = 1 << 16;
/// How deep groups may nest, and how many repetitions may stand one behind the other.
const DEEPEST: u32 = 100;
/// Octets of a name in brackets, or of the numbers in braces, with what closes them.
const LONGEST_NAME: usize = 32;

/// Reads a pattern; offsets in what is wrong are the pattern's.
pub(super) fn parse(pattern: &str, flags: Flags, dialect: Dialect) -> Result<Parsed, Wrong> {
    if pattern.len() > LONGEST {
        return Err(Wrong::new(format!("a pattern of more than {LONGEST} octets")));
    }
    let mode = Mode {
        ignore_case: flags.has('i'),
        multi_line: flags.has('m'),
        dot_all: flags.has('s'),
        spaced: dialect == Dialect::Pcre && flags.has('x'),
        ungreedy: flags.has('U'),
    };
    let words = match dialect {
        Dialect::Pcre => Words::Pcre,
        Dialect::Posix if flags.has('x') => Words::Extended,
        Dialect::Posix => Words::Basic,
    };
    let bytes = pattern.as_bytes();
    let mut parser = Parser { bytes, at: 0, words, mode, quoted: false, depth: 0, groups: 0 };
    let mut hir = parser.alternation()?;
    if let Some((Token::Close, _)) = parser.peek()? {
        return Err(Wrong::at(parser.at, "a `)` that nothing opened"));
    }
    if flags.has('A') {
        hir = Hir::concat(vec![Hir::look(Look::Start), hir]);
    }
    Ok(Parsed { hir, groups: parser.groups })
}

// ---------------------------------------------------------------------------------------------------------

/// POSIX has two kinds of words: in basic ones, operators are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Basic,
    Extended,
    Pcre,
}

/// What an inline `(?flags)` of PCRE may change.
#[derive(Debug, Clone, Copy)]
struct Mode {
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    /// Blanks and `#` comments say nothing.
    spaced: bool,
    ungreedy: bool,
}

/// A word of a pattern, if it is not an octet that stands for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
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

/// How often something may be repeated.
struct Times {
    least: u32,
    most: Option<u32>,
    octets: usize,
}

struct Parser<'p> {
    bytes: &'p [u8],
    at: usize,
    words: Words,
    mode: Mode,
    /// Between PCRE's `\Q` and `\E`.
    quoted: bool,
    depth: u32,
    groups: u32,
}

impl Parser<'_> {
    /// The next word and its length; nothing at the end.
    fn peek(&mut self) -> Result<Option<(Token, usize)>, Wrong> {
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

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at.checked_add(ahead)?).copied()
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes octets if they are next.
    fn take(&mut self, word: &[u8]) -> bool {
        let next = self.rest().starts_with(word);
        self.at += if next { word.len() } else { 0 };
        next
    }

    /// Branches up to the end of the group.
    fn alternation(&mut self) -> Result<Hir, Wrong> {
        let mut branches = vec![self.branch()?];
        while let Some((Token::Alternative, octets)) = self.peek()? {
            self.at += octets;
            branches.push(self.branch()?);
        }
        Ok(Hir::alternation(branches))
    }

    fn branch(&mut self) -> Result<Hir, Wrong> {
        let start = self.at;
        let mut pieces = Vec::new();
        while let Some((token, octets)) = self.peek()? {
            match token {
                Token::Alternative => break,
                Token::Close if self.depth > 0 || self.words != Words::Extended => break,
                _ => {}
            }
            let place = self.at;
            self.at += octets;
            let atom = self.atom(token, place, place == start)?;
            pieces.push(self.repeated(atom)?);
        }
        Ok(Hir::concat(pieces))
    }

    /// One thing that may be repeated, or an [`Atom::Fixed`] that may not.
    fn atom(&mut self, token: Token, place: usize, first: bool) -> Result<Atom, Wrong> {
        let basic = self.words == Words::Basic;
        Ok(match token {
            Token::Open => return self.group(place),
            Token::Bracket => return self.class(place),
            Token::Escape(byte) => return self.escape(byte, place),
            Token::Dot => {
                let newline =
                    if self.words == Words::Pcre { self.mode.dot_all } else { !self.mode.multi_line };
                let set = if newline { ByteSet::ALL } else { ByteSet::ALL.without(b'\n') };
                Atom::Free(set.into_hir())
            }
            // In basic words, anchors are anchors only where they could match.
            Token::Caret if basic && !first => self.itself(b'^'),
            Token::Dollar
                if basic && !matches!(self.peek()?, None | Some((Token::Close | Token::Alternative, _))) =>
            {
                self.itself(b'$')
            }
            Token::Caret if self.mode.multi_line => Atom::Fixed(Hir::look(Look::StartLF)),
            Token::Caret => Atom::Fixed(Hir::look(Look::Start)),
            Token::Dollar if self.mode.multi_line => Atom::Fixed(Hir::look(Look::EndLF)),
            Token::Dollar => Atom::Fixed(Hir::look(Look::End)),
            Token::Star if basic => self.itself(b'*'),
            Token::Brace if self.words == Words::Pcre && self.times()?.is_none() => self.itself(b'{'),
            Token::Star | Token::Plus | Token::Question | Token::Brace => {
                return Err(Wrong::at(place, "a repetition of nothing"));
            }
            Token::Byte(byte) => self.itself(byte),
            // Extended words take one that nothing opened as it is; a branch ends before all others.
            Token::Close | Token::Alternative => self.itself(b')'),
        })
    }

    fn itself(&self, byte: u8) -> Atom {
        Atom::Free(bytes::literal(byte, self.mode.ignore_case))
    }

    fn group(&mut self, place: usize) -> Result<Atom, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Wrong::at(place, format!("groups nest more than {DEEPEST} deep")));
        }
        let mode = self.mode;
        let captures = match self.words {
            Words::Pcre => match self.group_kind(place)? {
                pcre::Group::Captures => true,
                pcre::Group::Plain => false,
                // Such a group is a switch: it has no inside, and what it says holds to the end of the outer one.
                pcre::Group::Switch => {
                    self.depth -= 1;
                    return Ok(Atom::Fixed(Hir::empty()));
                }
            },
            Words::Basic | Words::Extended => true,
        };
        let index = self.groups + 1;
        self.groups += u32::from(captures);
        let sub = self.alternation()?;
        match self.peek()? {
            Some((Token::Close, octets)) => self.at += octets,
            _ => return Err(Wrong::at(place, "a `(` that nothing closes")),
        }
        self.mode = mode;
        self.depth -= 1;
        Ok(Atom::Free(match captures {
            true => Hir::capture(Capture { index, name: None, sub: Box::new(sub) }),
            false => sub,
        }))
    }

    fn class(&mut self, place: usize) -> Result<Atom, Wrong> {
        match self.words {
            Words::Pcre => self.pcre_class(place),
            Words::Basic | Words::Extended => self.posix_class(place),
        }
    }

    fn escape(&mut self, byte: u8, place: usize) -> Result<Atom, Wrong> {
        match self.words {
            Words::Pcre => self.pcre_escape(byte, place),
            Words::Basic | Words::Extended => self.posix_escape(byte, place),
        }
    }

    /// Reads the repetitions behind an atom.
    fn repeated(&mut self, atom: Atom) -> Result<Hir, Wrong> {
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
    fn times(&self) -> Result<Option<Times>, Wrong> {
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

    /// What the engine has no way to do.
    fn cannot(&self, place: usize, construct: &str) -> Wrong {
        Wrong::at(place, format!("{construct} needs an engine that backtracks, which this one does not"))
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

/// A piece of a pattern before its repetition.
enum Atom {
    Free(Hir),
    /// An anchor: neither POSIX nor PCRE repeats it.
    Fixed(Hir),
}

impl Atom {
    fn into_hir(self) -> Hir {
        match self {
            Self::Free(hir) | Self::Fixed(hir) => hir,
        }
    }
}
