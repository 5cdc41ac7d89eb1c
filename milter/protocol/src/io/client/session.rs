//! One client's session with one filter, wherever in its pool.
//!
//! What was told so far is kept, so that another place can be told it anew: the session's events until it ends,
//! a message's until that ends. A place that was lost is not tried again for the same message.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::link::LinkError;
use super::pool::{Leased, Pool};
use super::{Outcome, Verdict, WhenDown};
use crate::edits::Message;
use crate::event::Event;
use crate::macros::Known;
use crate::mta::Answer;
use crate::stage::Stage;

/// A session. Dropped without [`Session::close`], its connection is closed.
#[derive(Debug)]
pub struct Session {
    pool: Arc<Pool>,
    leased: Option<Leased>,
    known: Known,
    past: Vec<(Event, Known)>,
    /// Places that this message lost.
    tried: Vec<usize>,
    /// The filter is nowhere to be had for this message.
    down: bool,
    /// What this message has waited for answers.
    waited: Duration,
}

/// What an attempt gave.
enum Attempt {
    Answered(Option<Answer>),
    /// Another place had a refusal for something that was already taken.
    Overruled(Verdict),
    /// The place is lost.
    Lost(LinkError),
    /// No place is left.
    Nowhere,
}

impl Session {
    /// Connects nowhere yet.
    #[must_use]
    pub fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            leased: None,
            known: Known::default(),
            past: Vec::new(),
            tried: Vec::new(),
            down: false,
            waited: Duration::ZERO,
        }
    }

    /// What the filter may be told beside the events.
    pub fn macros(&mut self) -> &mut Known {
        &mut self.known
    }

    /// Whether recipients that we refuse ourselves are told as well.
    #[must_use]
    pub fn wants_rejected_recipients(&self) -> bool {
        self.leased.as_ref().is_some_and(|leased| leased.link.wants_rejected_recipients())
    }

    /// Tells an event.
    pub async fn tell(&mut self, event: Event) -> Outcome {
        let stage = event.stage();
        let outcome = self.outcome(&event).await;
        let refused = outcome.verdict != Verdict::GoOn;
        if stage == Stage::Eom {
            self.end_message();
        } else if !(refused && matches!(stage, Stage::EnvRcpt | Stage::Unknown)) {
            self.past.push((event, self.known.clone()));
        }
        outcome
    }

    /// Tells header, body and end of a message, as far as the filter wants it.
    pub async fn message(&mut self, message: &Message) -> Outcome {
        for field in message.fields() {
            let outcome = self.tell(Event::Header(field)).await;
            if outcome.verdict != Verdict::GoOn {
                return outcome;
            }
        }
        for event in [Event::Eoh, Event::Body(message.body().clone())] {
            let outcome = self.tell(event).await;
            if outcome.verdict != Verdict::GoOn {
                return outcome;
            }
        }
        self.tell(Event::Eom(bytes::Bytes::new())).await
    }

    /// The message at hand is dropped, whoever said so.
    pub fn abort(&mut self) {
        if let Some(leased) = &mut self.leased {
            leased.link.abort();
        }
        self.end_message();
    }

    /// The client is gone.
    pub async fn close(mut self) {
        if let Some(leased) = self.leased.take() {
            self.pool.give_back(leased).await;
        }
    }

    fn end_message(&mut self) {
        self.past.retain(|(event, _)| !event.stage().is_of_message());
        self.tried.clear();
        self.down = false;
        self.waited = Duration::ZERO;
    }

    async fn outcome(&mut self, event: &Event) -> Outcome {
        let stage = event.stage();
        while !self.down {
            let started = Instant::now();
            let deadline = started + self.pool.options().times.total.saturating_sub(self.waited);
            let attempt = self.attempt(event, deadline).await;
            self.waited += started.elapsed();
            match attempt {
                Attempt::Answered(None) => return Outcome::GO_ON,
                Attempt::Answered(Some(Answer { action, edits })) => {
                    let name = &self.pool.options().name;
                    self.pool.metrics().answered(name, stage, action.as_str(), started.elapsed());
                    return Outcome { verdict: action.into(), edits, by: super::By::Filter };
                }
                Attempt::Overruled(verdict) => return Outcome { verdict, ..Outcome::GO_ON },
                Attempt::Lost(error) => {
                    let used = self.forget_place(&error);
                    self.down = !error.cause().is_of_the_place() && !used;
                }
                Attempt::Nowhere => self.down = true,
            }
        }
        let policy: WhenDown = self.pool.options().when_down;
        let outcome = Outcome::when_down(policy, stage, &self.pool.options().name);
        if !stage.is_of_message() {
            // The next message asks anew.
            self.tried.clear();
            self.down = false;
        }
        outcome
    }

    /// Lets go of the place at hand; whether it was one that had served others before.
    fn forget_place(&mut self, error: &LinkError) -> bool {
        let Some(leased) = self.leased.take() else { return false };
        if leased.used && error.cause() == super::Cause::Lost {
            // The filter closed it while nobody looked. A new connection to the same place may do.
            self.pool.drop_kept(leased.place);
            return true;
        }
        self.pool.failed(leased.place, error);
        self.tried.push(leased.place);
        false
    }

    async fn attempt(&mut self, event: &Event, deadline: Instant) -> Attempt {
        if self.leased.is_none() {
            let Some(leased) = self.pool.lease(&mut self.tried, deadline).await else {
                return Attempt::Nowhere;
            };
            self.leased = Some(leased);
            if let Err(attempt) = self.replay(deadline).await {
                return attempt;
            }
        }
        let Some(leased) = &mut self.leased else { return Attempt::Nowhere };
        match leased.link.tell(event.clone(), &self.known, deadline).await {
            Ok(answer) => Attempt::Answered(answer),
            Err(error) => Attempt::Lost(error),
        }
    }

    /// Tells another place what the one before knew.
    async fn replay(&mut self, deadline: Instant) -> Result<(), Attempt> {
        let Some(leased) = &mut self.leased else { return Ok(()) };
        if self.past.iter().any(|(event, _)| event.stage().is_of_message()) {
            self.pool.metrics().replayed(&self.pool.options().name);
        }
        for (event, known) in &self.past {
            let stage = event.stage();
            // Refused by ourselves: one that does not ask for those would take it for a recipient.
            let refused =
                stage == Stage::EnvRcpt && known.get("rcpt_mailer").is_some_and(|mailer| mailer == "error");
            if refused && !leased.link.wants_rejected_recipients() {
                continue;
            }
            let answer = leased.link.tell(event.clone(), known, deadline).await.map_err(Attempt::Lost)?;
            let verdict = answer.map_or(Verdict::GoOn, |answer| answer.action.into());
            match verdict {
                Verdict::GoOn => {}
                // The client was told that this recipient is taken: all it can hear now is to come again.
                _ if stage == Stage::EnvRcpt => return Err(Attempt::Overruled(Verdict::Tempfail)),
                verdict => return Err(Attempt::Overruled(verdict)),
            }
        }
        Ok(())
    }
}
