//! What the access tables of one session have said so far, and what comes of it.
//!
//! A daemon hears one answer a stage (client, HELO, sender, recipient) and asks what to do: go on, note
//! something, or refuse. `DEFER_IF_REJECT`, `DEFER_IF_PERMIT`, `DISCARD` and `HOLD` are about what comes
//! later: they are kept here until then. Mx and router hold one of these a session, and a copy a transaction.

use std::sync::Arc;

use switchyard_smtp::priority::Priority;
use switchyard_smtp::reply::{Reply, ReplyCode, table};

use super::{Access, Refusal};
use crate::answer::{Answer, Found, Place, Unavailable};

/// What a table was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    /// Who connects.
    Client,
    /// What it says in HELO or EHLO.
    Helo,
    /// The reverse-path.
    Sender,
    /// One recipient.
    Recipient,
}

impl Asked {
    /// As Postfix words it in a refusal.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Client => "Client host",
            Self::Helo => "Helo command",
            Self::Sender => "Sender address",
            Self::Recipient => "Recipient address",
        }
    }
}

/// What comes of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Ruling {
    /// Nothing is against it.
    Pass,
    /// Nothing is against it, and the log is to have a line: at WARN or at INFO.
    Note {
        /// True for `WARN`.
        warn: bool,
        /// What the table says.
        text: Arc<str>,
        /// The line that says it.
        place: Place,
    },
    /// No.
    Refuse {
        /// What the client is told.
        reply: Reply,
        /// The line that says it.
        place: Place,
    },
    /// The table cannot say: 451, never a "no" for good and never a "yes".
    CannotKnow(Unavailable),
}

impl Ruling {
    /// What the client is told; none when nothing is against it.
    #[must_use]
    pub fn reply(&self, asked: Asked) -> Option<Reply> {
        let reply = match self {
            Self::Pass | Self::Note { .. } => return None,
            Self::Refuse { reply, .. } => reply.clone(),
            Self::CannotKnow(_) => table::LOCAL_ERROR,
        };
        // RFC 5321 §4.2.2: in place of the greeting, "not now" is 421.
        Some(match (asked, ReplyCode::new(421)) {
            (Asked::Client, Some(code)) if reply.is_transient() => Reply { code, ..reply },
            _ => reply,
        })
    }
}

// ---------------------------------------------------------------------------------------------------------

/// What still waits to be applied; one pointer while nothing does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing(Option<Box<Waiting>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Waiting {
    if_reject: Option<Reply>,
    if_permit: Option<Reply>,
    discard: Option<Arc<str>>,
    hold: Option<Arc<str>>,
    priority: Option<Priority>,
    milters: Option<Arc<[Box<str>]>>,
}

impl Standing {
    /// Takes an answer in.
    pub fn hear(&mut self, asked: Asked, answer: Answer<Found<Access>>) -> Ruling {
        let Found { value, place } = match answer {
            Answer::Found(found) => found,
            Answer::NotFound => return Ruling::Pass,
            Answer::Unavailable(unavailable) => return Ruling::CannotKnow(unavailable),
        };
        // Of each kind the first one counts, as in Postfix.
        match value {
            Access::Permit | Access::Dunno => {}
            Access::Refuse(refusal) => {
                let reply = self.refused(refusal.reply(asked.in_words(), "Access denied"));
                return Ruling::Refuse { reply, place };
            }
            Access::DeferIfReject(refusal) => {
                self.waiting().if_reject.get_or_insert_with(|| put_off(&refusal, asked));
            }
            Access::DeferIfPermit(refusal) => {
                self.waiting().if_permit.get_or_insert_with(|| put_off(&refusal, asked));
            }
            Access::Discard(why) => {
                self.waiting().discard.get_or_insert(why);
            }
            Access::Hold(why) => {
                self.waiting().hold.get_or_insert(why);
            }
            Access::Priority(priority) => {
                self.waiting().priority.get_or_insert(priority);
            }
            Access::Milters(names) => {
                self.waiting().milters.get_or_insert(names);
            }
            Access::Warn(text) => return Ruling::Note { warn: true, text, place },
            Access::Info(text) => return Ruling::Note { warn: false, text, place },
        }
        Ruling::Pass
    }

    /// A refusal as the client hears it: for now only, after a `DEFER_IF_REJECT`.
    #[must_use]
    pub fn refused(&self, reply: Reply) -> Reply {
        let later = self.0.as_ref().and_then(|waiting| waiting.if_reject.as_ref());
        match later {
            Some(later) if reply.is_permanent() => later.clone(),
            _ => reply,
        }
    }

    /// What is otherwise taken: not now, after a `DEFER_IF_PERMIT`.
    ///
    /// # Errors
    /// With the reply to give.
    pub fn permitted(&self) -> Result<(), Reply> {
        let later = self.0.as_ref().and_then(|waiting| waiting.if_permit.clone());
        later.map_or(Ok(()), Err)
    }

    /// Takes over what a recipient that was accepted means for the whole message, and nothing else of it.
    pub fn adopt(&mut self, of_recipient: &Self) {
        let Some(theirs) = &of_recipient.0 else { return };
        if theirs.discard.is_some() || theirs.hold.is_some() || theirs.priority.is_some() {
            let mine = self.waiting();
            mine.discard = mine.discard.take().or_else(|| theirs.discard.clone());
            mine.hold = mine.hold.take().or_else(|| theirs.hold.clone());
            mine.priority = mine.priority.or(theirs.priority);
        }
    }

    /// Why the message is to be dropped, if it is.
    #[must_use]
    pub fn discard(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.discard.as_ref()
    }

    /// Why the message is to wait, if it is.
    #[must_use]
    pub fn hold(&self) -> Option<&Arc<str>> {
        self.0.as_ref()?.hold.as_ref()
    }

    /// How urgent the message is, if a table says.
    #[must_use]
    pub fn priority(&self) -> Option<Priority> {
        self.0.as_ref()?.priority
    }

    /// The mail filters that are asked about what the client sends, if a table says.
    #[must_use]
    pub fn milters(&self) -> Option<&[Box<str>]> {
        self.0.as_ref()?.milters.as_deref()
    }

    fn waiting(&mut self) -> &mut Waiting {
        self.0.get_or_insert_default()
    }
}

fn put_off(refusal: &Refusal, asked: Asked) -> Reply {
    refusal.reply(asked.in_words(), "Service unavailable")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::name::MapName;

    fn says(text: &str) -> Answer<Found<Access>> {
        let place = Place { map: MapName::Recipients, file: Arc::from(Path::new("access")), line: 3 };
        Answer::Found(Found { value: Access::read(text).unwrap(), place })
    }

    fn told(standing: &mut Standing, asked: Asked, text: &str) -> String {
        let ruling = standing.hear(asked, says(text));
        ruling.reply(asked).map_or_else(|| "ok".to_owned(), |reply| reply.to_string())
    }

    #[test]
    fn what_is_said_counts_at_once() {
        let mut standing = Standing::default();
        for (asked, text, reply) in [
            (Asked::Client, "OK", "ok"),
            (Asked::Client, "REJECT", "554 5.7.1 Client host rejected: Access denied"),
            (Asked::Client, "DEFER busy", "421 4.7.1 Client host rejected: busy"),
            (Asked::Helo, "DEFER", "450 4.7.1 Helo command rejected: Access denied"),
            (Asked::Sender, "550 5.1.8 no", "550 5.1.8 Sender address rejected: no"),
            (Asked::Recipient, "DUNNO", "ok"),
        ] {
            assert_eq!(told(&mut standing, asked, text), reply, "{text}");
        }
        assert_eq!(standing, Standing::default());
        assert_eq!(standing.milters(), None);
        assert_eq!(told(&mut standing, Asked::Client, "MILTERS sign, spam"), "ok");
        assert_eq!(standing.milters(), Some(&["sign".into(), "spam".into()][..]));
        let why = Unavailable { map: MapName::Recipients, why: "gone".into() };
        let ruling = standing.hear(Asked::Client, Answer::Unavailable(why.clone()));
        assert_eq!(ruling.reply(Asked::Client).unwrap().code.get(), 421);
        let ruling = standing.hear(Asked::Sender, Answer::Unavailable(why));
        assert_eq!(ruling.reply(Asked::Sender), Some(table::LOCAL_ERROR));
        let note = standing.hear(Asked::Sender, says("WARN look"));
        assert!(matches!(note, Ruling::Note { warn: true, ref text, .. } if &**text == "look"));
    }

    #[test]
    fn what_waits_is_applied_later() {
        let mut client = Standing::default();
        assert_eq!(told(&mut client, Asked::Client, "DEFER_IF_REJECT 4.7.2 doubtful"), "ok");
        assert_eq!(told(&mut client, Asked::Client, "DEFER_IF_REJECT another"), "ok");
        let mut sender = client.clone();
        let doubtful = "450 4.7.2 Client host rejected: doubtful";
        assert_eq!(told(&mut sender, Asked::Sender, "REJECT"), doubtful);
        assert_eq!(sender.refused(table::NO_SUCH_USER).to_string(), doubtful);
        assert_eq!(sender.refused(table::LOCAL_ERROR), table::LOCAL_ERROR, "not now stays not now");
        assert_eq!(sender.permitted(), Ok(()));

        let mut recipient = sender.clone();
        assert_eq!(told(&mut recipient, Asked::Recipient, "DEFER_IF_PERMIT"), "ok");
        let reply = recipient.permitted().unwrap_err().to_string();
        assert_eq!(reply, "450 4.7.1 Recipient address rejected: Service unavailable");
        assert_eq!(told(&mut recipient, Asked::Recipient, "HOLD look at it"), "ok");
        assert_eq!(told(&mut recipient, Asked::Recipient, "DISCARD"), "ok");
        sender.adopt(&recipient);
        assert_eq!(sender.hold().map(|why| &**why), Some("look at it"));
        assert_eq!(sender.discard().map(|why| &**why), Some(""));
        assert_eq!(sender.permitted(), Ok(()), "another recipient may be taken");
    }
}
