//! Texts from elsewhere as they travel: every line ends in CR LF (RFC 5321 §2.3.8), whatever it ended in.

use bytes::Bytes;

/// Appends a text. What stands after its last line end stays as it is.
pub fn put_lines(output: &mut Vec<u8>, text: &[u8]) {
    let mut before = 0;
    for &octet in text {
        if octet == b'\n' && before != b'\r' {
            output.push(b'\r');
        }
        output.push(octet);
        before = octet;
    }
}

/// A text whose last line has an end, too.
#[must_use]
pub fn lines(text: &[u8]) -> Bytes {
    let mut octets = Vec::with_capacity(text.len() + text.len() / 32 + 2);
    put_lines(&mut octets, text);
    if !octets.ends_with(b"\n") {
        octets.extend_from_slice(b"\r\n");
    }
    octets.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_in_both_once() {
        for (text, expected) in
            [("a\nb\r\n\nc\n", "a\r\nb\r\n\r\nc\r\n"), ("a\rb", "a\rb\r\n"), ("\n", "\r\n"), ("", "\r\n")]
        {
            assert_eq!(lines(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
        let mut output = b"a\r".to_vec();
        put_lines(&mut output, b"\nb");
        assert_eq!(output, b"a\r\r\nb", "what stood before it is another text");
    }
}
