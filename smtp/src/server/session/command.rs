//! The next command: found among what has been read, and looked at. What needs a decision is asked, the rest is done.

use bytes::{Bytes, BytesMut};

use super::{Session, Step};
use crate::reply::table;
use crate::server::state::State;
use crate::wire::command::{Command, Verb, is_another_protocol};
use crate::wire::line::{Line, take_line};

impl<T> Session<T> {
    /// A whole line, if there is one; what is none is answered, up to a bound.
    pub(super) fn next_line(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        loop {
            match take_line(input, self.limits.command_line) {
                Line::Partial => return None,
                Line::TooLong => {
                    if !std::mem::replace(&mut self.in_long_line, true) {
                        self.say(Verb::Unknown, &table::LINE_TOO_LONG);
                    }
                    self.discarded += self.limits.command_line as u64;
                    if self.discarded > self.limits.discarded_line as u64 {
                        self.close_with(Verb::Unknown, &table::TOO_MUCH_JUNK);
                        return None;
                    }
                }
                Line::Whole(_) | Line::Stray if std::mem::take(&mut self.in_long_line) => {}
                Line::Stray => {
                    self.stray_lines += 1;
                    if self.stray_lines >= self.limits.stray_lines {
                        self.close_with(Verb::Unknown, &table::TOO_MUCH_JUNK);
                        return None;
                    }
                    self.say(Verb::Unknown, &table::BAD_LINE);
                }
                Line::Whole(line) => return Some(line),
            }
            if matches!(self.state, State::Closed) {
                return None;
            }
        }
    }

    /// One command: is it legal here? What needs a decision is asked, the rest is done and told.
    pub(super) fn command(&mut self, line: &Bytes, input: &mut BytesMut) -> Option<Step<T>> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(refused) => {
                if let (Verb::Bdat, State::Mail(_) | State::Chunking(_)) = (refused.verb, &self.state) {
                    // Its size is not known, so what follows can't be told from commands (RFC 3030 §4.2).
                    self.close_with(Verb::Bdat, &refused.reply);
                    return Some(Step::Close);
                }
                if is_another_protocol(line) {
                    self.close_with(Verb::Unknown, &table::NOT_SMTP);
                    return Some(Step::Close);
                }
                self.say(refused.verb, &refused.reply);
                return None;
            }
        };
        let verb = command.verb();
        match command {
            Command::Hello(greeting, name) => return self.check_hello(greeting, name, input),
            Command::Quit => {
                self.close_with(Verb::Quit, &table::BYE);
                return Some(Step::Close);
            }
            Command::Noop => self.say_junk(verb, &table::OK),
            Command::Help => self.say_junk(verb, &table::HELP),
            Command::Vrfy => self.say_junk(verb, &table::VRFY_NOTHING),
            Command::Rset => {
                if !matches!(self.state, State::Connected) {
                    self.state = State::Ready;
                }
                self.client.forwarded = None;
                self.say_junk(verb, &table::OK);
            }
            Command::StartTls => return self.check_starttls(input),
            Command::Xclient(attributes) => return self.check_xclient(*attributes),
            Command::Xforward(attributes) if self.offer.xforward && matches!(self.state, State::Ready) => {
                self.client.forwarded = Some(attributes);
                self.say(verb, &table::OK);
            }
            Command::Mail(sender) => return self.check_sender(sender),
            Command::Rcpt(recipient) => return self.check_recipient(recipient, line.is_ascii()),
            Command::Data => return self.check_data(input),
            Command::Bdat { size, last } => return self.check_chunk(size, last),
            Command::Xforward(_) => self.say(verb, &table::BAD_SEQUENCE),
        }
        None
    }
}
