//! Postfix's settings files, octets to logical lines: a line that starts with a blank goes on with the one
//! above it, and comments and empty lines may stand in between.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Octets of main.cf or master.cf: far over any real one.
const MAX_FILE: u64 = 4 << 20;

/// A logical line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Of its first physical line, from 1.
    pub(super) number: u32,
    /// Physical lines joined by a blank.
    pub(super) text: String,
}

/// Reads a settings file whole.
pub(super) fn load(path: &Path) -> io::Result<Vec<Line>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("is longer than {MAX_FILE} octets: no settings file")));
    }
    // An odd octet is most often in a comment; in a value it shows as what it is, and is told of there.
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

/// Puts logical lines together.
pub(super) fn parse(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (number, physical) in (1..).zip(text.lines()) {
        let content = physical.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        match lines.last_mut() {
            Some(line) if physical.starts_with([' ', '\t']) => {
                line.text.push(' ');
                line.text.push_str(content);
            }
            // A first line that starts with a blank is read as if it did not, as Postfix does.
            _ => lines.push(Line { number, text: content.to_owned() }),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_over_comments() {
        let text = "# head\n\na = 1,\n  2\n# between\n\t3 # no comment\n\nb=4\n";
        let lines: Vec<_> = parse(text).into_iter().map(|line| (line.number, line.text)).collect();
        assert_eq!(lines, [(3, "a = 1, 2 3 # no comment".to_owned()), (8, "b=4".to_owned())]);
    }
}
