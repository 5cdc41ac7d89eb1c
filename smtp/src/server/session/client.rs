//! Who is at the other end.

use std::net::SocketAddr;

use crate::wire::command::{Attributes, Greeting};

/// What a session knows of its client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it connects from; XCLIENT and the PROXY protocol change it.
    pub address: SocketAddr,
    /// What it called itself, and how.
    pub hello: Option<(Greeting, Box<str>)>,
    /// TLS version and cipher, once TLS is on.
    pub tls: Option<Box<str>>,
    /// It showed a certificate that our authorities vouch for.
    pub verified: bool,
    /// XFORWARD: where the mail it hands over came from.
    pub forwarded: Option<Box<Attributes>>,
}

impl Client {
    /// The word for a Received field's `with` (RFC 3848, RFC 6531 §3.7.3).
    #[must_use]
    pub fn protocol(&self, smtputf8: bool) -> &'static str {
        match (self.hello.as_ref().map(|(greeting, _)| *greeting), self.tls.is_some(), smtputf8) {
            (Some(Greeting::Lhlo), false, false) => "LMTP",
            (Some(Greeting::Lhlo), true, false) => "LMTPS",
            (Some(Greeting::Lhlo), false, true) => "UTF8LMTP",
            (Some(Greeting::Lhlo), true, true) => "UTF8LMTPS",
            (Some(Greeting::Ehlo), false, false) => "ESMTP",
            (Some(Greeting::Ehlo), true, false) => "ESMTPS",
            (Some(Greeting::Ehlo), false, true) => "UTF8SMTP",
            (Some(Greeting::Ehlo), true, true) => "UTF8SMTPS",
            _ => "SMTP",
        }
    }

    /// Its name for itself, or `unknown`.
    #[must_use]
    pub fn helo_name(&self) -> &str {
        self.hello.as_ref().map_or("unknown", |(_, name)| name)
    }
}
