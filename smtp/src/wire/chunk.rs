//! BDAT: content in counted chunks (RFC 3030 §2).

use bytes::{Buf, Bytes, BytesMut};

/// One chunk on its way in. Nothing is allocated for what its size promises, only for what has come.
#[derive(Debug)]
pub struct ChunkReceiver {
    remaining: u64,
}

impl ChunkReceiver {
    /// Waits for `size` octets.
    #[must_use]
    pub fn new(size: u64) -> Self {
        Self { remaining: size }
    }

    /// Moves what has come from the input to the content; true when the chunk is complete.
    pub fn receive(&mut self, input: &mut BytesMut, content: &mut BytesMut) -> bool {
        let here = self.here(input);
        if content.is_empty() {
            // The usual case, the whole message in one chunk: no copy.
            *content = input.split_to(here);
        } else {
            content.extend_from_slice(&input[..here]);
            input.advance(here);
        }
        self.remaining == 0
    }

    /// Reads past a chunk that nobody wants, to stay in step (RFC 3030 §4.2); true when it is over.
    pub fn discard(&mut self, input: &mut BytesMut) -> bool {
        let here = self.here(input);
        input.advance(here);
        self.remaining == 0
    }

    fn here(&mut self, input: &BytesMut) -> usize {
        let here = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(input.len());
        self.remaining -= here as u64;
        here
    }
}

/// The head of `BDAT` for a chunk that is also the last.
#[must_use]
pub fn last_chunk_command(content: &[Bytes]) -> String {
    let size: usize = content.iter().map(Bytes::len).sum();
    format!("BDAT {size} LAST\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_ends_at_its_count() {
        let mut chunk = ChunkReceiver::new(5);
        let (mut input, mut content) = (BytesMut::from("abc"), BytesMut::new());
        assert!(!chunk.receive(&mut input, &mut content));
        input.extend_from_slice(b"deNOOP");
        assert!(chunk.receive(&mut input, &mut content));
        assert_eq!((&content[..], &input[..]), (&b"abcde"[..], &b"NOOP"[..]));
        assert!(ChunkReceiver::new(0).receive(&mut input, &mut content));
    }

    #[test]
    fn s4_s5_an_unwanted_chunk_of_any_size_costs_nothing() {
        let mut chunk = ChunkReceiver::new(u64::MAX);
        let mut input = BytesMut::from(&[0; 1000][..]);
        assert!(!chunk.discard(&mut input));
        assert!(input.is_empty());
    }
}
