//! tcp_table(5): a line each way, `get key` and `200 value`, with `%20` for what a line cannot hold.

use tokio::io::AsyncBufRead;

use super::wire::{self, RemoteError, Reply};

/// Octets of a reply without the end of its line, as in Postfix.
const MAX_REPLY: usize = 4095;

pub(super) fn request(key: &str) -> Vec<u8> {
    let mut request = b"get ".to_vec();
    for byte in key.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            request.push(byte);
        } else {
            request.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    request.push(b'\n');
    request
}

pub(super) async fn reply(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, RemoteError> {
    let line = wire::read_until(stream, b'\n', MAX_REPLY).await?;
    read(line.strip_suffix(b"\r").unwrap_or(&line))
}

fn read(line: &[u8]) -> Result<Reply, RemoteError> {
    let [class, second, third, b' ' | b'\t', text @ ..] = line else {
        return Err(RemoteError::bad("three digits, a blank and a text are expected"));
    };
    if ![class, second, third].into_iter().all(u8::is_ascii_digit) {
        return Err(RemoteError::bad("three digits are expected"));
    }
    let text =
        decode(text).ok_or_else(|| RemoteError::bad("two hexadecimal digits are expected after `%`"))?;
    match class {
        b'2' => wire::value(text).map(Reply::Found),
        b'4' => Err(RemoteError::Refused { word: wire::reason(&line[..3]), reason: wire::reason(&text) }),
        b'5' => Ok(Reply::NotFound),
        _ => Err(RemoteError::bad(format!("`{}` is no code of tcp_table's", wire::reason(&line[..3])))),
    }
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = after else { return None };
        decoded.push(digit(*high)? * 16 + digit(*low)?);
        rest = after;
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn replied(octets: &[u8]) -> Result<Reply, String> {
        let mut stream = octets;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(reply(&mut stream)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_line_cannot_hold_is_encoded() {
        assert_eq!(request("a b%é\n"), b"get a%20b%25%C3%A9%0A\n");
    }

    #[test]
    fn replies_are_read() {
        let found = |value: &str| Ok(Reply::Found(value.to_owned()));
        assert_eq!(replied(b"200 value\nrest"), found("value"));
        assert_eq!(replied(b"200 a%20b%2cc\r\n"), found("a b,c"));
        assert_eq!(replied(b"250\t%c3%A9\n"), found("é"));
        assert_eq!(replied(b"500 no\n"), Ok(Reply::NotFound));
        let longest = [b"200 ", "a".repeat(4091).as_bytes(), b"\n"].concat();
        assert_eq!(replied(&longest), found(&"a".repeat(4091)));
        let longer = [b"200 ", "a".repeat(4092).as_bytes(), b"\n"].concat();
        for (octets, error) in [
            (&b"400 later\n"[..], "the server says 400 \"later\""),
            (b"200 \n", "bad reply: an empty value"),
            (b"200\n", "bad reply: three digits, a blank and a text are expected"),
            (b"2x0 v\n", "bad reply: three digits are expected"),
            (b"300 v\n", "bad reply: `300` is no code of tcp_table's"),
            (b"200 50%\n", "bad reply: two hexadecimal digits are expected after `%`"),
            (b"200 %zz\n", "bad reply: two hexadecimal digits are expected after `%`"),
            (b"200 a%00\n", "bad reply: a value with the control character U+0000"),
            (b"200 %ff\n", "bad reply: a value that is not UTF-8"),
            (b"200 v", "the server closed the connection"),
            (&longer, "bad reply: more than 4095 octets where fewer are expected"),
        ] {
            assert_eq!(replied(octets).unwrap_err(), error, "{}", octets.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = replied(&octets);
            let _ = read(&octets);
            let _ = replied(&[b"200 ", &octets[..], b"\n"].concat());
        }

        #[test]
        fn what_is_encoded_is_decoded(key in "\\PC{0,40}") {
            let request = request(&key);
            let encoded = request.strip_prefix(b"get ").and_then(|rest| rest.strip_suffix(b"\n")).unwrap();
            prop_assert!(encoded.iter().all(u8::is_ascii_graphic));
            prop_assert_eq!(decode(encoded), Some(key.into_bytes()));
        }
    }
}
