//! HELO, EHLO and LHLO; STARTTLS; XCLIENT: who the client is.

use std::net::SocketAddr;

use bytes::BytesMut;

use super::super::Drained;
use super::super::state::State;
use super::{Dialect, Session, Step};
use crate::extension::Offer;
use crate::reply::{Reply, table};
use crate::wire::command::{Attributes, Command, Greeting, Verb};

impl<T> Session<T> {
    pub(super) fn check_hello(
        &mut self,
        greeting: Greeting,
        name: Box<str>,
        input: &BytesMut,
    ) -> Option<Step<T>> {
        let verb = Command::Hello(greeting, Box::default()).verb();
        let fits = match self.dialect {
            Dialect::Smtp => greeting != Greeting::Lhlo,
            // RFC 2033 §4.1: LHLO here and only here.
            Dialect::Lmtp => greeting == Greeting::Lhlo,
            Dialect::Either => true,
        };
        if !fits {
            self.say(verb, &table::UNKNOWN_COMMAND);
            return None;
        }
        // RFC 2920 §3.1: EHLO ends a group, since what comes after depends on its reply.
        if !input.is_empty() {
            self.close_with(verb, &table::OUT_OF_STEP);
            return Some(Step::Close);
        }
        if self.junk_is_over(verb) {
            return Some(Step::Close);
        }
        self.state = State::Connected;
        self.client.hello = Some((greeting, name));
        Some(Step::Hello)
    }

    /// Answers [`Step::Hello`].
    pub fn hello(&mut self, verdict: Result<(), Reply>) {
        let greeting = self.client.hello.as_ref().map_or(Greeting::Helo, |(greeting, _)| *greeting);
        let verb = Command::Hello(greeting, Box::default()).verb();
        match verdict {
            Err(reply) => {
                self.client.hello = None;
                self.say(verb, &reply);
            }
            Ok(()) => {
                self.state = State::Ready;
                let name = self.client.helo_name();
                let text = if greeting == Greeting::Helo {
                    self.host_name.to_string()
                } else {
                    self.offer.ehlo_text(&self.host_name, name)
                };
                self.say(verb, &table::HELLO.with_text(text));
            }
        }
    }

    /// RFC 3207 §4, §4.2.
    pub(super) fn check_starttls(&mut self, input: &BytesMut) -> Option<Step<T>> {
        if !matches!(self.state, State::Ready) || self.client.tls.is_some() {
            self.say(Verb::StartTls, &table::BAD_SEQUENCE);
            return None;
        }
        if !self.offer.starttls {
            self.say(Verb::StartTls, &table::NOT_IMPLEMENTED);
            return None;
        }
        let Some(drained) = Drained::check(input) else {
            self.close_with(Verb::StartTls, &table::OUT_OF_STEP);
            return Some(Step::Close);
        };
        self.say(Verb::StartTls, &table::READY_FOR_TLS);
        Some(Step::StartTls(drained))
    }

    /// TLS is on: all that the client said before is forgotten (RFC 3207 §4.2).
    pub fn tls_started(&mut self, description: Box<str>, verified: bool) {
        self.state = State::Connected;
        self.client.hello = None;
        self.client.forwarded = None;
        self.client.tls = Some(description);
        self.client.verified = verified;
        self.offer.starttls = false;
    }

    pub(super) fn check_xclient(&mut self, attributes: Attributes) -> Option<Step<T>> {
        if !self.offer.xclient || !self.is_idle() {
            self.say(Verb::Xclient, &table::BAD_SEQUENCE);
            return None;
        }
        let port = attributes.port.unwrap_or_else(|| self.client.address.port());
        let address = attributes.address.unwrap_or_else(|| self.client.address.ip());
        self.client.address = SocketAddr::new(address, port);
        // A certificate that the host in between has shown is not its client's.
        self.client.verified = false;
        self.client.forwarded = None;
        self.client.hello = attributes.helo.map(|name| (Greeting::Ehlo, name));
        Some(Step::Xclient)
    }

    /// Answers [`Step::Xclient`]: with what is offered to the client it stands for, or a refusal. The session
    /// starts over with a greeting, as Postfix's does.
    pub fn xclient(&mut self, verdict: Result<Offer, Reply>) {
        self.state = State::Connected;
        match verdict {
            Ok(offer) => {
                self.offer = Offer { starttls: offer.starttls && self.client.tls.is_none(), ..offer };
                self.greet(Ok(()), &[]);
            }
            Err(reply) => self.close_with(Verb::Xclient, &reply),
        }
    }
}
