//! Lines and replies, read by hand: what tests the suite shares no code with it.

use std::io::{self, BufRead};

/// Longer lines are nobody's.
const LONGEST: usize = 64 * 1024;

/// One line without its line end; `None` at the end of the stream.
pub(crate) fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let mut limited = io::Read::take(reader, LONGEST as u64);
    if limited.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match line.strip_suffix(b"\r\n") {
        Some(whole) => Ok(Some(whole.to_vec())),
        None if line.ends_with(b"\n") || line.len() == LONGEST => Err(io::ErrorKind::InvalidData.into()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// One line of a reply.
pub(crate) struct Line {
    pub(crate) code: u16,
    pub(crate) last: bool,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn parse(line: &[u8]) -> io::Result<Self> {
        let text = std::str::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
        let (code, rest) = text.split_at_checked(3).ok_or(io::ErrorKind::InvalidData)?;
        let code = code.parse().map_err(|_| io::ErrorKind::InvalidData)?;
        let text = rest.get(1..).unwrap_or_default().to_owned();
        Ok(Self { code, last: !rest.starts_with('-'), text })
    }
}
