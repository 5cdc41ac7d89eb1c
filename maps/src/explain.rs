//! What becomes of one message, and why: each question that was put to a map, and each decision that came of
//! the answers.
//!
//! A daemon explains by deciding: its own rooms judge the message on a snapshot that takes notes
//! ([`Notes::begin`]), so an explanation can't say what the daemon would not do. What is said is plain data,
//! the same whether it comes from a site's folder or from a running daemon.

mod notes;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use switchyard_smtp::address::{AddressError, ForwardPath, ReversePath};
use switchyard_smtp::reply::{Reply, ReplyKind};

use crate::trace::Said;

pub use notes::Notes;

/// The message that is asked about; what is not given is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Where the client connects from.
    pub client: Option<IpAddr>,
    /// Its name in the DNS.
    pub name: Option<String>,
    /// What it says in EHLO.
    pub helo: Option<String>,
    /// The sender; empty for the null reverse-path.
    pub from: Option<String>,
    /// The recipients, at least one.
    pub to: Vec<String>,
}

/// The same, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where the client connects from.
    pub client: Option<IpAddr>,
    /// Its name in the DNS.
    pub name: Option<String>,
    /// What it says in EHLO.
    pub helo: Option<String>,
    /// The sender.
    pub from: Option<ReversePath>,
    /// The recipients.
    pub to: Vec<ForwardPath>,
}

/// What was asked about is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuestion {
    /// The sender can't be read.
    #[error("`{0}` is no sender: {1}")]
    Sender(String, AddressError),
    /// A recipient can't be read.
    #[error("`{0}` is no recipient: {1}")]
    Recipient(String, AddressError),
    /// None, or too many.
    #[error("a message has 1 to {MAX_RECIPIENTS} recipients here, not {0}")]
    Recipients(usize),
}

/// Recipients that are explained at once: more is no question of a person.
pub const MAX_RECIPIENTS: usize = 100;

impl Question {
    /// Reads the addresses, with or without their angle brackets.
    ///
    /// # Errors
    /// When one is no address.
    pub fn read(&self) -> Result<Message, BadQuestion> {
        if !(1..=MAX_RECIPIENTS).contains(&self.to.len()) {
            return Err(BadQuestion::Recipients(self.to.len()));
        }
        let sender = |text: &String| {
            ReversePath::parse(&bracketed(text)).map_err(|error| BadQuestion::Sender(text.clone(), error))
        };
        let recipient = |text: &String| {
            ForwardPath::parse(&bracketed(text)).map_err(|error| BadQuestion::Recipient(text.clone(), error))
        };
        Ok(Message {
            client: self.client.map(|client| client.to_canonical()),
            name: self.name.clone(),
            helo: self.helo.clone(),
            from: self.from.as_ref().map(sender).transpose()?,
            to: self.to.iter().map(recipient).collect::<Result<_, _>>()?,
        })
    }
}

fn bracketed(text: &str) -> String {
    if text.starts_with('<') { text.to_owned() } else { format!("<{text}>") }
}

// ---------------------------------------------------------------------------------------------------------

/// What one daemon does with the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Its host's name.
    pub host: String,
    /// `mx` or `router`.
    pub daemon: String,
    /// Where it connects from when it hands a message on, if that is known.
    pub address: Option<IpAddr>,
    /// What it decided, in order.
    pub steps: Vec<Step>,
    /// The recipients that it takes the message for.
    pub taken: Vec<String>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is decided: `client`, `helo`, `sender`, `recipient`, `rewrite`, `class`, `route`, `targets`.
    pub stage: String,
    /// About what: an address or a name.
    pub about: String,
    /// What was asked for it, in order.
    pub asked: Vec<Asked>,
    /// How it goes on.
    pub outcome: Outcome,
    /// The decision, in words.
    pub says: String,
    /// Several of it: the addresses behind an alias, the hosts behind a route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<String>,
}

/// How a message goes on after a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// To the next stage.
    GoesOn,
    /// Refused for good.
    Refused,
    /// Put off: the client, or the queue, tries again.
    PutOff,
    /// Put off because a map can't be asked.
    Unavailable,
    /// Taken and dropped.
    Discarded,
    /// Taken and kept for people to look at.
    Held,
}

/// One question to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The map.
    pub map: String,
    /// Its table, as the settings name it.
    pub table: String,
    /// The key.
    pub key: String,
    /// What the table said.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What a table said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It knows the key.
    Found {
        /// Its value.
        value: String,
        /// The file that says so.
        file: String,
        /// From 1; 0 when it is the file as a whole.
        line: u32,
    },
    /// It does not.
    NotFound,
    /// It can't say.
    Unavailable {
        /// Why.
        why: String,
    },
}

impl Explanation {
    /// True when some map could not be asked, so that nobody knows.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.steps.iter().any(|step| {
            step.outcome == Outcome::Unavailable
                || step.asked.iter().any(|asked| matches!(asked.answer, Answer::Unavailable { .. }))
        })
    }
}

impl From<crate::trace::Asked> for Asked {
    fn from(asked: crate::trace::Asked) -> Self {
        let answer = match asked.said {
            Said::Found(value, place) => {
                Answer::Found { value, file: place.file.display().to_string(), line: place.line }
            }
            Said::NotFound => Answer::NotFound,
            Said::Unavailable(why) => Answer::Unavailable { why: why.to_string() },
        };
        Self { map: asked.map.to_string(), table: asked.table.to_string(), key: asked.key, answer }
    }
}

impl Outcome {
    /// What a reply means for the client.
    #[must_use]
    pub fn of(reply: &Reply) -> Self {
        match reply.code.kind() {
            ReplyKind::PositiveCompletion | ReplyKind::PositiveIntermediate => Self::GoesOn,
            ReplyKind::TransientNegative => Self::PutOff,
            ReplyKind::PermanentNegative => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_brackets() {
        let question = Question {
            client: Some("::ffff:192.0.2.1".parse().unwrap()),
            from: Some(String::new()),
            to: vec!["a@example.org".into(), "<postmaster>".into()],
            ..Question::default()
        };
        let message = question.read().unwrap();
        assert_eq!(message.client.unwrap().to_string(), "192.0.2.1");
        assert_eq!(message.from, Some(ReversePath::Null));
        let to: Vec<String> = message.to.iter().map(ToString::to_string).collect();
        assert_eq!(to, ["<a@example.org>", "<postmaster>"]);
    }

    #[test]
    fn what_is_no_message_is_told_by_its_part() {
        let ask = |from: &str, to: &[&str]| {
            let to = to.iter().map(ToString::to_string).collect();
            Question { from: Some(from.into()), to, ..Question::default() }.read().unwrap_err().to_string()
        };
        assert!(ask("a@", &["a@example.org"]).starts_with("`a@` is no sender: "));
        assert!(ask("", &["a b@example.org"]).starts_with("`a b@example.org` is no recipient: "));
        assert_eq!(ask("", &[]), "a message has 1 to 100 recipients here, not 0");
    }

    #[test]
    fn an_answer_reads_as_json_and_back() {
        let asked = Asked {
            map: "transport".into(),
            table: "transport".into(),
            key: "example.org".into(),
            answer: Answer::Found { value: "smtp:".into(), file: "maps/transport".into(), line: 3 },
        };
        let text = serde_json::to_string(&asked).unwrap();
        assert_eq!(
            text,
            r#"{"map":"transport","table":"transport","key":"example.org","answer":"found","value":"smtp:","file":"maps/transport","line":3}"#
        );
        assert_eq!(serde_json::from_str::<Asked>(&text).unwrap(), asked);
    }
}
