//! PCRE's words, without those that need backtracking: pcre2pattern(3).

use regex_syntax::hir::{Hir, Look};

use super::bytes::ByteSet;
use super::{Atom, LONGEST_NAME, Parser};
use crate::fault::Wrong;

/// What a `(` opens.
pub(super) enum Group {
    Captures,
    Plain,
    /// `(?i)`: switches for what follows.
    Switch,
}

/// What an escape is, inside of a class or outside.
enum Escaped {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    /// Steps over what says nothing: `(?#…)`, the ends of `\Q…\E`, and with the x flag blanks and `#…`.
    pub(super) fn skip_comments(&mut self) -> Result<(), Wrong> {
        loop {
            let place = self.at;
            if self.quoted {
                self.quoted = !self.take(b"\\E");
                if self.quoted {
                    return Ok(());
                }
            } else if self.take(b"\\Q") {
                self.quoted = true;
            } else if self.take(b"(?#") {
                let end = memchr::memchr(b')', self.rest());
                self.at += end.ok_or_else(|| Wrong::at(place, "a comment that nothing closes"))? + 1;
            } else if self.mode.spaced && matches!(self.byte(0), Some(b'\t'..=b'\r' | b' ')) {
                self.at += 1;
            } else if self.mode.spaced && self.byte(0) == Some(b'#') {
                let rest = self.rest();
                self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            } else if !self.take(b"\\E") {
                return Ok(());
            }
        }
    }

    /// Reads what stands behind a `(`.
    pub(super) fn group_kind(&mut self, place: usize) -> Result<Group, Wrong> {
        if self.byte(0) == Some(b'*') {
            return Err(self.cannot(place, "a verb `(*…)`"));
        }
        if !self.take(b"?") {
            return Ok(Group::Captures);
        }
        if self.take(b":") {
            return Ok(Group::Plain);
        }
        for (word, construct) in CONSTRUCTS {
            if self.rest().starts_with(word.as_bytes()) {
                return Err(self.cannot(place, construct));
            }
        }
        let number = self.rest().strip_prefix(b"-").unwrap_or(self.rest());
        if number.first().is_some_and(u8::is_ascii_digit) {
            return Err(self.cannot(place, "a recursion `(?1)`"));
        }
        for (word, end) in [("P<", b'>'), ("<", b'>'), ("'", b'\'')] {
            if self.take(word.as_bytes()) {
                // Substitutions have numbers only, so a name says nothing.
                let name = memchr::memchr(end, self.rest()).filter(|length| *length > 0);
                self.at += name.ok_or_else(|| Wrong::at(place, "a group's name is expected"))? + 1;
                return Ok(Group::Captures);
            }
        }
        self.switches(place)
    }

    /// Reads `(?i-s)` and `(?i-s:`.
    fn switches(&mut self, place: usize) -> Result<Group, Wrong> {
        let mut on = true;
        loop {
            let byte = self.byte(0);
            self.at += 1;
            match byte {
                Some(b':') => return Ok(Group::Plain),
                Some(b')') => return Ok(Group::Switch),
                Some(b'-') if on => on = false,
                Some(b'i') => self.mode.ignore_case = on,
                Some(b'm') => self.mode.multi_line = on,
                Some(b's') => self.mode.dot_all = on,
                Some(b'x') => self.mode.spaced = on,
                Some(b'U') => self.mode.ungreedy = on,
                _ => return Err(Wrong::at(place, "a group `(?…` of a kind that is not known here")),
            }
        }
    }

    pub(super) fn pcre_escape(&mut self, byte: u8, place: usize) -> Result<Atom, Wrong> {
        let look = match byte {
            b'b' => Look::WordAscii,
            b'B' => Look::WordAsciiNegate,
            b'A' => Look::Start,
            // Keys have no newline at their end, before which `\Z` and `$` would match as well.
            b'z' | b'Z' => Look::End,
            b'R' => return Ok(Atom::Free(line_end())),
            b'N' if self.byte(0) != Some(b'{') => {
                return Ok(Atom::Free(ByteSet::ALL.without(b'\n').into_hir()));
            }
            b'C' => return Ok(Atom::Free(ByteSet::ALL.into_hir())),
            // Three digits are an octal number: nobody has so many groups.
            b'1'..=b'3' if self.rest().iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count() >= 2 => {
                self.at -= 1;
                return Ok(match self.digits(8, 3) {
                    Escaped::Byte(byte) => self.itself(byte),
                    Escaped::Set(set) => Atom::Free(set.into_hir()),
                });
            }
            b'1'..=b'9' | b'g' | b'k' => return Err(self.cannot(place, "a back-reference")),
            b'K' | b'G' | b'X' => {
                return Err(self.cannot(place, &format!("`\\{}`", char::from(byte))));
            }
            _ => {
                return Ok(match self.escaped(byte, place)? {
                    Escaped::Byte(byte) => self.itself(byte),
                    Escaped::Set(set) => Atom::Free(self.class_of(set, false).into_hir()),
                });
            }
        };
        Ok(Atom::Fixed(Hir::look(look)))
    }

    /// What an escape means that may stand in a class too.
    fn escaped(&mut self, byte: u8, place: usize) -> Result<Escaped, Wrong> {
        let set = |set: ByteSet, negated: bool| Escaped::Set(if negated { set.negated() } else { set });
        Ok(match byte {
            b'd' | b'D' => set(ByteSet::of(|byte| byte.is_ascii_digit()), byte == b'D'),
            b'w' | b'W' => set(ByteSet::word(), byte == b'W'),
            b's' | b'S' => set(ByteSet::space(), byte == b'S'),
            b'h' | b'H' => set(ByteSet::of(|byte| matches!(byte, b'\t' | b' ' | 0xa0)), byte == b'H'),
            b'v' | b'V' => set(ByteSet::of(|byte| matches!(byte, b'\n'..=b'\r' | 0x85)), byte == b'V'),
            b'a' => Escaped::Byte(0x07),
            b'e' => Escaped::Byte(0x1b),
            b'f' => Escaped::Byte(0x0c),
            b'n' => Escaped::Byte(b'\n'),
            b'r' => Escaped::Byte(b'\r'),
            b't' => Escaped::Byte(b'\t'),
            b'c' => {
                let control = self.byte(0).filter(|byte| byte.is_ascii_graphic() || *byte == b' ');
                self.at += 1;
                let control =
                    control.ok_or_else(|| Wrong::at(place, "a character is expected behind `\\c`"))?;
                Escaped::Byte(control.to_ascii_uppercase() ^ 0x40)
            }
            b'x' if self.byte(0) == Some(b'{') => self.braced(16, place)?,
            b'x' => self.digits(16, 2),
            b'o' => self.braced(8, place)?,
            b'0' => self.digits(8, 2),
            b'p' | b'P' => {
                return Err(Wrong::at(place, "Unicode properties are unknown where octets are matched"));
            }
            _ if byte.is_ascii_alphanumeric() => {
                return Err(Wrong::at(place, format!("`\\{}` is no escape of PCRE", char::from(byte))));
            }
            _ => Escaped::Byte(byte),
        })
    }

    /// Up to so many digits, maybe none.
    fn digits(&mut self, radix: u32, most: usize) -> Escaped {
        let mut number = 0_u8;
        for _ in 0..most {
            let Some(digit) = self.byte(0).and_then(|byte| char::from(byte).to_digit(radix)) else { break };
            number = number.wrapping_mul(radix as u8).wrapping_add(digit as u8);
            self.at += 1;
        }
        Escaped::Byte(number)
    }

    fn braced(&mut self, radix: u32, place: usize) -> Result<Escaped, Wrong> {
        let wrong = || Wrong::at(place, "the number of an octet is expected in braces");
        let length = memchr::memchr(b'}', self.rest()).filter(|_| self.byte(0) == Some(b'{'));
        let length = length.ok_or_else(wrong)?;
        let digits = self.rest().get(1..length).unwrap_or_default();
        let signed = digits.first().is_some_and(|byte| *byte == b'+');
        let number = std::str::from_utf8(digits).ok().filter(|_| !signed);
        let number = number.and_then(|digits| u8::from_str_radix(digits, radix).ok()).ok_or_else(wrong)?;
        self.at += length + 1;
        Ok(Escaped::Byte(number))
    }

    /// Reads a class behind its `[`.
    pub(super) fn pcre_class(&mut self, place: usize) -> Result<Atom, Wrong> {
        if self.take(b"[:<:]]") {
            return Ok(Atom::Fixed(Hir::look(Look::WordStartAscii)));
        }
        if self.take(b"[:>:]]") {
            return Ok(Atom::Fixed(Hir::look(Look::WordEndAscii)));
        }
        let negated = self.take(b"^");
        let mut set = ByteSet::default();
        let start = self.at;
        let mut quoted = false;
        loop {
            if self.take(if quoted { b"\\E" } else { b"\\Q" }) {
                quoted = !quoted;
                continue;
            }
            if !quoted && (self.take(b"\\E") || (self.at > start && self.byte(0) == Some(b']'))) {
                if self.take(b"]") {
                    break;
                }
                continue;
            }
            let member_at = self.at;
            let member = self.class_member(quoted, place)?;
            let dash = !quoted && self.byte(0) == Some(b'-') && !matches!(self.byte(1), None | Some(b']'));
            match member {
                Escaped::Set(_) if dash => return Err(no_range(member_at)),
                Escaped::Set(class) => set = set.union(class),
                Escaped::Byte(from) if dash => {
                    self.at += 1;
                    match self.class_member(quoted, place)? {
                        Escaped::Byte(to) if to >= from => (from..=to).for_each(|byte| set.insert(byte)),
                        _ => return Err(no_range(member_at)),
                    }
                }
                Escaped::Byte(byte) => set.insert(byte),
            }
        }
        Ok(Atom::Free(self.class_of(set, negated).into_hir()))
    }

    fn class_member(&mut self, quoted: bool, place: usize) -> Result<Escaped, Wrong> {
        let open = || Wrong::at(place, "a `[` that nothing closes");
        let member_at = self.at;
        let byte = self.byte(0).ok_or_else(open)?;
        self.at += 1;
        match (byte, self.byte(0)) {
            _ if quoted => Ok(Escaped::Byte(byte)),
            (b'\\', None) => Err(open()),
            (b'\\', Some(escaped)) => {
                self.at += 1;
                match escaped {
                    b'b' => Ok(Escaped::Byte(0x08)),
                    // Octal: there is nothing to refer back to in a class.
                    b'1'..=b'7' => {
                        self.at -= 1;
                        Ok(self.digits(8, 3))
                    }
                    _ => self.escaped(escaped, member_at),
                }
            }
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => {
                let inner = self.bytes.get(self.at + 1..).unwrap_or_default();
                let inner = inner.get(..LONGEST_NAME).unwrap_or(inner);
                let Some(length) = memchr::memmem::find(inner, &[kind, b']']) else {
                    return Ok(Escaped::Byte(byte));
                };
                let name = std::str::from_utf8(inner.get(..length).unwrap_or_default()).unwrap_or_default();
                let plain = name.strip_prefix('^').unwrap_or(name);
                if !plain.bytes().all(|byte| byte.is_ascii_lowercase()) {
                    return Ok(Escaped::Byte(byte));
                }
                let class = if plain == "word" { Some(ByteSet::word()) } else { ByteSet::named(plain) };
                let class = class.filter(|_| kind == b':');
                let class = class.ok_or_else(|| Wrong::at(member_at, "no such class of characters"))?;
                self.at += 1 + length + 2;
                // Case is applied to the class before it is turned round.
                let class = if self.mode.ignore_case { class.folded() } else { class };
                Ok(Escaped::Set(if plain.len() < name.len() { class.negated() } else { class }))
            }
            _ => Ok(Escaped::Byte(byte)),
        }
    }
}

fn no_range(place: usize) -> Wrong {
    Wrong::at(
        place,
        "a range from one character to a later one is expected; a `-` itself stands first or last",
    )
}

/// `\R`.
fn line_end() -> Hir {
    let one = ByteSet::of(|byte| matches!(byte, b'\n'..=b'\r' | 0x85)).into_hir();
    Hir::alternation(vec![Hir::literal(*b"\r\n"), one])
}

/// What only backtracking engines do, by what stands behind `(?`.
const CONSTRUCTS: [(&str, &str); 15] = [
    ("=", "a look-ahead `(?=…)`"),
    ("!", "a negative look-ahead `(?!…)`"),
    ("*", "a look-ahead `(?*…)`"),
    ("<=", "a look-behind `(?<=…)`"),
    ("<!", "a negative look-behind `(?<!…)`"),
    ("<*", "a look-behind `(?<*…)`"),
    (">", "an atomic group `(?>…)`"),
    ("|", "a group `(?|…)` that numbers its branches alike"),
    ("(", "a condition `(?(…)…)`"),
    ("R", "a recursion `(?R)`"),
    ("&", "a recursion `(?&…)`"),
    ("P>", "a recursion `(?P>…)`"),
    ("P=", "a back-reference `(?P=…)`"),
    ("C", "a callout `(?C)`"),
    ("+", "a recursion `(?+…)`"),
];
