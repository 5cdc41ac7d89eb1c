//! The header of a message that arrived, and the token in it that says whose message it is.

use crate::language::message::TOKEN_FIELD;

/// Octets of a header that are kept.
pub(super) const MOST_HEADER: usize = 64 << 10;

/// Header fields with their values, unfolded (RFC 5322 §2.2.3).
pub(super) fn fields(message: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(message.get(..MOST_HEADER).unwrap_or(message)).into_owned();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match (line.strip_prefix([' ', '\t']), fields.last_mut()) {
            (Some(more), Some((_, value))) => {
                value.push(' ');
                value.push_str(more.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    fields.push((name.trim().to_owned(), value.trim().to_owned()));
                }
            }
        }
    }
    fields
}

/// What tells whose message it is.
pub(super) fn token(header: &[(String, String)]) -> Option<String> {
    let field = header.iter().find(|(name, _)| name.eq_ignore_ascii_case(TOKEN_FIELD));
    field.map(|(_, token)| token.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_unfolded_and_ends_before_the_body() {
        let fields = fields(b"A: 1\r\nB : two\r\n\tthree\r\nno field\r\nC:\r\n\r\nD: 4\r\n");
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(fields, [("A", "1"), ("B", "two three"), ("C", "")]);
    }
}
