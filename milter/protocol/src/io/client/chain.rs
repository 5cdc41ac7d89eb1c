//! Several filters in a row, as one client's session asks them.
//!
//! Each event goes to one after another, and the first that does not say "go on" has the word: those behind it are not
//! told. A message goes to each as the one before has left it.

use std::sync::Arc;

use bytes::Bytes;

use super::shadow::Story;
use super::{By, Outcome, Pool, Session, Shadow, Verdict};
use crate::edit::Edit;
use crate::edits::Message;
use crate::event::Event;
use crate::macros::Known;
use crate::stage::Stage;

/// One session with each filter, in their order. Without any, everything goes on.
#[derive(Debug)]
pub struct Chain {
    sessions: Vec<Session>,
    /// Filters that only watch, and what they are to be shown of the message at hand.
    shadows: Vec<Arc<Shadow>>,
    known: Known,
    story: Story,
}

/// What became of a message.
#[derive(Debug, Clone)]
pub struct Filtered {
    /// The word of the first that did not say "go on", or "go on".
    pub verdict: Verdict,
    /// The message with all edits made, if there was one and it goes on. Whoever makes its [content](Message::content)
    /// has both in memory for a moment.
    pub edited: Option<Message>,
    /// The edits to sender and recipients, and what is to be held, in order.
    pub envelope: Vec<Edit>,
}

impl Chain {
    /// Connects nowhere yet.
    #[must_use]
    pub fn new(pools: impl IntoIterator<Item = Arc<Pool>>) -> Self {
        Self::with_shadows(pools, Vec::new())
    }

    /// The same, with filters that only watch.
    #[must_use]
    pub fn with_shadows(pools: impl IntoIterator<Item = Arc<Pool>>, shadows: Vec<Arc<Shadow>>) -> Self {
        let sessions = pools.into_iter().map(Session::new).collect();
        Self { sessions, shadows, known: Known::default(), story: Story::default() }
    }

    /// Gives a macro a value for all of them.
    pub fn set(&mut self, name: &'static str, value: &Bytes) {
        for session in &mut self.sessions {
            session.macros().set(name, value.clone());
        }
        if !self.shadows.is_empty() {
            self.known.set(name, value.clone());
        }
    }

    /// Takes a macro's value away.
    pub fn unset(&mut self, name: &str) {
        for session in &mut self.sessions {
            session.macros().unset(name);
        }
        self.known.unset(name);
    }

    /// Tells an event to one after another.
    pub async fn tell(&mut self, event: &Event) -> Outcome {
        let mut latest = Outcome::GO_ON;
        for session in &mut self.sessions {
            latest = session.tell(event.clone()).await;
            if latest.verdict != Verdict::GoOn {
                note(session, event.stage(), &latest);
                break;
            }
        }
        if !self.shadows.is_empty() {
            self.story.tell(event, &self.known, &latest.verdict);
        }
        latest
    }

    /// Tells a recipient that we refuse ourselves to those that want to know; the macros `rcpt_mailer` (`error`),
    /// `rcpt_host` and `rcpt_addr` say so. What they think of it changes nothing.
    pub async fn tell_refused(&mut self, recipient: &Event) {
        for session in self.sessions.iter_mut().filter(|session| session.wants_rejected_recipients()) {
            let _ = session.tell(recipient.clone()).await;
        }
    }

    /// Tells the content to one after another. `added` and `wire` are those of the content, dot-stuffed.
    pub async fn message(&mut self, added: &Bytes, wire: &Bytes) -> Filtered {
        let mut made = Vec::new();
        let message = Message::from_wire(added, wire);
        let shown = (!self.shadows.is_empty()).then(|| message.clone());
        let filtered = self.filter(message, &mut made).await;
        if let Some(message) = shown {
            let real = Outcome { verdict: filtered.verdict.clone(), edits: made, by: By::Filter };
            self.story.end(message, &self.known, real);
        }
        filtered
    }

    async fn filter(&mut self, mut message: Message, made: &mut Vec<Edit>) -> Filtered {
        let stopped = |verdict| Filtered { verdict, edited: None, envelope: Vec::new() };
        let mut edited = false;
        let mut envelope = Vec::new();
        for session in &mut self.sessions {
            let outcome = session.message(&message).await;
            if outcome.verdict != Verdict::GoOn {
                note(session, Stage::Eom, &outcome);
                return stopped(outcome.verdict);
            }
            if !self.shadows.is_empty() {
                made.extend_from_slice(&outcome.edits);
            }
            let (of_content, of_envelope): (Vec<Edit>, Vec<Edit>) =
                outcome.edits.into_iter().partition(Edit::is_of_content);
            if !of_content.is_empty() {
                edited = true;
                message = match message.edited(&of_content) {
                    Ok(message) => message,
                    Err(error) => {
                        tracing::warn!(filter = session.name(), %error, "a filter's edits cannot be made");
                        return stopped(Verdict::Tempfail);
                    }
                };
            }
            envelope.extend(of_envelope);
        }
        Filtered { verdict: Verdict::GoOn, edited: edited.then_some(message), envelope }
    }

    /// The message at hand is over, or dropped, whoever said so. Shadows are shown it if it had a verdict.
    pub fn abort(&mut self) {
        self.sessions.iter_mut().for_each(Session::abort);
        if self.story.has_verdict() {
            for shadow in &self.shadows {
                shadow.show(self.story.clone());
            }
        }
        self.story.end_message();
    }

    /// The client is gone. Filters hear of it beside what follows.
    pub fn close(mut self) {
        self.abort();
        self.sessions.into_iter().for_each(Session::close);
    }
}

/// Who stopped a message, and why nobody else was asked.
fn note(session: &Session, stage: Stage, outcome: &Outcome) {
    let (filter, verdict) = (session.name(), outcome.verdict.as_str());
    match outcome.by {
        By::Filter => tracing::info!(filter, %stage, verdict, "a filter has the word"),
        By::WhenDown => tracing::warn!(filter, %stage, verdict, "a filter is down"),
    }
}
