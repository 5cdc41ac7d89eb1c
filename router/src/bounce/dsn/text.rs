//! Lines of a report: folded, printable, dated, and dotted for the wire.

use std::fmt::Write as _;

use jiff::Zoned;

use super::MAX_DIAGNOSTIC;

/// Writes a line.
pub(super) fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String can't fail.
    let _ = write!(text, "{arguments}\r\n");
}

/// RFC 5322 §3.3.
pub(super) fn date(at: &Zoned) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// One line of at most [`MAX_DIAGNOSTIC`] octets without a control character: what a peer said ends no line of
/// ours.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_DIAGNOSTIC));
    for character in text.chars() {
        if shown.len() + character.len_utf8() > MAX_DIAGNOSTIC {
            break;
        }
        shown.push(if character.is_control() { ' ' } else { character });
    }
    shown
}

/// With a mark for each character that is not ASCII.
pub(super) fn ascii(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii() { character } else { '?' }).collect()
}

/// Writes `head value`, folded at spaces so that lines stay under 78 octets where the words allow it, and under
/// 998 always (RFC 5322 §2.1.1).
pub(super) fn fold(text: &mut String, head: &str, value: &str, indent: &str) {
    let mut width = head.len();
    text.push_str(head);
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if width + 1 + word.len() > 76 {
            text.push_str("\r\n");
            text.push_str(indent);
            width = indent.len();
        } else {
            text.push(' ');
            width += 1;
        }
        let mut rest = word;
        while rest.len() > 900 {
            let end = (1..=900).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            text.push_str("\r\n");
            text.push_str(indent);
            rest = &rest[end..];
        }
        text.push_str(rest);
        width += word.len();
    }
    text.push_str("\r\n");
}

/// Our own lines in wire form (RFC 5321 §4.5.2).
pub(super) fn stuffed(text: &str) -> Vec<u8> {
    let dotted = text.replace("\r\n.", "\r\n..");
    if dotted.starts_with('.') { format!(".{dotted}").into_bytes() } else { dotted.into_bytes() }
}
