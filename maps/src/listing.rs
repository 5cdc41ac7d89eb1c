//! The entries of a table as they stand in its text, in their order: to be shown and compared, not asked.
//!
//! Nothing is typed and nothing folded here; that is the compiler's work. A table of rules gives its patterns
//! as keys. What is no list (a server, a fixed answer) says so.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::source::{Lines, split};
use crate::spec::{Rules, TableSpec};

/// Octets of a text.
const MAX_TEXT: u64 = 1 << 32;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The key, or a rule's pattern.
    pub key: &'a str,
    /// Empty in a plain list.
    pub value: &'a str,
    /// From 1; counted from the first in a table that stands in the settings.
    pub line: u32,
}

/// A table can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// There is nothing to list.
    #[error("`{0}` is no list of entries")]
    NoList(String),
    /// The file can't be read.
    #[error("{}: cannot be read: {error}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line can't be read.
    #[error("{}:{line}:{column}: {what}", file.display())]
    Line {
        /// Of which file.
        file: PathBuf,
        /// From 1.
        line: u32,
        /// From 1, in characters.
        column: u32,
        /// What is wrong with it.
        what: String,
    },
}

/// Shows every entry of a table to `visit`, until that breaks off; files stand in `folder`.
///
/// # Errors
/// When the table is no list, or at the first line that can't be read.
pub fn each(
    table: &TableSpec,
    folder: &Path,
    visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
) -> Result<(), ListError> {
    match table {
        TableSpec::Text { file, .. } => of_text(&folder.join(file), Form::Entries, visit),
        TableSpec::Aliases { file } => of_text(&folder.join(file), Form::Aliases, visit),
        TableSpec::Cidr(Rules::File(file)) => of_text(&folder.join(file), Form::Networks, visit),
        TableSpec::Regexp(Rules::File(file)) | TableSpec::Pcre(Rules::File(file)) => {
            of_text(&folder.join(file), Form::Patterns, visit)
        }
        TableSpec::Cidr(Rules::Inline(rules)) => of_rules(rules, Form::Networks, visit),
        TableSpec::Regexp(Rules::Inline(rules)) | TableSpec::Pcre(Rules::Inline(rules)) => {
            of_rules(rules, Form::Patterns, visit)
        }
        TableSpec::Inline(pairs) => {
            for (line, pair) in (1..).zip(pairs) {
                if visit(Entry { key: &pair.key, value: &pair.value, line }).is_break() {
                    break;
                }
            }
            Ok(())
        }
        TableSpec::Static(_)
        | TableSpec::Fail(_)
        | TableSpec::Union(_)
        | TableSpec::Random(_)
        | TableSpec::Socketmap { .. }
        | TableSpec::Tcp(_) => Err(ListError::NoList(table.to_string())),
    }
}

fn of_text(
    file: &Path,
    form: Form,
    visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
) -> Result<(), ListError> {
    let text = read(file).map_err(|error| ListError::File { file: file.to_owned(), error })?;
    let bad = |line, column, what| ListError::Line { file: file.to_owned(), line, column, what };
    for line in Lines::new(&text) {
        let line = line.map_err(|wrong| bad(wrong.line, wrong.column, wrong.what))?;
        let parted = form.part(&line.text).map_err(|(at, what)| {
            let (number, column) = line.place(at);
            bad(number, column, what)
        })?;
        let Some((key, value)) = parted else { continue };
        if visit(Entry { key, value, line: line.number() }).is_break() {
            break;
        }
    }
    Ok(())
}

fn of_rules(
    rules: &[String],
    form: Form,
    visit: &mut dyn FnMut(Entry<'_>) -> ControlFlow<()>,
) -> Result<(), ListError> {
    for (line, rule) in (1..).zip(rules) {
        let bad = |(_, what)| ListError::Line { file: "the settings".into(), line, column: 0, what };
        let Some((key, value)) = form.part(rule).map_err(bad)? else { continue };
        if visit(Entry { key, value, line }).is_break() {
            break;
        }
    }
    Ok(())
}

/// A text may be larger than a daemon takes: what is too much for one can still be looked at.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let opened = File::open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut octets = Vec::new();
    opened.take(MAX_TEXT + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_TEXT {
        return Err(io::Error::other(format!("larger than {MAX_TEXT} octets")));
    }
    Ok(octets)
}

// ---------------------------------------------------------------------------------------------------------

/// How a line parts into key and value.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// `key value`.
    Entries,
    /// `key: value`.
    Aliases,
    /// `network value`.
    Networks,
    /// `/pattern/flags value`.
    Patterns,
}

impl Form {
    /// Key and value; nothing for `if` and `endif`, which answer nothing. An error has its offset.
    fn part(self, line: &str) -> Result<Option<(&str, &str)>, (usize, String)> {
        let words = || {
            let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
            (key, value.trim_matches([' ', '\t']))
        };
        match self {
            Self::Entries => {
                let entry = split(line).map_err(|wrong| (wrong.at, wrong.what))?;
                Ok(Some((entry.key, entry.value)))
            }
            Self::Aliases => Ok(Some(alias(line))),
            Self::Networks | Self::Patterns if matches!(words().0, "if" | "endif") => Ok(None),
            Self::Networks => Ok(Some(words())),
            Self::Patterns => {
                let Some(end) = end_of_pattern(line) else {
                    return Err((0, "a pattern that nothing closes".to_owned()));
                };
                let (key, value) = line.split_at(end);
                Ok(Some((key, value.trim_matches([' ', '\t']))))
            }
        }
    }
}

/// At the first colon outside double quotes.
fn alias(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let colon = line.char_indices().find(|(_, character)| {
        quoted ^= *character == '"';
        *character == ':' && !quoted
    });
    let (key, value) = match colon {
        Some((at, _)) => (&line[..at], &line[at + 1..]),
        None => (line, ""),
    };
    (key.trim_matches([' ', '\t']), value.trim_matches([' ', '\t']))
}

/// Behind the flags: `!/pattern/flags`, with any sign for the slash.
fn end_of_pattern(line: &str) -> Option<usize> {
    let body = line.trim_start_matches(['!', ' ', '\t']);
    let mut characters = body.char_indices();
    let (_, delimiter) = characters.next()?;
    let mut escaped = false;
    let closing = characters.find(|(_, character)| {
        let closes = !escaped && *character == delimiter;
        escaped = !escaped && *character == '\\';
        closes
    });
    let behind = closing?.0 + delimiter.len_utf8();
    let flags = body[behind..].find([' ', '\t']).unwrap_or(body.len() - behind);
    Some(line.len() - body.len() + behind + flags)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn listed(word: &str, text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("t")).unwrap().write_all(text.as_bytes()).unwrap();
        let mut all = Vec::new();
        let ended = each(&word.parse().unwrap(), folder.path(), &mut |entry| {
            all.push(format!("{}|{}|{}", entry.line, entry.key, entry.value));
            ControlFlow::Continue(())
        });
        if let Err(error) = ended {
            all.push(error.to_string().replace(folder.path().to_str().unwrap(), ""));
        }
        all
    }

    #[test]
    fn each_kind_has_its_own_keys() {
        let text = "# c\na@x  one\n two\nB y\n\"q u\"@x z\nplain\n";
        assert_eq!(listed("hash:t", text), ["2|a@x|one two", "4|B|y", "5|\"q u\"@x|z", "6|plain|"]);
        assert_eq!(
            listed("aliases:t", "root: a, b\n\"odd: one\" : c\n"),
            ["1|root|a, b", "2|\"odd: one\"|c"]
        );
        let text = "!10.0.0.0/8 no\nif 192.0.2.0/24\n192.0.2.1 yes it is\nendif\n";
        assert_eq!(listed("cidr:t", text), ["1|!10.0.0.0/8|no", "3|192.0.2.1|yes it is"]);
        let text = "if /x/\n!/^a\\/ b$/i REJECT no\nendif\n%p%  q\n";
        assert_eq!(listed("regexp:t", text), ["2|!/^a\\/ b$/i|REJECT no", "4|%p%|q"]);
        assert_eq!(listed("inline:{ a=1, {b = 2, 3} }", ""), ["1|a|1", "2|b|2, 3"]);
        assert_eq!(listed("static:x", ""), ["`static:x` is no list of entries"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        assert_eq!(listed("t", "a 1\n\"b 2\nc 3\n"), ["1|a|1", "/t:2:1: a double quote that nothing closes"]);
        assert_eq!(listed("pcre:t", "/a b\n"), ["/t:1:1: a pattern that nothing closes"]);
        assert!(listed("none", "")[0].starts_with("/none: cannot be read: "));
    }
}
