//! A filter that only watches: it is told the same, and what it says is compared and counted, never done.
//!
//! It runs in a task of its own behind a bounded queue. When the queue is full the message is not compared: the
//! mail never waits for its shadow.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::{By, Outcome, Pool, Session, Verdict};
use crate::edits::Message;
use crate::event::Event;
use crate::macros::Known;

/// Events that wait for the shadow.
const WAITING: usize = 256;

/// The other end of the task.
#[derive(Debug)]
pub struct Shadow {
    told: mpsc::Sender<Told>,
    /// Something of the message at hand did not fit into the queue.
    incomplete: bool,
    pool: Arc<Pool>,
}

enum Told {
    Event(Event, Known),
    Message(Message, Known),
    /// The message is over, and this is what was done with it.
    Settled(Outcome),
    Abort,
}

impl Shadow {
    /// Starts the task, which ends when this is dropped.
    #[must_use]
    pub fn new(pool: Arc<Pool>) -> Self {
        let (told, waiting) = mpsc::channel(WAITING);
        let watched = pool.clone();
        tokio::spawn(async move { watch(watched, waiting).await });
        Self { told, incomplete: false, pool }
    }

    /// The same event as the real filter's.
    pub fn tell(&mut self, event: Event, known: &Known) {
        self.send(Told::Event(event, known.clone()));
    }

    /// The same message.
    pub fn message(&mut self, message: &Message, known: &Known) {
        self.send(Told::Message(message.clone(), known.clone()));
    }

    /// The message at hand is dropped without a verdict of the real filter.
    pub fn abort(&mut self) {
        self.send(Told::Abort);
        self.incomplete = false;
    }

    /// What was done with the message.
    pub fn settled(&mut self, outcome: &Outcome) {
        if self.incomplete {
            self.pool.metrics().shadowed(&self.pool.options().name, "not_compared");
            self.abort();
            return;
        }
        self.send(Told::Settled(outcome.clone()));
        self.incomplete = false;
    }

    fn send(&mut self, told: Told) {
        if self.told.try_send(told).is_err() {
            self.incomplete = true;
        }
    }
}

async fn watch(pool: Arc<Pool>, mut waiting: mpsc::Receiver<Told>) {
    let mut session = Session::new(pool.clone());
    let mut latest: Option<Outcome> = None;
    while let Some(told) = waiting.recv().await {
        match told {
            // What it refused is refused: the rest would come out of turn.
            Told::Event(event, _) if is_over(latest.as_ref()) && event.stage().is_of_message() => {}
            Told::Message(..) if is_over(latest.as_ref()) => {}
            Told::Event(event, known) => {
                *session.macros() = known;
                latest = Some(session.tell(event).await);
            }
            Told::Message(message, known) => {
                *session.macros() = known;
                latest = Some(session.message(&message).await);
            }
            Told::Settled(real) => {
                let result = compare(latest.take().as_ref(), &real);
                if result != "same" {
                    tracing::info!(filter = &*pool.options().name, result, "a shadow filter differs");
                }
                pool.metrics().shadowed(&pool.options().name, result);
                session.abort();
            }
            Told::Abort => {
                latest = None;
                session.abort();
            }
        }
    }
    session.close().await;
}

fn is_over(latest: Option<&Outcome>) -> bool {
    latest.is_some_and(|outcome| outcome.verdict != Verdict::GoOn)
}

/// How what the shadow said differs from what was done.
fn compare(shadow: Option<&Outcome>, real: &Outcome) -> &'static str {
    match shadow {
        None => "not_compared",
        Some(shadow) if shadow.by == By::WhenDown => "down",
        Some(shadow) if shadow.verdict != real.verdict => "verdict",
        Some(shadow) if shadow.edits != real.edits => "edits",
        Some(_) => "same",
    }
}
