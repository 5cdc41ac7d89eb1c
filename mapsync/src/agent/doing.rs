//! What the agent's life is told to do: what follows at once, and what is begun and told about later.

use std::collections::VecDeque;
use std::sync::Arc;

use switchyard_config::reference::Change;
use switchyard_mapsync_protocol::agent::{Action, Asked, Input};
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::status::State;
use tokio::time::{Duration, Instant, sleep};

use super::deaths::Watched;
use super::disk::{DiskError, set_name};
use super::ears::backoff;
use super::fetch::fetch;
use super::hubs::Hubs;
use super::life::{Done, Life};
use super::services::{Followed, Left, Served, follow};
use super::stage::{Means, Set, stage};
use crate::client::ClientError;

impl Life {
    /// Says what happened, and does what follows.
    pub(super) async fn told(&mut self, input: Input<'_>) {
        let mut actions = VecDeque::from(self.handle(input));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Keep(octets) => {
                    if !self.keep(&octets).await {
                        return;
                    }
                }
                Action::Flip { to, back } => {
                    let flipped = self.flip(to, back);
                    actions.extend(self.handle(Input::Flipped(flipped)));
                }
                other => self.begin_to(other),
            }
        }
        self.show_next();
        self.tell();
    }

    /// Daemons ask the set that waits for its release beside the one in use: what it would change shows before.
    fn show_next(&self) {
        let progress = self.agent.progress();
        let waits = progress.wanted.filter(|_| progress.state == State::Staged).as_ref().map(set_name);
        if let Err(error) = self.own.disk.show_next(waits.as_deref()) {
            tracing::warn!(%error, "daemons do not see what is to come");
        }
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<Action> {
        self.agent.handle(input, self.now(), fastrand::u64(..))
    }

    /// What takes its time is begun; how it went is told later.
    fn begin_to(&mut self, action: Action) {
        match action {
            Action::AskRoot { hub, version } => self.ask(hub, Asked::Root(version)),
            Action::AskHead { hub, head } => self.ask(hub, Asked::Head(head)),
            Action::AskAgain { hub } => self.ears.anew(hub),
            Action::Fetch { hub, file, base } => {
                let from = (Arc::clone(&self.own.disk), Arc::clone(&self.hubs));
                let metrics = self.own.metrics.clone();
                self.jobs.spawn(async move {
                    let delta = base.is_some();
                    let outcome = fetch(from, hub, file.clone(), base, metrics).await;
                    Done::Fetched { hub, file, delta, outcome }
                });
            }
            Action::Stage(set) => {
                let means = Means {
                    disk: Arc::clone(&self.own.disk),
                    hubs: Arc::clone(&self.hubs),
                    host: self.own.name.clone(),
                    metrics: self.own.metrics.clone(),
                };
                self.staging.spawn(stage(means, *set));
            }
            Action::Remove(head) => self.not_done(self.own.disk.remove(&set_name(&head))),
            Action::Tidy(but) => self.not_done(self.own.disk.tidy(&but)),
            Action::Refused { hub, what, why } => {
                tracing::debug!(hub = self.hubs.address(hub), what, why, "not taken");
                self.own.metrics.refused.with_label_values(&[what, why]).inc();
            }
            // One end serves all who rest: what is tried too early rests again.
            Action::Rest(time) => {
                let end = Instant::now().checked_add(time);
                self.rest = [self.rest, end].into_iter().flatten().min();
            }
            // Every word follows what was done: `tell` says it.
            Action::Keep(_) | Action::Flip { .. } | Action::Report => {}
        }
    }

    /// Whether it is durable; before that nothing goes on, but for the end.
    async fn keep(&self, octets: &[u8]) -> bool {
        loop {
            match self.own.disk.keep_state(octets) {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "nothing is done before it is written down"),
            }
            tokio::select! {
                () = self.own.end.cancelled() => return false,
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Asks a hub for one message, until it says that it has none.
    pub(super) fn ask(&mut self, hub: usize, asked: Asked) {
        if !self.asking.insert((hub, asked)) {
            return;
        }
        let hubs = Arc::clone(&self.hubs);
        self.jobs.spawn(async move {
            let mut failures = 0;
            loop {
                let error = match one(&hubs, hub, asked).await {
                    Ok(octets) => return Done::Asked { hub, asked, octets: Some(octets) },
                    Err(error) => error,
                };
                tracing::debug!(%error, ?asked, "not shown");
                if error.status.is_some_and(|status| status.is_client_error()) {
                    return Done::Asked { hub, asked, octets: None };
                }
                failures += 1;
                sleep(backoff(failures)).await;
            }
        });
    }

    /// From here on daemons read another set.
    fn flip(&mut self, to: HeadRef, back: bool) -> Result<(), String> {
        let name = set_name(&to);
        self.own.disk.flip(&name).map_err(|error| error.to_string())?;
        self.own.metrics.flips.with_label_values(&[if back { "back" } else { "forward" }]).inc();
        if back {
            tracing::error!(
                generation = to.generation,
                set = name,
                "in use again: the newer one is given up"
            );
        } else {
            tracing::info!(generation = to.generation, set = name, "in use");
        }
        let before = std::mem::replace(&mut self.set, Set::read(&self.own.disk.set(&name)).ok());
        if let Some((before, set)) = before.zip(self.set.as_ref()) {
            let [old, new] = [before.name, to].map(|head| self.own.disk.set(&set_name(&head)));
            let served = Served {
                host: self.own.name.clone(),
                daemon: set.daemon.clone(),
                old,
                new,
                current: self.own.disk.current(),
                allowed: self.services,
            };
            // Mail does not wait for it, and neither do we.
            self.jobs.spawn(async move {
                let followed = tokio::task::spawn_blocking(move || follow(&served)).await;
                Done::Followed(followed.unwrap_or(Followed::Same))
            });
        }
        self.look_after();
        Ok(())
    }

    /// What its settings asked of the daemon was done, or is left to people.
    pub(super) fn followed(&mut self, followed: Followed) {
        let control = self.set.as_ref().and_then(|set| set.control.as_deref());
        match followed {
            Followed::Same => {}
            Followed::Asked(needs) => {
                // A reload does not make up for a restart that was left before.
                self.own.left.take_if(|left| needs == Change::Restart || !left.needs_restart());
            }
            Followed::Left { needs, what } => self.own.left = Some(Left::new(needs, what, control)),
        }
        // Where it is never seen that the daemon has started anew, it is said by this agent alone.
        Left::keep(self.own.left.as_ref().filter(|_| control.is_some()), self.own.disk.folder());
    }

    /// The daemon of the set in use is looked after.
    pub(super) fn look_after(&self) {
        let watched = self.set.as_ref().map(|set| Watched {
            daemon: set.daemon.clone(),
            control: set.control.clone(),
            metrics: set.metrics,
            settings: self.own.disk.current().join(format!("{}.toml", set.daemon)),
            set: set.name,
        });
        self.watched.send_if_modified(|before| std::mem::replace(before, watched.clone()) != watched);
    }

    pub(super) fn not_done(&self, done: Result<(), DiskError>) {
        if let Err(error) = done {
            tracing::warn!(%error, "not cleared away");
        }
    }
}

async fn one(hubs: &Hubs, hub: usize, asked: Asked) -> Result<Vec<u8>, ClientError> {
    let mut lent = hubs.ask(hub).await?;
    let octets = match asked {
        Asked::Root(version) => lent.hub.root(version).await?,
        Asked::Head(head) => lent.hub.head(head.generation).await?,
    };
    lent.give_back();
    Ok(octets)
}

/// Until what could not be written down is written again.
const PAUSE: Duration = Duration::from_secs(2);
