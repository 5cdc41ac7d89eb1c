//! Recipients that a router refused though our maps know them: told to the next client at RCPT.
//!
//! A router says no to one of several recipients when the message is here already, and SMTP has one answer
//! for the whole message. So nobody gets it, the client is asked to try again, and the "no" is remembered for
//! a while: the next time that recipient hears it at RCPT, where it belongs, and the others get their mail.
//! Nothing is bounced, lost or doubled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use switchyard_smtp::address::ForwardPath;
use switchyard_smtp::reply::Reply;

/// Refusals held at once; the oldest goes first.
const CAPACITY: usize = 10_000;

/// The memory. It keeps each refusal for the time it was told with, so that time may change while it runs.
#[derive(Debug, Default)]
pub(crate) struct RefusedRecipients(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    replies: HashMap<ForwardPath, Remembered>,
    /// Oldest first. One that was refused again stands here twice; the serial number tells which counts.
    order: VecDeque<(ForwardPath, u64)>,
    serial: u64,
}

#[derive(Debug)]
struct Remembered {
    reply: Reply,
    until: Instant,
    serial: u64,
}

impl RefusedRecipients {
    /// Remembers a refusal until a moment.
    pub(crate) fn remember(&self, recipient: &ForwardPath, reply: Reply, until: Instant) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.serial += 1;
        let serial = table.serial;
        table.replies.insert(recipient.clone(), Remembered { reply, until, serial });
        table.order.push_back((recipient.clone(), serial));
        while table.order.len() > CAPACITY {
            table.forget_oldest();
        }
    }

    /// What a router said about this recipient, if that is remembered.
    pub(crate) fn recall(&self, recipient: &ForwardPath, now: Instant) -> Option<Reply> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.replies.get(recipient)?.until <= now {
            table.replies.remove(recipient);
            return None;
        }
        table.replies.get(recipient).map(|remembered| remembered.reply.clone())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replies.len()
    }
}

impl Table {
    fn forget_oldest(&mut self) {
        let Some((recipient, serial)) = self.order.pop_front() else { return };
        if self.replies.get(&recipient).is_some_and(|remembered| remembered.serial == serial) {
            self.replies.remove(&recipient);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use switchyard_smtp::reply::table;

    use super::*;

    fn path(text: &str) -> ForwardPath {
        ForwardPath::parse(text).unwrap()
    }

    #[test]
    fn a_refusal_holds_for_its_time() {
        let (memory, now) = (RefusedRecipients::default(), Instant::now());
        let gone = path("<gone@Example.org>");
        memory.remember(&gone, table::NO_SUCH_USER, now + Duration::from_secs(5));
        assert_eq!(memory.recall(&path("<gone@example.org>"), now), Some(table::NO_SUCH_USER));
        assert_eq!(memory.recall(&path("<other@example.org>"), now), None);
        assert_eq!(memory.recall(&gone, now + Duration::from_secs(5)), None);
        assert_eq!(memory.len(), 0, "what is over is gone");
    }

    #[test]
    fn it_is_bounded_and_the_newest_stay() {
        let (memory, now) = (RefusedRecipients::default(), Instant::now());
        let until = now + Duration::from_secs(5);
        let first = path("<first@example.org>");
        memory.remember(&first, table::NO_SUCH_USER, until);
        for number in 1..CAPACITY {
            memory.remember(&path(&format!("<u{number}@example.org>")), table::NO_SUCH_USER, until);
        }
        memory.remember(&first, table::RELAY_DENIED, until);
        memory.remember(&path("<last@example.org>"), table::NO_SUCH_USER, until);
        assert_eq!(
            memory.recall(&first, now),
            Some(table::RELAY_DENIED),
            "told again, so it is not the oldest"
        );
        assert_eq!(memory.recall(&path("<u1@example.org>"), now), None);
        assert!(memory.len() <= CAPACITY);
    }
}
