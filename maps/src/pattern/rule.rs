//! The parts of a line: `!/pattern/flags value`, `if /pattern/flags`, `endif`.

use super::syntax::{Dialect, Flags};
use crate::fault::Wrong;
use crate::rules::{Keyword, keyword, negation};

/// A line of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// A condition, and where its pattern starts.
    If(Condition<'a>, usize),
    Endif,
    /// A condition and a value, and where pattern and value start.
    Rule(Condition<'a>, usize, &'a str, usize),
}

/// When a rule answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Condition<'a> {
    pub(super) negated: bool,
    pub(super) pattern: &'a str,
    pub(super) flags: Flags,
}

/// Parts a line.
pub(super) fn read(text: &str, dialect: Dialect) -> Result<Read<'_>, Wrong> {
    let text = text.trim_end_matches([' ', '\t']);
    match keyword(text) {
        Keyword::Endif if text.len() > "endif".len() => {
            Err(Wrong::at("endif".len(), "nothing may follow `endif`"))
        }
        Keyword::Endif => Ok(Read::Endif),
        Keyword::If(at) => {
            let (condition, start, rest, rest_at) = condition(text, at, dialect)?;
            match rest {
                "" => Ok(Read::If(condition, start)),
                _ => Err(Wrong::at(rest_at, "nothing may follow the pattern of an `if`")),
            }
        }
        Keyword::Rule => {
            let (condition, start, value, value_at) = condition(text, 0, dialect)?;
            if value.is_empty() {
                return Err(Wrong::at(
                    text.len(),
                    "a pattern and a value are expected, and there is no value",
                ));
            }
            Ok(Read::Rule(condition, start, value, value_at))
        }
    }
}

/// Reads marks, pattern and flags; gives where the pattern starts, what follows, and where.
fn condition(text: &str, at: usize, dialect: Dialect) -> Result<(Condition<'_>, usize, &str, usize), Wrong> {
    let (negated, open) = negation(text, at);
    let delimiter = match text.as_bytes().get(open) {
        Some(byte) if byte.is_ascii_punctuation() => *byte,
        _ => return Err(Wrong::at(open, "`/pattern/` is expected")),
    };
    let start = open + 1;
    let mut escaped = false;
    let body = text.get(start..).unwrap_or_default();
    let length = body.bytes().position(|byte| {
        let end = byte == delimiter && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    });
    // A backslash as delimiter escapes itself, so nothing closes it: as in Postfix.
    let length = length
        .filter(|_| delimiter != b'\\')
        .ok_or_else(|| Wrong::at(open, format!("a pattern that no `{}` closes", char::from(delimiter))))?;
    let pattern = body.get(..length).unwrap_or_default();
    let flags_at = start + length + 1;
    let rest = text.get(flags_at..).unwrap_or_default();
    let letters = rest.split([' ', '\t']).next().unwrap_or_default();
    let mut flags = Flags::initial(dialect);
    for (place, letter) in letters.char_indices() {
        flags = flags.toggle(letter, dialect).ok_or_else(|| {
            let known = match dialect {
                Dialect::Posix => "`i`, `m` and `x`",
                Dialect::Pcre => "`i`, `m`, `s`, `x`, `A`, `E`, `U` and `X`",
            };
            Wrong::at(flags_at + place, format!("`{letter}` is no flag: there are {known}"))
        })?;
    }
    let rest = rest.get(letters.len()..).unwrap_or_default();
    let value = rest.trim_start_matches([' ', '\t']);
    Ok((Condition { negated, pattern, flags }, start, value, text.len() - value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> (bool, &str, &str) {
        match read(text, Dialect::Posix).unwrap() {
            Read::Rule(condition, _, value, at) => {
                assert!(text[at..].starts_with(value));
                (condition.negated, condition.pattern, value)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_are_parted_as_postfix_does() {
        assert_eq!(rule("/a b/  value here "), (false, "a b", "value here"));
        assert_eq!(rule(r"! /a\/b/im v"), (true, r"a\/b", "v"));
        assert_eq!(rule("!!#a/b#x\tv"), (false, "a/b", "v"));
        assert_eq!(rule(r"/a\\/ v"), (false, r"a\\", "v"));
        assert_eq!(rule("$a$ v"), (false, "a", "v"));
        assert!(matches!(read("IF !/a/", Dialect::Posix), Ok(Read::If(condition, 5)) if condition.negated));
        assert!(matches!(read("if/a/ ", Dialect::Posix), Ok(Read::If(_, 3))));
        assert_eq!(read("endif\t", Dialect::Posix), Ok(Read::Endif));
    }

    #[test]
    fn what_cannot_be_parted_is_refused_at_its_place() {
        for (text, at) in [
            ("/foo", 0),
            (r"/foo\/ v", 0),
            (r"\foo\ v", 0),
            ("foo v", 0),
            ("éfooé v", 0),
            ("! foo v", 2),
            ("if", 2),
            ("if /a/ x", 7),
            ("endif x", 5),
            ("/foo/", 5),
            ("/foo/z v", 5),
            ("/foo[/]/ v", 6),
            ("/foo/s v", 5),
        ] {
            assert_eq!(read(text, Dialect::Posix).map_err(|wrong| wrong.at), Err(at), "{text}");
        }
        assert!(read("/foo/sAEUX v", Dialect::Pcre).is_ok());
    }
}
