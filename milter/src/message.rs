//! A message as an MTA tells it piece by piece, put together as it travels: fields, an empty line, the body.
//!
//! What signs and what verifies reads the same octets in one piece, so they are kept in one. Every piece takes
//! its share of the daemon's memory before it is kept; a message over its bounds is let go and never read.

use std::net::IpAddr;

use switchyard_smtp::io::memory::{MemoryBudget, MemoryShare};
use switchyard_smtp::wire::line_ends::put_lines;

/// Fields of one message; the next makes it too large.
const MAX_FIELDS: usize = 4_096;
/// Octets of a field's name: what a line may have (RFC 5322 §2.1.1).
const MAX_NAME: usize = 998;

/// Whose connection to the MTA it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address; none for mail that came over no network.
    pub(crate) address: Option<IpAddr>,
    /// What it called itself.
    pub(crate) hello: String,
    /// Whether it has authenticated.
    pub(crate) authenticated: bool,
}

/// Who sends, and to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Without its brackets; empty for the null reverse-path.
    pub(crate) sender: String,
    /// Those that the MTA took.
    pub(crate) recipients: Vec<String>,
    /// The MTA's name for the message, for the log.
    pub(crate) queue_id: String,
}

/// Bounds of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Octets, all in all.
    pub(crate) message: u64,
    /// Octets of its header.
    pub(crate) header: usize,
}

/// Why a message cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is larger than the settings allow.
    TooLarge,
    /// The daemon's memory is used up now.
    NoMemory,
}

/// A message, so far.
#[derive(Debug)]
pub(crate) struct Message {
    octets: Vec<u8>,
    fields: Vec<Span>,
    /// Where the body starts, once it has.
    body: Option<usize>,
    share: MemoryShare,
    bounds: Bounds,
    unread: Option<Unread>,
}

/// Where a field stands.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    colon: usize,
    end: usize,
}

/// A field as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    /// Before the colon.
    pub(crate) name: &'a [u8],
    /// Behind the colon, space and line end included.
    pub(crate) value: &'a [u8],
}

impl Message {
    pub(crate) fn new(bounds: Bounds, memory: &MemoryBudget) -> Self {
        Self {
            octets: Vec::new(),
            fields: Vec::new(),
            body: None,
            share: memory.share(),
            bounds,
            unread: None,
        }
    }

    /// One field more. `value` has its leading space; folded lines may end in LF alone.
    pub(crate) fn field(&mut self, name: &[u8], value: &[u8]) {
        // A field behind the header would be read as body by everybody else.
        if self.body.is_some() || name.is_empty() || name.len() > MAX_NAME {
            return;
        }
        if self.fields.len() >= MAX_FIELDS
            || self.octets.len() + name.len() + value.len() > self.bounds.header
        {
            return self.let_go(Unread::TooLarge);
        }
        // Each LF may become two octets.
        if !self.room(name.len() + 2 * value.len() + 3) {
            return;
        }
        let start = self.octets.len();
        self.octets.extend_from_slice(name);
        let colon = self.octets.len();
        self.octets.push(b':');
        // MTAs part folded lines by LF alone.
        put_lines(&mut self.octets, value);
        self.octets.extend_from_slice(b"\r\n");
        self.fields.push(Span { start, colon, end: self.octets.len() });
    }

    /// The header is over. Saying it twice is saying it once.
    pub(crate) fn end_of_header(&mut self) {
        if self.body.is_none() && self.room(2) {
            self.octets.extend_from_slice(b"\r\n");
            self.body = Some(self.octets.len());
        }
    }

    /// Some more of the body.
    pub(crate) fn body(&mut self, chunk: &[u8]) {
        self.end_of_header();
        if self.room(chunk.len()) {
            self.octets.extend_from_slice(chunk);
        }
    }

    /// Why it cannot be read, if it cannot.
    pub(crate) fn unread(&self) -> Option<Unread> {
        self.unread
    }

    /// All of it.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// What comes behind the empty line.
    pub(crate) fn content(&self) -> &[u8] {
        self.body.and_then(|start| self.octets.get(start..)).unwrap_or_default()
    }

    /// Its fields, from the top.
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|span| Field {
            name: self.octets.get(span.start..span.colon).unwrap_or_default(),
            value: self.octets.get(span.colon + 1..span.end).unwrap_or_default(),
        })
    }

    fn room(&mut self, more: usize) -> bool {
        if self.unread.is_some() {
            return false;
        }
        let wanted = (self.octets.len() + more) as u64;
        if wanted > self.bounds.message {
            self.let_go(Unread::TooLarge);
            return false;
        }
        // Vec grows by doubling: what it will hold is what counts.
        let held = if wanted > self.octets.capacity() as u64 {
            wanted.max(2 * self.octets.capacity() as u64)
        } else {
            wanted
        };
        if !self.share.grow_to(held) {
            self.let_go(Unread::NoMemory);
            return false;
        }
        true
    }

    fn let_go(&mut self, why: Unread) {
        self.unread = Some(why);
        self.octets = Vec::new();
        self.fields = Vec::new();
        // An MTA that does not wait for answers tells all the rest: others have the room meanwhile.
        self.share.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { message: 1_000, header: 200 };

    fn message(memory: &MemoryBudget) -> Message {
        Message::new(BOUNDS, memory)
    }

    #[test]
    fn pieces_become_the_message_that_travels() {
        let memory = MemoryBudget::new(10_000);
        let mut message = message(&memory);
        message.field(b"From", b" a@x.example");
        message.field(b"Subject", b" one\n\ttwo\r\n three");
        message.end_of_header();
        message.end_of_header();
        message.body(b"hey\r\n");
        message.field(b"Bcc", b" too late");
        message.body(b".\r\n");
        assert_eq!(
            message.octets(),
            b"From: a@x.example\r\nSubject: one\r\n\ttwo\r\n three\r\n\r\nhey\r\n.\r\n"
        );
        assert_eq!(message.content(), b"hey\r\n.\r\n");
        let names: Vec<&[u8]> = message.fields().map(|field| field.name).collect();
        assert_eq!(names, [b"From".as_slice(), b"Subject"]);
        assert_eq!(message.fields().next().unwrap().value, b" a@x.example\r\n");
    }

    #[test]
    fn what_is_too_much_is_let_go_and_its_memory_given_back() {
        let memory = MemoryBudget::new(500);
        let mut large = message(&memory);
        large.field(b"From", b" a@x.example");
        assert_ne!(memory.used(), 0);
        large.field(b"X", &[b'x'; 300]);
        assert_eq!((large.unread(), memory.used()), (Some(Unread::TooLarge), 0));
        large.body(b"more");
        assert!(large.octets().is_empty());

        let mut hungry = message(&memory);
        hungry.field(b"From", b" a@x.example");
        hungry.body(&[b'x'; 600]);
        assert_eq!((hungry.unread(), memory.used()), (Some(Unread::NoMemory), 0));

        let enough = MemoryBudget::new(10_000);
        let mut long = message(&enough);
        long.body(&[b'x'; 900]);
        assert_ne!(enough.used(), 0);
        long.body(&[b'x'; 100]);
        assert_eq!((long.unread(), enough.used()), (Some(Unread::TooLarge), 0));
        drop((large, hungry, long));
        assert_eq!((memory.used(), enough.used()), (0, 0));
    }

    #[test]
    fn a_message_without_a_body_has_its_empty_line() {
        let memory = MemoryBudget::new(10_000);
        let mut message = message(&memory);
        message.field(b"From", b" a@x.example");
        message.body(b"");
        assert_eq!(message.octets(), b"From: a@x.example\r\n\r\n");
        assert_eq!(message.content(), b"");
    }
}
