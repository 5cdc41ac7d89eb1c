//! One client's session with one filter, wherever in its pool.
//!
//! What was told so far is kept, so that another place can be told it anew: the session's events until it ends,
//! a message's until that ends. A place that was lost is not tried again for the same message. Between messages the
//! connection rests, and goes if others wait for one.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Duration, Instant};

use super::link::LinkError;
use super::pool::{Leased, Pool};
use super::room::Owner;
use super::{Outcome, Verdict, WhenDown};
use crate::edits::Message;
use crate::event::Event;
use crate::macros::Known;
use crate::mta::Answer;
use crate::response::Action;
use crate::stage::Stage;

/// A session. Dropped without [`Session::close`], its connection is closed.
#[derive(Debug)]
pub struct Session {
    pool: Arc<Pool>,
    leased: Option<Leased>,
    /// Whose the connection is while it rests.
    resting: Option<Owner>,
    known: Known,
    past: Vec<(Event, Known)>,
    /// Places that this message lost.
    tried: Vec<usize>,
    /// The filter is nowhere to be had for this message.
    down: bool,
    /// What another place said to something that was already taken: the word for all that follows.
    overruled: Option<Overruled>,
    /// What this message has waited for answers.
    waited: Duration,
}

/// A refusal that came late.
#[derive(Debug, Clone)]
struct Overruled {
    verdict: Verdict,
    /// Said of a message; otherwise of the whole session.
    of_message: bool,
}

/// What an attempt gave.
enum Attempt {
    Answered(Option<Answer>),
    /// Another place had a refusal for something that was already taken.
    Overruled(Overruled),
    /// The place is lost.
    Lost(Box<Leased>, LinkError),
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
            resting: None,
            known: Known::default(),
            past: Vec::new(),
            tried: Vec::new(),
            down: false,
            overruled: None,
            waited: Duration::ZERO,
        }
    }

    /// The filter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.pool.options().name
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

    /// Tells an event that is no part of a message's content.
    pub async fn tell(&mut self, event: Event) -> Outcome {
        let stage = event.stage();
        let outcome = self.outcome(std::slice::from_ref(&event)).await;
        let refused = outcome.verdict != Verdict::GoOn;
        if !(refused && matches!(stage, Stage::EnvRcpt | Stage::Unknown)) {
            if stage == Stage::Helo {
                // The latest name is the one that counts, and a client may say as many as it likes.
                self.past.retain(|(event, _)| event.stage() != Stage::Helo);
            }
            self.past.push((event, self.known.clone()));
        }
        if !stage.is_of_message() {
            self.rest();
        }
        outcome
    }

    /// Tells header, body and end of a message, as far as the filter wants it.
    pub async fn message(&mut self, message: &Message) -> Outcome {
        // All of it is here, so that the filter need not be waited for between its parts.
        let is_cautious = self.pool.is_cautious();
        let mut row: Vec<Event> = message.fields().map(Event::Header).chain([Event::Eoh]).collect();
        for next in [Event::Body(message.body().clone()), Event::Eom(Bytes::new())] {
            if is_cautious {
                let outcome = self.outcome(&row).await;
                if outcome.verdict != Verdict::GoOn {
                    return outcome;
                }
                self.past.extend(row.drain(..).map(|event| (event, self.known.clone())));
            }
            row.push(next);
        }
        let outcome = self.outcome(&row).await;
        if outcome.verdict == Verdict::GoOn {
            // One that had heard enough was not told of the end.
            self.abort();
        }
        outcome
    }

    /// The message at hand is dropped, whoever said so.
    pub fn abort(&mut self) {
        if let Some(leased) = &mut self.leased {
            leased.link.abort();
        }
        self.end_message();
    }

    /// The client is gone. The filter hears of it beside what follows.
    pub fn close(mut self) {
        if let Some(leased) = self.leased.take().or_else(|| self.wake()) {
            self.pool.part_with(leased);
        }
    }

    /// Outside of a message others may have the connection.
    fn rest(&mut self) {
        if !self.past.iter().any(|(event, _)| event.stage().is_of_message())
            && let Some(leased) = self.leased.take()
        {
            self.resting = self.pool.rest(leased);
        }
    }

    fn wake(&mut self) -> Option<Leased> {
        self.resting.take().and_then(|owner| self.pool.wake(owner))
    }

    fn end_message(&mut self) {
        self.past.retain(|(event, _)| !event.stage().is_of_message());
        self.tried.clear();
        self.down = false;
        self.overruled.take_if(|overruled| overruled.of_message);
        self.waited = Duration::ZERO;
        self.rest();
    }

    /// The connection from before, if more can be told over it.
    fn again(&mut self) -> Option<Leased> {
        self.leased.take().or_else(|| self.pool.resume(self.resting.take()?))
    }

    /// Tells events in a row: one, or what there is of a message's content.
    async fn outcome(&mut self, events: &[Event]) -> Outcome {
        let Some(stage) = events.last().map(Event::stage) else { return Outcome::GO_ON };
        if let Some(Overruled { verdict, .. }) = &self.overruled {
            return Outcome { verdict: verdict.clone(), ..Outcome::GO_ON };
        }
        while !self.down {
            let started = Instant::now();
            let deadline = started + self.pool.options().times.total.saturating_sub(self.waited);
            let attempt = self.attempt(events, deadline).await;
            self.waited += started.elapsed();
            match attempt {
                Attempt::Answered(None) => return Outcome::GO_ON,
                Attempt::Answered(Some(Answer { action, edits })) => {
                    return Outcome { verdict: action.into(), edits, by: super::By::Filter };
                }
                Attempt::Overruled(overruled) => {
                    let verdict = overruled.verdict.clone();
                    self.overruled = Some(overruled);
                    return Outcome { verdict, ..Outcome::GO_ON };
                }
                Attempt::Lost(leased, error) => {
                    self.forget_place(&leased, &error);
                    self.down = !error.lets_others_try();
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
            self.waited = Duration::ZERO;
        }
        outcome
    }

    fn forget_place(&mut self, leased: &Leased, error: &LinkError) {
        if leased.used && error.cause() == super::Cause::Lost {
            // The filter closed it while nobody looked. A new connection to the same place may do.
            self.pool.drop_kept(leased.place);
            return;
        }
        self.pool.failed(leased.place, error);
        self.tried.push(leased.place);
    }

    /// Whoever drops this in the middle drops the connection with it, and an answer that is still on its way.
    async fn attempt(&mut self, events: &[Event], deadline: Instant) -> Attempt {
        let mut leased = match self.again() {
            Some(leased) => leased,
            None => {
                let Some(mut leased) = self.pool.lease(&mut self.tried, deadline).await else {
                    return Attempt::Nowhere;
                };
                match self.replay(&mut leased, deadline).await {
                    Ok(None) => leased,
                    // It has not heard all of this session or this message, so it can judge no more of it.
                    Ok(Some(overruled)) => return Attempt::Overruled(overruled),
                    Err(error) => return Attempt::Lost(Box::new(leased), error),
                }
            }
        };
        let count = |stage, action: &Action, took| self.pool.answered(stage, action, took);
        match leased.link.tell(events, &self.known, deadline, count).await {
            Ok(answer) => {
                self.leased = Some(leased);
                Attempt::Answered(answer)
            }
            Err(error) => Attempt::Lost(Box::new(leased), error),
        }
    }

    /// Tells another place what the one before knew; a refusal, if it has one.
    async fn replay(
        &mut self,
        leased: &mut Leased,
        deadline: Instant,
    ) -> Result<Option<Overruled>, LinkError> {
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
            let answer = leased.link.tell(std::slice::from_ref(event), known, deadline, |_, _, _| ()).await?;
            let verdict = match answer {
                Some(answer) if !refused => answer.action.into(),
                _ => Verdict::GoOn,
            };
            // The client was told that this recipient is taken: all it can hear now is to come again.
            let verdict = match verdict {
                Verdict::GoOn => continue,
                Verdict::Reject | Verdict::Tempfail | Verdict::Reply(_) if stage == Stage::EnvRcpt => {
                    Verdict::Tempfail
                }
                verdict => verdict,
            };
            let of_message = stage.is_of_message() && !matches!(verdict, Verdict::Shutdown | Verdict::Break);
            return Ok(Some(Overruled { verdict, of_message }));
        }
        Ok(None)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.wake());
    }
}
