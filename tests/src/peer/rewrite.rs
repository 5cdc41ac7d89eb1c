//! Postfix's trivial-rewrite, asked over its own socket: where an address goes, and of which class it is.
//!
//! The protocol is that of Postfix 3.6 and later: names and values that end in NUL, and an empty name at the
//! end of each request and reply.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;

use super::postfix::Postfix;
use crate::expect;

/// A connection to it.
#[derive(Debug)]
pub struct Rewrite {
    stream: BufReader<UnixStream>,
}

/// What Postfix would do with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Of `master.cf`.
    pub transport: String,
    /// Where to.
    pub nexthop: String,
    /// The address, rewritten.
    pub recipient: String,
    /// Which settings know its domain.
    pub class: Class,
}

/// The class of a recipient's domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `mydestination`.
    Local,
    /// `virtual_alias_domains`.
    VirtualAlias,
    /// `virtual_mailbox_domains`.
    VirtualMailbox,
    /// `relay_domains`.
    Relay,
    /// None of them.
    Default,
}

impl Rewrite {
    /// Connects.
    ///
    /// # Panics
    /// When it does not greet as Postfix 3.6 and later do.
    #[must_use]
    pub fn connect(postfix: &Postfix) -> Self {
        let stream =
            UnixStream::connect(postfix.socket("private/rewrite")).expect("trivial-rewrite's socket");
        stream.set_read_timeout(Some(expect::PATIENCE)).expect("a socket with a time limit");
        let mut rewrite = Self { stream: BufReader::new(stream) };
        let greeting = rewrite.read();
        assert_eq!(
            greeting.get("protocol").map(String::as_str),
            Some("trivial_rewrite_protocol"),
            "{greeting:?}"
        );
        rewrite
    }

    /// Asks for an address.
    ///
    /// # Panics
    /// When the tables fail, or the connection.
    pub fn resolve(&mut self, address: &str) -> Way {
        let request = ["request", "resolve", "sender", "", "address", address, ""].join("\0") + "\0";
        self.stream.get_mut().write_all(request.as_bytes()).expect("trivial-rewrite listens");
        let mut reply = self.read();
        let mut take = |name: &str| reply.remove(name).unwrap_or_else(|| panic!("{address}: no {name}"));
        // The last `flags` of a reply is the address's; the first is the server's.
        let flags: u32 = take("flags").parse().expect("flags are a number");
        let class = match flags & 0x1f00 {
            0x100 => Class::Local,
            0x200 => Class::VirtualAlias,
            0x400 => Class::VirtualMailbox,
            0x800 => Class::Relay,
            0x1000 => Class::Default,
            _ => panic!("{address}: flags {flags:#x}"),
        };
        Way { transport: take("transport"), nexthop: take("nexthop"), recipient: take("recipient"), class }
    }

    fn read(&mut self) -> HashMap<String, String> {
        let mut attributes = HashMap::new();
        loop {
            let name = self.word();
            if name.is_empty() {
                return attributes;
            }
            let value = self.word();
            attributes.insert(name, value);
        }
    }

    fn word(&mut self) -> String {
        let mut octets = Vec::new();
        self.stream.read_until(0, &mut octets).expect("trivial-rewrite answers");
        assert_eq!(octets.pop(), Some(0), "trivial-rewrite ended: see its log");
        String::from_utf8(octets).expect("UTF-8")
    }
}
