//! What our daemons put on top of a message, and what is below it.

/// Takes off a Return-Path, if there is one, and exactly so many Received fields of ours; what is left is what
/// was sent.
///
/// # Panics
/// When there are fewer.
#[must_use]
pub fn below(content: &[u8], received: usize) -> &[u8] {
    let mut rest = content;
    if rest.starts_with(b"Return-Path:") {
        rest = &rest[line_end(rest)..];
    }
    for _ in 0..received {
        let told = String::from_utf8_lossy(&content[..content.len().min(1000)]);
        assert!(rest.starts_with(b"Received: from "), "fewer than {received} Received fields: {told}");
        // Up to the time, and not to the next line without a blank in front: a message may begin with one.
        loop {
            let (line, others) = rest.split_at(line_end(rest));
            assert!(!line.is_empty(), "a Received field without an end: {told}");
            rest = others;
            if line.ends_with(b" +0000\r\n") {
                break;
            }
        }
    }
    rest
}

fn line_end(text: &[u8]) -> usize {
    text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| at + 1)
}

/// How many Received fields its header holds.
#[must_use]
pub fn received(content: &[u8]) -> usize {
    let header = content.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(content.len());
    let lines = content[..header].split(|&byte| byte == b'\n');
    lines.filter(|line| line.get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"Received:"))).count()
}
