//! How text lies in a file: blanks, comments, continued lines, line ends.

use fastrand::Rng;

use super::{one, rarely};

/// Lays out logical lines the way different people would. `begin` is set apart from `rest` by blanks, and only
/// the rest goes on in further lines.
pub fn lines<'a>(rng: &mut Rng, lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    // A carriage return within a continued line is a difference of its own.
    let (end, may_go_on) = if rarely(rng, 8) { ("\r\n", false) } else { ("\n", true) };
    let mut text = String::new();
    for (begin, rest) in lines {
        if rarely(rng, 6) {
            text.push_str(one(rng, &["# a comment", "", "   # indented", "\t", "#", "  "]));
            text.push_str(end);
        }
        text.push_str(begin);
        let mut words = rest.split(' ').peekable();
        let mut gap = one(rng, &[" ", "\t", "    ", " \t "]);
        while let Some(word) = words.next() {
            text.push_str(gap);
            // A line that went on with a comment sign would be a comment.
            if may_go_on && rarely(rng, 5) && !word.is_empty() && !word.starts_with('#') {
                text.push_str(one(rng, &["\n ", "\n\t", "\n# between\n  ", "\n\n   ", "  \n   "]));
            }
            text.push_str(word);
            gap = " ";
            if words.peek().is_none() && rarely(rng, 6) {
                text.push_str(one(rng, &[" ", "\t", "   "]));
            }
        }
        text.push_str(end);
    }
    if rarely(rng, 4) {
        let length = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(length);
    }
    text
}
