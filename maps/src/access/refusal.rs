//! A refusal as an access table words it, and the reply that it becomes.

use std::sync::Arc;

use switchyard_smtp::reply::{Reply, ReplyCode};
use switchyard_smtp::status::EnhancedStatus;

use crate::entry::reason;
use crate::fault::Wrong;

/// A refusal as a table words it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// 400 to 599.
    pub code: ReplyCode,
    /// Of the code's class.
    pub status: EnhancedStatus,
    /// Printable ASCII; none stands for the usual words.
    pub text: Option<Arc<str>>,
}

impl Refusal {
    /// The reply, where `what` is refused: "Client host", "Sender address" and so on, as Postfix words it.
    #[must_use]
    pub fn reply(&self, what: &str, usual: &str) -> Reply {
        let text = self.text.as_deref().unwrap_or(usual);
        let reply = Reply { code: self.code, status: Some(self.status), text: "".into() };
        reply.with_text(format!("{what} rejected: {text}"))
    }

    /// `5.7.1 text`, of a class that the action fits.
    pub(super) fn read(text: &str, code: u16, class: u8) -> Result<Self, Wrong> {
        let code = ReplyCode::new(code).ok_or_else(|| Wrong::new(format!("{code} is no reply code")))?;
        let (status, text) = match EnhancedStatus::split_from(text) {
            Some((status, _)) if status.class != class => {
                return Err(Wrong::new(format!("{status} does not fit: {class}.x.x is expected here")));
            }
            Some((status, rest)) => (status, rest.trim_start()),
            None => (EnhancedStatus::new(class, 7, 1), text),
        };
        let text = if text.is_empty() { None } else { Some(reason(text)?) };
        Ok(Self { code, status, text })
    }

    pub(super) fn class(&self) -> u16 {
        self.code.get() / 100
    }
}
