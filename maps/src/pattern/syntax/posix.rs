//! POSIX's own words, with GNU's escapes: regex(7).

use regex_syntax::hir::{Hir, Look};

use super::bytes::ByteSet;
use super::{Atom, LONGEST_NAME, Parser, Words};
use crate::fault::Wrong;

/// A member of a bracket expression.
enum Member {
    Byte(u8),
    Set(ByteSet),
}

impl Parser<'_> {
    pub(super) fn posix_escape(&mut self, byte: u8, place: usize) -> Result<Atom, Wrong> {
        Ok(match byte {
            b'w' => Atom::Free(ByteSet::word().into_hir()),
            b'W' => Atom::Free(ByteSet::word().negated().into_hir()),
            b's' => Atom::Free(ByteSet::space().into_hir()),
            b'S' => Atom::Free(ByteSet::space().negated().into_hir()),
            b'b' => Atom::Fixed(Hir::look(Look::WordAscii)),
            b'B' => Atom::Fixed(Hir::look(Look::WordAsciiNegate)),
            b'<' => Atom::Fixed(Hir::look(Look::WordStartAscii)),
            b'>' => Atom::Fixed(Hir::look(Look::WordEndAscii)),
            b'`' => Atom::Fixed(Hir::look(Look::Start)),
            b'\'' => Atom::Fixed(Hir::look(Look::End)),
            b'1'..=b'9' => return Err(self.cannot(place, "a back-reference")),
            // The C library matches such a letter by accident of case only.
            _ if byte.is_ascii_alphanumeric() => {
                let byte = char::from(byte);
                return Err(Wrong::at(place, format!("`\\{byte}` is no escape of POSIX: write `{byte}`")));
            }
            _ => self.itself(byte),
        })
    }

    /// Reads a bracket expression behind its `[`; a backslash is nothing special there.
    pub(super) fn posix_class(&mut self, place: usize) -> Result<Atom, Wrong> {
        let negated = self.take(b"^");
        let mut set = ByteSet::default();
        let start = self.at;
        loop {
            let first = self.at == start;
            if !first && self.take(b"]") {
                break;
            }
            let member_at = self.at;
            if !first && self.byte(0) == Some(b'-') && self.byte(1) != Some(b']') {
                return Err(Wrong::at(
                    member_at,
                    "a `-` may stand first, last, or between the ends of a range",
                ));
            }
            let from = match self.member(place)? {
                Member::Set(class) => {
                    set = set.union(class);
                    continue;
                }
                Member::Byte(byte) => byte,
            };
            let mut to = from;
            if self.byte(0) == Some(b'-') && !matches!(self.byte(1), None | Some(b']')) {
                self.at += 1;
                match self.member(place)? {
                    Member::Byte(byte) if byte >= from => to = byte,
                    _ => return Err(Wrong::at(member_at, "a range that ends before it starts")),
                }
            }
            (from..=to).for_each(|byte| set.insert(byte));
        }
        Ok(Atom::Free(self.class_of(set, negated).into_hir()))
    }

    /// Applies case and `^` to the members of a class.
    pub(super) fn class_of(&self, set: ByteSet, negated: bool) -> ByteSet {
        let set = if self.mode.ignore_case { set.folded() } else { set };
        if !negated {
            return set;
        }
        // With the m flag of regexp tables, only `\n` itself matches a line's end.
        let lines = self.mode.multi_line && self.words != Words::Pcre;
        if lines { set.negated().without(b'\n') } else { set.negated() }
    }

    fn member(&mut self, place: usize) -> Result<Member, Wrong> {
        let open = || Wrong::at(place, "a `[` that nothing closes");
        let byte = self.byte(0).ok_or_else(open)?;
        let kind = self.byte(1).filter(|kind| byte == b'[' && matches!(kind, b':' | b'.' | b'='));
        let Some(kind) = kind else {
            self.at += 1;
            return Ok(Member::Byte(byte));
        };
        let member_at = self.at;
        let inner = self.bytes.get(self.at + 2..).unwrap_or_default();
        let inner = inner.get(..LONGEST_NAME).unwrap_or(inner);
        let length = memchr::memmem::find(inner, &[kind, b']']).ok_or_else(open)?;
        let name = inner.get(..length).unwrap_or_default();
        self.at += length + 4;
        match (kind, name) {
            (b'.' | b'=', [byte]) => Ok(Member::Byte(*byte)),
            (b'.' | b'=', _) => Err(Wrong::at(member_at, "no such character in the C locale")),
            _ => {
                let set = std::str::from_utf8(name).ok().and_then(ByteSet::named);
                set.map(Member::Set).ok_or_else(|| Wrong::at(member_at, "no such class of characters"))
            }
        }
    }
}
