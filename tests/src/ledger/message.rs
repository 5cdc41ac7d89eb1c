//! Messages that say who they are, so that a copy can be told from every other and from a torn one.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of a content, from its first field of ours on.
pub type Digest = [u8; 32];

/// One message: everything in it follows from its id.
#[derive(Debug, Clone)]
pub struct Message {
    id: u64,
    content: Vec<u8>,
}

/// The field that every message starts with; what a relay adds stands above it.
const ID_FIELD: &str = "X-Ledger-Id:";

const RECIPIENTS: [&str; 2] = ["alice@example.org", "bob@example.net"];

impl Message {
    /// The message of this id. Sizes are those of mail, mostly some kilobytes and now and then much more; lines
    /// start with dots, run long, and hold octets beyond ASCII.
    #[must_use]
    pub fn compose(id: u64) -> Self {
        let mut chance = Chance(id.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let octets = match id % 16 {
            0 => 40_000,
            1 => 0,
            _ => 200 + chance.below(4000) as usize,
        };
        let mut head = format!("{ID_FIELD} {id}\r\n");
        let _infallible = write!(
            head,
            "From: <ledger@client.example>\r\nTo: <alice@example.org>\r\nSubject: =?utf-8?q?entry_{id}?=\r\n\
             Date: Sat, 21 Nov 2026 00:00:00 +0000\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        );
        let mut content = head.into_bytes();
        let end = content.len() + octets;
        while content.len() < end {
            chance.line(&mut content);
        }
        Self { id, content }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// One recipient, or, for every fourth message, two of different domains.
    #[must_use]
    pub fn recipients(&self) -> &'static [&'static str] {
        if self.id % 4 == 3 { &RECIPIENTS } else { &RECIPIENTS[..1] }
    }

    /// The content, without transparency dots.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// As DATA wants it: dots doubled, and the end.
    #[must_use]
    pub fn stuffed(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.content.len() + 64);
        for line in self.content.split_inclusive(|&octet| octet == b'\n') {
            // RFC 5321 §4.5.2
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line);
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    /// Of the content.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest_of(&self.content)
    }
}

/// A content at its last hop, taken apart.
#[derive(Debug)]
pub struct Arrived {
    /// The id it says it has.
    pub id: Option<u64>,
    /// Of the content from the id field on.
    pub digest: Digest,
    /// The fields that relays put on top.
    pub trace: String,
}

impl Arrived {
    /// Reads a content, without transparency dots.
    #[must_use]
    pub fn read(content: &[u8]) -> Self {
        let at = start_of_ours(content);
        let (trace, ours) = content.split_at(at.unwrap_or(content.len()));
        let line = ours.split(|&octet| octet == b'\r').next().unwrap_or_default();
        let id =
            std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(ID_FIELD)?.trim().parse().ok());
        Self { id, digest: digest_of(ours), trace: String::from_utf8_lossy(trace).into_owned() }
    }
}

/// Where the id field starts, if nothing but whole Received fields stands above it.
fn start_of_ours(content: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in content.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(ID_FIELD.as_bytes()) {
            return Some(at);
        }
        let folded = at > 0 && line.starts_with(b"\t") || line.starts_with(b" ");
        if !(folded || line.starts_with(b"Received:") || line.starts_with(b"Return-Path:")) {
            return None;
        }
        at += line.len();
    }
    None
}

fn digest_of(octets: &[u8]) -> Digest {
    let mut known = [0; 32];
    known.copy_from_slice(digest(&SHA256, octets).as_ref());
    known
}

/// xorshift64*: the same for the same id, on every machine.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 33) % bound
    }

    fn line(&mut self, into: &mut Vec<u8>) {
        let (start, length) = match self.below(16) {
            0 => (".", 0),
            1 => ("..", 10),
            2 => (".hidden ", 40),
            3 => ("\u{e4}\u{f6}\u{fc} \u{2709} ", 60),
            4 => ("", 980),
            5 => ("From ", 30),
            _ => ("", 72),
        };
        into.extend_from_slice(start.as_bytes());
        into.extend((0..length).map(|_| b' ' + (self.below(94) as u8)));
        into.extend_from_slice(b"\r\n");
    }
}
