//! From the greeting to the first transaction: 220 → EHLO (HELO, if that is all the peer knows) or LHLO →
//! perhaps STARTTLS, and EHLO again.
//!
//! Each state is a struct, and a reply turns it into the next. What a peer offered before TLS is gone with the
//! state that held it (RFC 3207 §4.2).

use bytes::BytesMut;

use super::command::xclient;
use super::options::{Delivery, Protocol};
use super::transaction::Transaction;
use crate::extension::Extensions;
use crate::reply::Reply;
use crate::server::Drained;
use crate::wire::command::{Attributes, Greeting, Verb};
use crate::wire::reply::extensions;

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialogueError {
    /// The peer said no.
    #[error("{} was refused: {reply}", verb.as_str())]
    Refused {
        /// To what; [`Verb::Connect`] is its greeting.
        verb: Verb,
        /// In its own words.
        reply: Reply,
    },
    /// The peer does not let us say by XCLIENT whom we stand for.
    #[error("XCLIENT is not offered")]
    NoXclient,
    /// TLS was asked for, and is not offered.
    #[error("STARTTLS is not offered")]
    NoStartTls,
    /// Octets behind the reply to STARTTLS: somebody put words in the peer's mouth (CVE-2021-38371).
    #[error("the peer went on talking in the clear after STARTTLS")]
    LeftOver,
}

/// Connected; the peer speaks first.
#[derive(Debug)]
pub struct ExpectGreeting {
    protocol: Protocol,
    name: Box<str>,
}

impl ExpectGreeting {
    /// `name` is what we call ourselves.
    #[must_use]
    pub fn new(protocol: Protocol, name: &str) -> Self {
        Self { protocol, name: name.into() }
    }

    /// Takes the greeting.
    ///
    /// # Errors
    /// When it is a refusal (RFC 5321 §3.1: 554).
    pub fn reply(self, reply: Reply) -> Result<ExpectHello, DialogueError> {
        let greeting = match self.protocol {
            Protocol::Smtp => Greeting::Ehlo,
            Protocol::Lmtp => Greeting::Lhlo,
        };
        if reply.code.get() == 220 {
            Ok(ExpectHello { greeting, name: self.name })
        } else {
            Err(DialogueError::Refused { verb: Verb::Connect, reply })
        }
    }
}

/// EHLO, LHLO or HELO goes out, and is answered.
#[derive(Debug)]
pub struct ExpectHello {
    greeting: Greeting,
    name: Box<str>,
}

/// What came of a hello.
#[derive(Debug)]
pub enum AfterHello {
    /// The session stands.
    Ready(Ready),
    /// The peer does not know EHLO: say HELO.
    Again(ExpectHello),
}

impl ExpectHello {
    /// What to say.
    #[must_use]
    pub fn command(&self) -> String {
        let word = match self.greeting {
            Greeting::Helo => "HELO",
            Greeting::Ehlo => "EHLO",
            Greeting::Lhlo => "LHLO",
        };
        format!("{word} {}\r\n", self.name)
    }

    /// What is being said.
    #[must_use]
    pub fn verb(&self) -> Verb {
        match self.greeting {
            Greeting::Helo => Verb::Helo,
            Greeting::Ehlo => Verb::Ehlo,
            Greeting::Lhlo => Verb::Lhlo,
        }
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// When it is a refusal that HELO can't mend.
    pub fn reply(self, reply: Reply) -> Result<AfterHello, DialogueError> {
        match (self.greeting, reply.code.get()) {
            (Greeting::Helo, 250) => Ok(AfterHello::Ready(self.ready(Extensions::default()))),
            (_, 250) => Ok(AfterHello::Ready(self.ready(extensions(&reply)))),
            // RFC 5321 §3.2: servers of old answer EHLO with 5yz, and may know HELO.
            (Greeting::Ehlo, 500..=559) => Ok(AfterHello::Again(Self { greeting: Greeting::Helo, ..self })),
            _ => Err(DialogueError::Refused { verb: self.verb(), reply }),
        }
    }

    fn ready(self, extensions: Extensions) -> Ready {
        let protocol = if self.greeting == Greeting::Lhlo { Protocol::Lmtp } else { Protocol::Smtp };
        Ready { protocol, name: self.name, extensions, needs_rset: false }
    }
}

/// A session that can carry mail.
#[derive(Debug)]
pub struct Ready {
    protocol: Protocol,
    name: Box<str>,
    extensions: Extensions,
    needs_rset: bool,
}

impl Ready {
    /// What the peer offers.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Which protocol is spoken.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The last transaction was left open, and is to be dropped before the next begins.
    #[must_use]
    pub fn needs_rset(&self) -> bool {
        self.needs_rset
    }

    pub(super) fn set_needs_rset(&mut self, needs_rset: bool) {
        self.needs_rset = needs_rset;
    }

    /// Begins a transaction.
    #[must_use]
    pub fn begin(&self, delivery: &Delivery<'_>) -> Transaction {
        Transaction::begin(self, delivery)
    }

    /// Says by XCLIENT whom we stand for; the session then starts over with a greeting.
    ///
    /// # Errors
    /// When the peer does not offer it.
    pub fn stand_for(self, client: &Attributes) -> Result<(String, ExpectGreeting), DialogueError> {
        if !self.extensions.xclient {
            return Err(DialogueError::NoXclient);
        }
        let mut command = BytesMut::new();
        xclient(&mut command, client);
        let greeting = ExpectGreeting { protocol: self.protocol, name: self.name };
        Ok((String::from_utf8_lossy(&command).into_owned(), greeting))
    }

    /// Asks for TLS.
    ///
    /// # Errors
    /// When the peer does not offer it.
    pub fn start_tls(self) -> Result<ExpectTls, DialogueError> {
        if !self.extensions.starttls {
            return Err(DialogueError::NoStartTls);
        }
        let greeting = if self.protocol == Protocol::Lmtp { Greeting::Lhlo } else { Greeting::Ehlo };
        Ok(ExpectTls { hello: ExpectHello { greeting, name: self.name } })
    }
}

/// STARTTLS goes out, and is answered.
#[derive(Debug)]
pub struct ExpectTls {
    hello: ExpectHello,
}

impl ExpectTls {
    /// What to say.
    #[must_use]
    pub fn command(&self) -> String {
        "STARTTLS\r\n".to_owned()
    }

    /// Takes the answer, and what has been read behind it. After the handshake all begins again with the hello.
    ///
    /// # Errors
    /// When the peer says no, or when something stands behind its 220.
    pub fn reply(self, reply: Reply, rest: &[u8]) -> Result<(Drained, ExpectHello), DialogueError> {
        if reply.code.get() != 220 {
            return Err(DialogueError::Refused { verb: Verb::StartTls, reply });
        }
        // RFC 3207 §4.2, §6: what was said in the clear must not count under TLS.
        Drained::check(rest).map(|drained| (drained, self.hello)).ok_or(DialogueError::LeftOver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::table;

    fn ready(ehlo_lines: &str) -> Ready {
        let hello = ExpectGreeting::new(Protocol::Smtp, "c.example").reply(table::GREETING).unwrap();
        assert_eq!((hello.command().as_str(), hello.verb()), ("EHLO c.example\r\n", Verb::Ehlo));
        let reply = table::HELLO.with_text(format!("mx.example{ehlo_lines}"));
        let AfterHello::Ready(ready) = hello.reply(reply).unwrap() else { panic!("EHLO was accepted") };
        ready
    }

    #[test]
    fn helo_is_the_fall_back_and_offers_nothing() {
        let hello = ExpectGreeting::new(Protocol::Smtp, "c.example").reply(table::GREETING).unwrap();
        let AfterHello::Again(hello) = hello.reply(table::NOT_IMPLEMENTED).unwrap() else {
            panic!("5yz means HELO")
        };
        assert_eq!(hello.command(), "HELO c.example\r\n");
        let AfterHello::Ready(ready) = hello.reply(table::HELLO.with_text("mx\nPIPELINING")).unwrap() else {
            panic!()
        };
        assert_eq!(*ready.extensions(), Extensions::default());
    }

    #[test]
    fn refusals_are_told_with_what_was_refused() {
        let refused = |verb, reply| Err(DialogueError::Refused { verb, reply });
        let greeting = |reply: Reply| ExpectGreeting::new(Protocol::Lmtp, "c").reply(reply).map(|_| ());
        assert_eq!(greeting(table::TOO_MANY_SESSIONS), refused(Verb::Connect, table::TOO_MANY_SESSIONS));
        assert_eq!(greeting(table::OK), refused(Verb::Connect, table::OK));
        let hello = |protocol| ExpectGreeting::new(protocol, "c").reply(table::GREETING).unwrap();
        let answered = |protocol, reply| hello(protocol).reply(reply).map(|_| ());
        assert_eq!(answered(Protocol::Smtp, table::LOCAL_ERROR), refused(Verb::Ehlo, table::LOCAL_ERROR));
        // There is nothing below LHLO to fall back to.
        assert_eq!(
            answered(Protocol::Lmtp, table::NOT_IMPLEMENTED),
            refused(Verb::Lhlo, table::NOT_IMPLEMENTED)
        );
    }

    #[test]
    fn t2_nothing_may_stand_behind_the_220() {
        let ask = || ready("\nSTARTTLS").start_tls().unwrap();
        assert_eq!(ask().command(), "STARTTLS\r\n");
        assert!(ask().reply(table::READY_FOR_TLS, b"").is_ok());
        let injected = ask().reply(table::READY_FOR_TLS, b"250-X\r\n250 AUTH PLAIN\r\n").map(|_| ());
        assert_eq!(injected, Err(DialogueError::LeftOver));
        assert!(ask().reply(table::TLS_UNAVAILABLE, b"").is_err());
        assert_eq!(ready("").start_tls().map(|_| ()), Err(DialogueError::NoStartTls));
    }
}
