//! Braces and words: how Postfix takes the settings of a table apart.

use crate::fault::Wrong;

/// What parts one word from the next.
const SEPARATORS: [char; 5] = [',', ' ', '\t', '\r', '\n'];
/// What may stand around a text.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// The parts of a list, parted by commas or blanks outside braces: `hash:a, inline:{b=c, d=e}` are two.
/// A brace that nothing closes ends with the text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |character| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => return depth == 0 && SEPARATORS.contains(&character),
        }
        false
    })
    .filter(|word| !word.is_empty())
}

/// True when every brace has its other half.
pub(super) fn is_balanced(text: &str) -> bool {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return false,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

/// True for a text that would be taken apart as a list.
pub(super) fn has_separator(text: &str) -> bool {
    text.contains(SEPARATORS)
}

/// What stands between the first brace of a text and its other half, which must be its end; none when it does
/// not start with one.
pub(super) fn braced(text: &str) -> Result<Option<&str>, Wrong> {
    if !text.starts_with('{') {
        return Ok(None);
    }
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let rest = at + 1;
            if rest < text.len() {
                return Err(Wrong::at(rest, "nothing is expected after the closing `}`"));
            }
            return Ok(text.get(1..at).map(|inner| inner.trim_matches(BLANKS)));
        }
    }
    Err(Wrong::new("a `{` that nothing closes"))
}

/// Without the blanks around it.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(BLANKS)
}
