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
mod repeat;
#[cfg(test)]
mod tests;
mod token;

use regex_syntax::hir::{Capture, Hir, Look};

use crate::fault::Wrong;
use bytes::ByteSet;
use token::{Token, Words};

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

    /// What the engine has no way to do.
    fn cannot(&self, place: usize, construct: &str) -> Wrong {
        Wrong::at(place, format!("{construct} needs an engine that backtracks, which this one does not"))
    }
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
