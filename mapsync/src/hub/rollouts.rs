//! Drives rollouts: looks at what hosts say, and publishes the next release of the plan when its time has come.
//!
//! What is decided stands in the protocol's [`Rollout`]; here are the clock, the hosts' words and the hub's order.
//! Every hub that takes pushes drives, and needs no word of another: the newest release says where a rollout stands,
//! numbers only rise, and of two that publish the same one both are right. A hub that is alone left goes on; with
//! none nobody moves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use switchyard_mapsync_protocol::rollout::{End, Gates, Plan, Rollout, Verdict, Word};
use tokio::time::sleep;

use super::Shared;
use super::board::turn::Brought;
use super::board::{Board, Kind, NotKept, Notice, Shown};
use super::order::{Order, push};
use crate::client::{Course, Standing};

/// Between two looks at the hosts of a rollout.
const LOOK: Duration = Duration::from_millis(250);

/// Drives the rollouts of every environment until the hub drains.
pub(super) async fn drive(shared: Shared) {
    let mut driving: FuturesUnordered<_> =
        shared.boards.values().map(|board| go_on(&shared, board)).collect();
    let drive = async {
        match &shared.order {
            // It takes no pushes, so it publishes nothing.
            Order::Follows => std::future::pending().await,
            Order::Alone | Order::Ledger(_) => while driving.next().await.is_some() {},
        }
    };
    tokio::select! {
        biased;
        () = shared.drain.wait_started() => {}
        () = drive => {}
    }
}

async fn go_on(shared: &Shared, board: &Arc<Board>) {
    // Whoever spoke before is not known: hosts must have had time to speak.
    let began = shared.clock.now_monotonic();
    let (mut shown, mut over) = (board.watch(), None);
    loop {
        let is_next = |shown: &Shown| shown.plan.as_ref().is_some_and(|plan| Some(plan.hash) != over);
        let Ok(seen) = shown.wait_for(is_next).await.map(|shown| shown.clone()) else { return };
        let Some(notice) = &seen.plan else { continue };
        match driven(shared, board, &seen, notice, began).await {
            Ok(()) => over = Some(notice.hash),
            Err(error) => {
                tracing::error!(%error, plan = notice.number, "a rollout is not driven");
                sleep(LOOK).await;
            }
        }
    }
}

/// Drives the plan that is shown to its end, or until another one is shown.
async fn driven(
    shared: &Shared,
    board: &Arc<Board>,
    shown: &Shown,
    notice: &Notice,
    began: Instant,
) -> Result<(), NotKept> {
    let (at, number, hash) = (Arc::clone(board), notice.number, notice.hash);
    let has_ended = tokio::task::spawn_blocking(move || at.has_ended(hash)).await??;
    let Some(plan) = shown.planned() else { return Ok(()) };
    let standing = Standing {
        plan: number,
        generation: plan.names().generation,
        step: 0,
        steps: plan.steps(),
        state: Course::Goes,
        held: false,
        why: String::new(),
        since: None,
    };
    if has_ended {
        let end = ended_by(&plan, shown.number(Kind::Release));
        let standing = Standing { state: course(end), why: unknown(end), ..standing };
        show(shared, board, standing);
        return Ok(());
    }
    let gates = gates(shared, &plan);
    let rollout = Rollout::new(plan, gates, shared.clock.now_monotonic().saturating_duration_since(began));
    let mut driver = Driver { shared, board, rollout, standing, ended_because: None, began };
    tracing::info!(
        plan = number,
        generation = driver.standing.generation,
        "a rollout begins, or is taken over"
    );
    while driver.look().await {
        let mut shown = board.watch();
        let another = shown.wait_for(|shown| shown.plan.as_ref().is_none_or(|plan| plan.hash != hash));
        if tokio::time::timeout(LOOK, another).await.is_ok() {
            return Ok(());
        }
    }
    let at = Arc::clone(board);
    Ok(tokio::task::spawn_blocking(move || at.end(hash)).await??)
}

/// What the steps of a plan must pass.
fn gates(shared: &Shared, plan: &Plan) -> Gates {
    let gates = (**shared.gates.load()).clone();
    if plan.is_express() { gates.express() } else { gates }
}

/// One rollout, as it is driven.
struct Driver<'a> {
    shared: &'a Shared,
    board: &'a Arc<Board>,
    rollout: Rollout,
    standing: Standing,
    /// Why this hub ended it.
    ended_because: Option<String>,
    /// Since when hosts are heard.
    began: Instant,
}

impl Driver<'_> {
    /// Looks once, and does what is to be done; whether it goes on.
    async fn look(&mut self) -> bool {
        let moment = self.shared.clock.now_monotonic();
        let now = moment.saturating_duration_since(self.began);
        let release = self.board.watch().borrow().released();
        let newest = release.as_ref().map_or(0, |release| release.sequence);
        let plan = self.rollout.plan();
        let is_foreign = |newest: u64| newest >= plan.first() && newest <= plan.last();
        let verdict = match &release {
            // An admin's own, with a number that the plan had.
            Some(release) if is_foreign(newest) && !plan.holds(release) => Verdict::Over(End::Overtaken),
            _ => {
                let heard = self.board.fleet.all();
                let word = |heard: &'_ super::fleet::Word| heard.age(moment);
                let words: Vec<_> =
                    heard.iter().map(|heard| Word { status: &heard.status, age: word(heard) }).collect();
                self.rollout.look(newest, &words, now, now)
            }
        };
        self.standing.step = self.rollout.step();
        let goes = match verdict {
            Verdict::Hold(why) => {
                self.say(Course::Goes, why);
                true
            }
            Verdict::Publish { sequence, octets, why } => {
                self.publish(sequence, octets, why).await;
                true
            }
            Verdict::Over(end) => {
                self.over(end);
                false
            }
        };
        show(self.shared, self.board, self.standing.clone());
        goes
    }

    /// Publishes a release of the plan. If it is not taken, the next look tries again, or sees what was taken
    /// instead.
    async fn publish(&mut self, sequence: u64, octets: Vec<u8>, why: String) {
        let is_end = sequence >= self.rollout.plan().first().saturating_add(self.standing.steps as u64);
        match push(self.shared, self.board, Brought::Release(Bytes::from(octets))).await {
            Ok(_) if is_end => {
                tracing::error!(sequence, generation = self.standing.generation, why, "a rollout is ended");
                self.ended_because = Some(why);
            }
            Ok(_) => {
                tracing::info!(sequence, generation = self.standing.generation, why, "a rollout goes on");
                (self.standing.held, self.standing.why) = (false, why);
            }
            Err(error) => {
                self.say(Course::Goes, format!("{why}: the release {sequence} is not taken: {error}"));
            }
        }
    }

    fn over(&mut self, end: End) {
        (self.standing.state, self.standing.held) = (course(end), false);
        // Another hub, or an admin, may have ended it otherwise than this one wished.
        let because = self.ended_because.take().filter(|_| matches!(end, End::Halted | End::Undone));
        self.standing.why = because.unwrap_or_else(|| unknown(end));
        tracing::info!(generation = self.standing.generation, why = self.standing.why, %end, "a rollout is over");
    }

    fn say(&mut self, state: Course, why: String) {
        let held = !why.starts_with("all is well");
        // What only counts seconds is no news for a log.
        if self.standing.why != why && held {
            tracing::info!(generation = self.standing.generation, why, "a rollout is held");
        }
        (self.standing.state, self.standing.held, self.standing.why) = (state, held, why);
    }
}

/// Shows where a rollout stands, and since when it is so.
fn show(shared: &Shared, board: &Board, standing: Standing) {
    let place = |standing: &Standing| (standing.plan, standing.step, standing.word());
    let before = board.standing.borrow().clone().filter(|shown| place(shown) == place(&standing));
    let since = before.map_or_else(|| Some(shared.now()), |shown| shown.since);
    let standing = Standing { since, ..standing };
    shared.metrics.set_rollout(board.environment(), &standing);
    board.standing.send_if_modified(|shown| {
        let next = Some(standing);
        let differs = *shown != next;
        *shown = next;
        differs
    });
}

/// How one ended that is over, by the newest release.
fn ended_by(plan: &Plan, newest: u64) -> End {
    match newest {
        _ if newest > plan.last() => End::Overtaken,
        _ if newest == plan.last() => End::Undone,
        _ if newest + 1 == plan.last() => End::Halted,
        _ => End::Complete,
    }
}

/// What is said of an end that this hub did not make.
fn unknown(end: End) -> String {
    match end {
        End::Complete | End::Overtaken => end.to_string(),
        End::Halted | End::Undone => "the hub that ended it says why in its log, or an admin did".to_owned(),
    }
}

fn course(end: End) -> Course {
    match end {
        End::Complete => Course::Complete,
        End::Halted => Course::Halted,
        End::Undone => Course::Undone,
        End::Overtaken => Course::Overtaken,
    }
}

#[cfg(test)]
mod tests;
