//! Replies as they are put out: counted, and the end where there were too many bad ones.

use super::{Event, Session};
use crate::reply::{Reply, table};
use crate::server::state::State;
use crate::wire::command::Verb;

impl<T> Session<T> {
    pub(super) fn say(&mut self, verb: Verb, reply: &Reply) {
        if reply.closes() {
            return self.close_with(verb, reply);
        }
        self.put(verb, reply);
        if reply.is_permanent() {
            self.errors += 1;
            if self.errors >= self.limits.errors {
                self.close_with(verb, &table::TOO_MUCH_JUNK);
            }
        }
    }

    /// A reply to a command that does nothing.
    pub(super) fn say_junk(&mut self, verb: Verb, reply: &Reply) {
        if !self.junk_is_over(verb) {
            self.say(verb, reply);
        }
    }

    pub(super) fn junk_is_over(&mut self, verb: Verb) -> bool {
        self.junk += 1;
        let over = self.junk > self.limits.junk_commands;
        if over {
            self.close_with(verb, &table::TOO_MUCH_JUNK);
        }
        over
    }

    pub(super) fn close_with(&mut self, verb: Verb, reply: &Reply) {
        self.put(verb, reply);
        self.state = State::Closed;
    }

    pub(super) fn put(&mut self, verb: Verb, reply: &Reply) {
        reply.write_to(&mut self.output);
        self.events.push(Event { verb, code: reply.code });
    }
}
