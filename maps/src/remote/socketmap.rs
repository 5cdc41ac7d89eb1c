//! socketmap_table(5): netstrings, `name key` one way and `OK value` the other.

use tokio::io::{AsyncBufRead, AsyncReadExt};

use super::wire::{self, RemoteError, Reply};

/// Octets of a reply, as in Postfix.
const MAX_REPLY: usize = 100_000;
/// Digits that count those.
const MAX_DIGITS: usize = 6;

pub(super) fn request(name: &str, key: &str) -> Vec<u8> {
    format!("{}:{name} {key},", name.len() + 1 + key.len()).into_bytes()
}

pub(super) async fn reply(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Reply, RemoteError> {
    let digits = wire::read_until(stream, b':', MAX_DIGITS).await?;
    let length = std::str::from_utf8(&digits)
        .ok()
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<usize>().ok())
        .ok_or_else(|| RemoteError::bad("no netstring: a length is expected"))?;
    if length > MAX_REPLY {
        return Err(RemoteError::bad(format!("a reply of more than {MAX_REPLY} octets")));
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    if stream.read_u8().await? != b',' {
        return Err(RemoteError::bad("no netstring: a comma is expected at its end"));
    }
    read(&text)
}

fn read(text: &[u8]) -> Result<Reply, RemoteError> {
    let (word, rest) = match memchr::memchr(b' ', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &text[text.len()..]),
    };
    match word {
        b"OK" => wire::value(rest.to_vec()).map(Reply::Found),
        b"NOTFOUND" => Ok(Reply::NotFound),
        b"TEMP" | b"TIMEOUT" | b"PERM" => {
            Err(RemoteError::Refused { word: wire::reason(word), reason: wire::reason(rest) })
        }
        _ => Err(RemoteError::bad(format!("`{}` is no word of socketmap's", wire::reason(word)))),
    }
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
    fn a_request_is_a_netstring() {
        assert_eq!(request("users", "é@x"), b"10:users \xc3\xa9@x,");
    }

    #[test]
    fn replies_are_read() {
        assert_eq!(replied(b"8:OK value,rest"), Ok(Reply::Found("value".to_owned())));
        assert_eq!(replied(b"0005:OK  v,"), Ok(Reply::Found(" v".to_owned())));
        assert_eq!(replied(b"9:NOTFOUND ,"), Ok(Reply::NotFound));
        assert_eq!(replied(b"8:NOTFOUND,"), Ok(Reply::NotFound));
        for (octets, error) in [
            (&b"10:TEMP later,"[..], "the server says TEMP \"later\""),
            (b"12:TIMEOUT slow,", "the server says TIMEOUT \"slow\""),
            (b"10:PERM", "early eof"),
            (b"11:PERM \x07never,", "the server says PERM \"never\""),
            (b"3:OK ,", "bad reply: an empty value"),
            (b"2:OK,", "bad reply: an empty value"),
            (b"4:ok v,", "bad reply: `ok` is no word of socketmap's"),
            (b"0:,", "bad reply: `` is no word of socketmap's"),
            (b"5:OK \xff\xff,", "bad reply: a value that is not UTF-8"),
            (b"6:OK a\nb,", "bad reply: a value with the control character U+000A"),
            (b"4:OK a;", "bad reply: no netstring: a comma is expected at its end"),
            (b"-4:OK a,", "bad reply: no netstring: a length is expected"),
            (b":OK a,", "bad reply: no netstring: a length is expected"),
            (b"100001:OK", "bad reply: a reply of more than 100000 octets"),
            (b"1000000:OK", "bad reply: more than 6 octets where fewer are expected"),
            (b"99", "the server closed the connection"),
            (b"", "the server closed the connection"),
        ] {
            assert_eq!(replied(octets).unwrap_err(), error, "{}", octets.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), length in 0_usize..300) {
            let _ = replied(&octets);
            let framed = [format!("{length}:").as_bytes(), &octets, b","].concat();
            let _ = replied(&framed);
            let _ = read(&octets);
        }
    }
}
