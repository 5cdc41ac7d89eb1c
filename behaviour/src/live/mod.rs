//! Behaviours asked of mail servers, by real dialogue (`speak.rs`), with catchers for what comes out ([`catch`]).
//!
//! Each behaviour is put to each server with a token of its own in the message, so that servers may share their
//! catchers. Several go at once, a few; each has until its deadline, arrivals included. What is wanted to arrive is
//! waited for; what must not is given a while to come. At the end everything that came is judged once more: a copy
//! too many that came late is still one too many.

pub mod catch;
mod header;
mod maildir;
mod speak;
pub mod target;

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tokio::time::Instant;

pub use catch::Catchers;
pub use speak::Standing;
pub use target::Target;

use crate::judge::{Holds, State, Verdict};
use crate::language::{Arrives, Behaviour, What};
use crate::seen::{After, Answered, Seen};
use speak::Trouble;

/// How a run goes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Behaviours under way at once.
    pub at_once: usize,
    /// Each ends within this, or fails.
    pub deadline: Duration,
    /// How long mail that must not arrive is waited for.
    pub quiet: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: 16, deadline: Duration::from_secs(5), quiet: Duration::from_secs(1) }
    }
}

/// A run against servers.
#[derive(Debug)]
pub struct Live<'a> {
    /// The servers.
    pub targets: &'a [Target],
    /// What they deliver to, if anything looks at it.
    pub catchers: Option<&'a Catchers>,
    /// How to speak as somebody else.
    pub standing: Standing,
    /// How fast.
    pub pace: Pace,
}

/// What one dialogue came to; arrivals are looked up again at the end.
#[derive(Debug)]
struct Talked {
    token: String,
    answers: Result<Vec<Answered>, Trouble>,
    took: Duration,
}

impl Live<'_> {
    /// Asks every behaviour of every server; a verdict for each, behaviour by behaviour in the order of the
    /// servers. `told` hears of each as it ends.
    pub async fn run(
        &self,
        behaviours: &[Behaviour],
        mut told: impl FnMut(&Behaviour, &Target, State),
    ) -> Vec<Vec<Verdict>> {
        let pairs = behaviours
            .iter()
            .enumerate()
            .flat_map(|(index, behaviour)| self.targets.iter().map(move |target| (index, behaviour, target)));
        let asked = pairs.enumerate().map(|(place, (index, behaviour, target))| async move {
            (place, index, target, self.one(behaviour, target).await)
        });
        let mut ended = stream::iter(asked).buffer_unordered(self.pace.at_once);
        let mut talks = Vec::new();
        while let Some((place, index, target, talked)) = ended.next().await {
            if let Some(behaviour) = behaviours.get(index) {
                told(behaviour, target, self.verdict(behaviour, &talked).state);
            }
            talks.push((place, index, talked));
        }
        // What is not to come can come behind the last that was waited for.
        if self.catchers.is_some() && behaviours.iter().any(|behaviour| behaviour.wants_no_other()) {
            tokio::time::sleep(self.pace.quiet).await;
        }
        talks.sort_by_key(|(place, ..)| *place);
        let mut verdicts: Vec<Vec<Verdict>> = behaviours.iter().map(|_| Vec::new()).collect();
        for (_, index, talked) in talks {
            if let (Some(behaviour), Some(row)) = (behaviours.get(index), verdicts.get_mut(index)) {
                row.push(self.verdict(behaviour, &talked));
            }
        }
        verdicts
    }

    /// One behaviour, one server.
    async fn one(&self, behaviour: &Behaviour, target: &Target) -> Talked {
        let start = Instant::now();
        let deadline = start + self.pace.deadline;
        let token = uuid::Uuid::new_v4().simple().to_string();
        if let Some(catchers) = self.catchers {
            catchers.expect(&token);
        }
        let talk = speak::speak(&behaviour.said, target, self.standing, &token);
        let answers = match tokio::time::timeout_at(deadline, talk).await {
            Ok(answers) => answers,
            Err(_) => {
                let why = format!("no end of the dialogue within {:?}", self.pace.deadline);
                Err(Trouble::Failed(why))
            }
        };
        let talked = Talked { token, answers, took: Duration::ZERO };
        self.await_arrivals(behaviour, &talked, deadline).await;
        Talked { took: start.elapsed(), ..talked }
    }

    /// Waits until what is to arrive is there, or the time is over.
    async fn await_arrivals(&self, behaviour: &Behaviour, talked: &Talked, deadline: Instant) {
        let (Some(catchers), Ok(answers)) = (self.catchers, &talked.answers) else { return };
        if !answers.iter().any(|answer| answer.reply.is_positive()) {
            return;
        }
        let nowhere = |what: &What| matches!(what, What::Arrives(Arrives::Nowhere));
        let is_wanted_nowhere = behaviour.wanted.iter().any(|wanted| nowhere(&wanted.what));
        let until = if is_wanted_nowhere { deadline.min(Instant::now() + self.pace.quiet) } else { deadline };
        let _until_then = tokio::time::timeout_at(until, async {
            loop {
                let more = catchers.more();
                let is_complete = self.is_complete(behaviour, talked);
                if is_complete != is_wanted_nowhere {
                    return;
                }
                more.await;
            }
        })
        .await;
    }

    /// Whether what arrived is all that is wanted of it.
    fn is_complete(&self, behaviour: &Behaviour, talked: &Talked) -> bool {
        let verdict = self.verdict(behaviour, talked);
        let of_arrivals = |key: &str| key != "reply" && key != "at";
        verdict.findings.iter().all(|finding| finding.holds != Holds::No || !of_arrivals(&finding.key))
    }

    fn verdict(&self, behaviour: &Behaviour, talked: &Talked) -> Verdict {
        match &talked.answers {
            Err(Trouble::NotAsked(needs)) => Verdict::not_asked(needs.clone()),
            Err(Trouble::Failed(why)) => Verdict::trouble(why.clone(), talked.took),
            Ok(answers) => {
                let after = match self.catchers {
                    None => After::NoCatcher,
                    Some(catchers) => After::Caught {
                        places: catchers.names().to_vec(),
                        mail: catchers.caught(&talked.token),
                    },
                };
                if matches!(&after, After::Caught { mail, .. } if mail.len() > catch::MOST_COPIES) {
                    let why = format!("more than {} copies came of this message", catch::MOST_COPIES);
                    return Verdict::trouble(why, talked.took);
                }
                Verdict::of(behaviour, &Seen { answers: answers.clone(), after }, talked.took)
            }
        }
    }
}

#[cfg(test)]
mod tests;
