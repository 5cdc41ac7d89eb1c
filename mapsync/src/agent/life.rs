//! The agent's life: tells the protocol's [`Agent`] what happens, and does what it answers.
//!
//! It decides nothing. What hubs show comes from the ears; questions, files and sets are jobs beside it, and `doing` begins
//! them. Whatever is to be kept is durable before anything that follows from it is done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ClientConfig;
use switchyard_config::Services;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::readiness::Condition;
use switchyard_mapsync_protocol::agent::{Agent, Alarm, Asked, Input, Kept, Outcome, Unfit};
use switchyard_mapsync_protocol::head::File;
use switchyard_mapsync_protocol::status::Status;
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use super::counts::{self, Mail, Pace};
use super::deaths::{self, Watched};
use super::disk::{Disk, DiskError, set_name};
use super::ears::{Ears, Heard};
use super::hubs::Hubs;
use super::metrics::Metrics;
use super::query::{Own, keep_answering};
use super::renew::renew;
use super::report::keep_telling;
use super::services::{Followed, Left};
use super::settle::settle_all_soon;
use super::stage::{self, Set};
use crate::client::Newest;

/// How hubs are reached, and how many sets are kept: what may change while we live.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) hubs: Vec<String>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) keep: usize,
    /// What may be asked of the service manager.
    pub(super) services: Services,
}

/// A host, and what it lives by.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: String,
    /// Where it stands.
    pub(super) site: String,
    pub(super) environment: Environment,
    pub(super) disk: Arc<Disk>,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// Met as soon as a set is in use.
    pub(super) in_use: Condition,
    pub(super) end: CancellationToken,
    /// Deaths of its daemon that were seen.
    pub(super) deaths: u64,
    /// What it did with mail since then.
    pub(super) mail: Mail,
    /// What the daemon still needs of people.
    pub(super) left: Option<Left>,
}

/// An agent that lives.
pub(super) struct Life {
    pub(super) own: Host,
    pub(super) agent: Agent,
    /// The set in use.
    pub(super) set: Option<Set>,
    pub(super) hubs: Arc<Hubs>,
    pub(super) ears: Ears,
    pub(super) jobs: JoinSet<Done>,
    pub(super) staging: JoinSet<Result<(), Unfit>>,
    /// Questions for single messages that are under way.
    pub(super) asking: BTreeSet<(usize, Asked)>,
    pub(super) rest: Option<Instant>,
    /// The daemon that is looked after.
    pub(super) watched: watch::Sender<Option<Watched>>,
    /// What is said to the hubs.
    pub(super) said: watch::Sender<Option<Status>>,
    /// What may be asked of the service manager.
    pub(super) services: Services,
    /// What was said to people.
    pub(super) alarms: Vec<Alarm>,
}

/// A job is done.
pub(super) enum Done {
    Asked { hub: usize, asked: Asked, octets: Option<Vec<u8>> },
    Fetched { hub: usize, file: File, delta: bool, outcome: Outcome },
    Followed(Followed),
}

/// Lives until the end is wished.
///
/// # Errors
/// When the disk does not show what is on it.
pub(super) async fn live(own: Host, kept: Kept, mut reach: watch::Receiver<Reach>) -> Result<(), DiskError> {
    let (mut own, mut kept) = (own, kept);
    renew(&own.disk, &own.name).await?;
    settle_all_soon(&own.disk)?;
    loop {
        let now = reach.borrow_and_update().clone();
        let mut life = Life::begin(own, kept, now)?;
        life.go_on(&mut reach).await;
        if life.own.end.is_cancelled() {
            return Ok(());
        }
        // Hubs of another setting are other hubs, so it begins anew; two never make sets at once.
        while life.staging.join_next().await.is_some() {}
        kept = life.agent.kept().clone();
        own = life.own;
    }
}

impl Life {
    fn begin(own: Host, kept: Kept, reach: Reach) -> Result<Self, DiskError> {
        let sets = stage::sets(&own.disk, &own.name)?;
        let in_use = own.disk.in_use();
        let set = sets.iter().find(|set| in_use.as_deref() == Some(&set_name(&set.name))).cloned();
        let hubs = Arc::new(Hubs::new(&reach.hubs, own.environment.clone(), reach.tls));
        let known = sets.into_iter().map(Set::into_known).collect();
        let active = set.as_ref().map(|set| set.name);
        let mut agent = Agent::start(own.name.clone(), hubs.count(), kept, known, active);
        agent.keep(reach.keep);
        let ears = Ears::open(Arc::clone(&hubs));
        let (watched, said) = (watch::Sender::new(None), watch::Sender::new(None));
        Ok(Self {
            own,
            agent,
            set,
            hubs,
            ears,
            jobs: JoinSet::new(),
            staging: JoinSet::new(),
            asking: BTreeSet::new(),
            rest: None,
            watched,
            said,
            services: reach.services,
            alarms: Vec::new(),
        })
    }

    /// Until other hubs are to be heard, or the end.
    async fn go_on(&mut self, reach: &mut watch::Receiver<Reach>) {
        let end = self.own.end.clone();
        // Dropped with this life.
        let mut beside = JoinSet::new();
        for hub in 0..self.hubs.count() {
            beside.spawn(keep_telling(Arc::clone(&self.hubs), hub, self.said.subscribe(), |_| {}));
        }
        let asked = Arc::new(Own::of(&self.own));
        for (hub, questions) in self.ears.questions() {
            let (hubs, said) = (Arc::clone(&self.hubs), self.said.subscribe());
            beside.spawn(keep_answering(Arc::clone(&asked), hubs, hub, questions, said));
        }
        let (dead, mut deaths) = mpsc::channel(1);
        beside.spawn(deaths::watch(self.watched.subscribe(), dead, self.own.metrics.seen.clone()));
        let (to, mut counts) = mpsc::channel(1);
        beside.spawn(counts::count(
            self.watched.subscribe(),
            to,
            self.own.metrics.counted.clone(),
            Pace::USUAL,
        ));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was begun before the start is gone on with.
        self.told(Input::Rested).await;
        self.look_after();
        loop {
            let rest = self.rest;
            tokio::select! {
                () = end.cancelled() => return,
                Ok(()) = reach.changed() => return,
                Some(heard) = self.ears.heard() => self.heard(heard).await,
                Some(done) = self.jobs.join_next() => {
                    if let Ok(done) = done {
                        self.done(done).await;
                    }
                }
                Some(staged) = self.staging.join_next() => {
                    let panicked = |error| Err(Unfit::Later(format!("making it ended early: {error}")));
                    self.staged(staged.unwrap_or_else(panicked)).await;
                }
                Some(()) = deaths.recv() => self.died().await,
                Some(counted) = counts.recv() => self.counted(counted),
                () = sleep_until(rest.unwrap_or_else(Instant::now)), if rest.is_some() => {
                    self.rest = None;
                    self.told(Input::Rested).await;
                }
                _ = tick.tick() => self.tell(),
            }
        }
    }

    async fn heard(&mut self, Heard { hub, what, number, octets }: Heard) {
        let input = match what {
            Newest::Root => {
                // Roots are followed one by one; a later one says only that there are more.
                let next = self.agent.trusted().root().version.saturating_add(1);
                match number {
                    _ if number < next => return,
                    _ if number > next => return self.ask(hub, Asked::Root(next)),
                    _ => Input::Root { hub, envelope: &octets },
                }
            }
            Newest::Head => Input::Head { hub, envelope: &octets },
            Newest::Release => Input::Release { hub, envelope: &octets },
            // Hubs go by plans, and hosts by releases alone.
            Newest::Plan => return,
        };
        self.told(input).await;
    }

    async fn done(&mut self, done: Done) {
        match done {
            Done::Fetched { hub, file, delta, outcome } => {
                self.told(Input::Fetched { hub, file: &file, delta, outcome }).await;
            }
            Done::Followed(followed) => {
                self.followed(followed);
                self.tell();
            }
            Done::Asked { hub, asked, octets } => {
                self.asking.remove(&(hub, asked));
                let input = match (asked, &octets) {
                    (asked, None) => Input::Lacks { hub, asked },
                    (Asked::Root(_), Some(envelope)) => Input::Root { hub, envelope },
                    (Asked::Head(_), Some(envelope)) => Input::Head { hub, envelope },
                };
                self.told(input).await;
            }
        }
    }

    async fn staged(&mut self, outcome: Result<(), Unfit>) {
        match &outcome {
            Ok(()) => {}
            Err(Unfit::Wrong(why)) => {
                tracing::error!(why, "this host cannot run by it, and stays where it is");
                self.own.metrics.refused.with_label_values(&["set", "unfit"]).inc();
            }
            Err(Unfit::Later(why)) => tracing::warn!(why, "not ready yet"),
        }
        if !matches!(outcome, Err(Unfit::Later(_))) {
            self.not_done(self.own.disk.clear_fetched());
        }
        self.told(Input::Staged(outcome)).await;
    }

    async fn died(&mut self) {
        tracing::warn!("the daemon that runs by the set in use ended by itself");
        self.own.deaths = self.own.deaths.saturating_add(1);
        self.own.metrics.deaths.inc();
        self.told(Input::Died).await;
    }

    pub(super) fn now(&self) -> Timestamp {
        let since = self.own.clock.now_wall().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp(since.unwrap_or_default().as_secs())
    }
}

/// How often the gauges are looked after.
const TICK: Duration = Duration::from_secs(5);
