//! The agent's life: hears hubs, takes what is signed and newer, has it ready, and flips when a release says so.
//!
//! Whatever it takes it writes down before it acts. With no hub to hear it stays where it is: no clock moves it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rustls::ClientConfig;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::readiness::Condition;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::head::Head;
use switchyard_mapsync_protocol::trust::{HeadRef, Refused, Taken};
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::disk::{Disk, DiskError, set_name};
use super::ears::{self, Heard};
use super::host;
use super::kept::{Kept, KeptError, Unfit};
use super::metrics::Metrics;
use super::stage::{Set, StageError, stage};
use crate::client::{ClientError, Hub, Newest};

/// How hubs are reached, and how many sets are kept: what may change while we live.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    pub(super) hubs: Vec<String>,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) keep: usize,
}

/// An agent that lives.
pub(super) struct Life {
    pub(super) disk: Disk,
    pub(super) kept: Kept,
    pub(super) host: String,
    pub(super) environment: Environment,
    pub(super) clock: Clock,
    pub(super) metrics: Metrics,
    /// Met as soon as a set is in use.
    pub(super) in_use: Condition,
    /// For questions about what the ears heard.
    pub(super) hubs: Vec<Hub>,
    pub(super) keep: usize,
    /// What could not be taken for a reason that passes: the last of each kind and hub.
    pub(super) later: Vec<Heard>,
    /// When what could not be done is tried again.
    pub(super) again: Option<Instant>,
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Kept(#[from] KeptError),
    #[error(transparent)]
    Hub(#[from] ClientError),
}

impl NotTaken {
    /// Whether the same may be taken later: a hub or the disk failed, or the clocks are apart.
    fn passes(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::Kept(_) | Self::Refused(Refused::Future { .. }))
    }
}

impl Life {
    /// Lives until the end is wished.
    pub(super) async fn live(mut self, mut reach: watch::Receiver<Reach>, end: CancellationToken) {
        loop {
            let now = reach.borrow_and_update().clone();
            self.keep = now.keep;
            let hub =
                |address: &String| Hub::new(address.clone(), self.environment.clone(), Arc::clone(&now.tls));
            self.hubs = now.hubs.iter().map(hub).collect();
            // It says by which of the hubs before it came.
            self.later.clear();
            let (to, mut heard) = mpsc::channel(HEARD);
            // Dropped with this round: who listens to a hub of old hears no more.
            let mut ears = JoinSet::new();
            for (place, address) in now.hubs.iter().enumerate() {
                for what in [Newest::Root, Newest::Head, Newest::Release] {
                    let (environment, tls) = (self.environment.clone(), Arc::clone(&now.tls));
                    ears.spawn(ears::listen(place, address.clone(), what, environment, tls, to.clone()));
                }
            }
            drop(to);
            self.act(0).await;
            loop {
                tokio::select! {
                    () = end.cancelled() => return,
                    Ok(()) = reach.changed() => break,
                    Some(heard) = heard.recv() => self.hear(heard).await,
                    () = sleep(TICK) => self.tick().await,
                }
            }
        }
    }

    async fn hear(&mut self, heard: Heard) {
        let (hub, what) = (heard.hub, heard.what);
        self.later.retain(|later| (later.hub, later.what) != (hub, what));
        match self.take(hub, what, &heard.octets).await {
            Ok(()) => self.act(hub).await,
            Err(error) => {
                let kind = match what {
                    Newest::Root => "root",
                    Newest::Head => "head",
                    Newest::Release => "release",
                };
                tracing::warn!(kind, %error, hub = self.hubs.get(hub).map(Hub::address), "not taken");
                self.metrics.refused.with_label_values(&[kind]).inc();
                if error.passes() {
                    // The hub shows it once; it is here that it waits.
                    self.later.push(heard);
                    self.try_again();
                }
            }
        }
    }

    async fn tick(&mut self) {
        if self.again.is_some_and(|again| again <= self.clock.now_monotonic()) {
            self.again = None;
            for heard in std::mem::take(&mut self.later) {
                self.hear(heard).await;
            }
            self.act(fastrand::usize(..self.hubs.len().max(1))).await;
        }
        self.tell();
    }

    /// Takes a message, and what it needs to be taken: the roots before it, or the head that it names.
    async fn take(&mut self, hub: usize, what: Newest, octets: &[u8]) -> Result<(), NotTaken> {
        match self.take_this(what, octets) {
            Err(NotTaken::Refused(
                Refused::TooFewSignatures { .. }
                | Refused::Expired { what: "root", .. }
                | Refused::RootStep { .. },
            )) => {
                self.follow_roots(hub).await?;
                self.take_this(what, octets)
            }
            // A host that was away has not seen every head.
            Err(NotTaken::Refused(Refused::UnknownHead(head))) => {
                let head = self.hub(hub)?.head(head.generation).await?;
                self.take_release(octets, Some(&head))
            }
            Err(NotTaken::Refused(Refused::Fork { what: "generation", number })) => {
                // Two were signed, so neither is taken: an admin has to look.
                let mut kept = self.kept.clone();
                kept.trusted.distrust(number);
                kept.keep(&self.disk)?;
                self.kept = kept;
                Err(Refused::Fork { what: "generation", number }.into())
            }
            taken => taken,
        }
    }

    /// Checked, then written down, then ours.
    fn take_this(&mut self, what: Newest, octets: &[u8]) -> Result<(), NotTaken> {
        let (now, mut kept) = (self.now(), self.kept.clone());
        let is_new = match what {
            Newest::Root => matches!(kept.trusted.accept_root(octets)?, Taken::New(())),
            Newest::Head => matches!(kept.trusted.accept_head(octets, now)?, Taken::New(_)),
            Newest::Release => return self.take_release(octets, None),
        };
        if is_new {
            kept.keep(&self.disk)?;
            self.kept = kept;
        }
        Ok(())
    }

    /// The same for a release, if need be with the head that it names.
    fn take_release(&mut self, octets: &[u8], head: Option<&[u8]>) -> Result<(), NotTaken> {
        let (now, mut kept) = (self.now(), self.kept.clone());
        let taken = match head {
            None => kept.trusted.accept_release(octets, now)?,
            Some(head) => kept.trusted.accept_release_with(octets, head, now)?,
        };
        let is_new = matches!(taken, Taken::New(_)) || kept.release.is_none();
        if is_new {
            let (Taken::New(release) | Taken::Known(release)) = taken;
            kept.release = Some((release, octets.to_vec()));
            kept.keep(&self.disk)?;
            self.kept = kept;
        }
        Ok(())
    }

    /// One root after the other, up to the hub's newest.
    async fn follow_roots(&mut self, hub: usize) -> Result<(), NotTaken> {
        for _ in 0..MAX_ROOTS {
            let next = self.kept.trusted.root().version.saturating_add(1);
            let Ok(root) = self.hub(hub)?.root(next).await else { return Ok(()) };
            self.take_this(Newest::Root, &root)?;
        }
        Ok(())
    }

    fn hub(&mut self, place: usize) -> Result<&mut Hub, ClientError> {
        let gone =
            || ClientError { hub: "of before".into(), status: None, why: "is not asked any more".into() };
        self.hubs.get_mut(place).ok_or_else(gone)
    }

    /// Brings about what is wanted, as far as that goes now.
    async fn act(&mut self, hub: usize) {
        let (due, newest) = (self.kept.due(&self.host, self.now()), self.kept.trusted.newest());
        for head in [due, newest].into_iter().flatten() {
            if !self.disk.has(&set_name(&head)) && !self.kept.is_unfit(&head) {
                self.make_ready(hub, head).await;
            }
        }
        // Making it ready took its time, and the release may be out of it.
        if let Some(head) = self.kept.due(&self.host, self.now())
            && self.disk.has(&set_name(&head))
            && self.disk.in_use().as_deref() != Some(&set_name(&head))
        {
            match self.flip(&head) {
                Ok(()) => {}
                Err(error) => self.failed(&error),
            }
        }
        self.tidy();
        self.tell();
    }

    async fn make_ready(&mut self, first: usize, at: HeadRef) {
        let start = self.clock.now_monotonic();
        let count = self.hubs.len();
        for hub in (first..count).chain(0..first.min(count)) {
            let done = match self.head(hub, at).await {
                Ok(head) => {
                    let Ok(_) = self.hub(hub) else { continue };
                    let Some(hub) = self.hubs.get_mut(hub) else { continue };
                    stage(&self.disk, &head, at, &self.host, hub).await
                }
                Err(error) => Err(StageError::Hub(error)),
            };
            match done {
                Ok(()) => {
                    let took = self.clock.now_monotonic().saturating_duration_since(start);
                    self.metrics.stage_seconds.observe(took.as_secs_f64());
                    tracing::info!(
                        generation = at.generation,
                        seconds = took.as_secs_f64(),
                        "a set is ready"
                    );
                    return;
                }
                // Another hub may have it.
                Err(StageError::Hub(error)) => self.failed(&error),
                Err(StageError::Unfit(unfit)) => return self.refuse(at, unfit.to_string()),
                Err(error) => return self.failed(&error),
            }
        }
    }

    /// The head itself; its hash was taken, so whoever shows it, it is the one.
    async fn head(&mut self, hub: usize, at: HeadRef) -> Result<Head, ClientError> {
        let hub = self.hub(hub)?;
        let octets = hub.head(at.generation).await?;
        let signed = Signed::from_json(&octets).ok().filter(|signed| signed.hash() == at.hash);
        let head = signed.and_then(|signed| signed.read().ok());
        let why = format!("shows another head for generation {}", at.generation);
        head.ok_or_else(|| ClientError { hub: hub.address().to_owned(), status: None, why })
    }

    /// From here on daemons read the new set.
    fn flip(&mut self, head: &HeadRef) -> Result<(), DiskError> {
        let before = self.disk.in_use().map(|name| self.disk.set(&name));
        let (name, after) = (set_name(head), self.disk.set(&set_name(head)));
        self.disk.flip(&name)?;
        self.metrics.flips.inc();
        tracing::info!(generation = head.generation, set = name, "in use");
        self.in_use.met();
        if let Some(before) = before {
            match host::changes(&before, &after, &self.host, &self.disk.current()) {
                Ok(changes) => {
                    for change in changes {
                        let (setting, needs) = (change.path, change.change.to_string());
                        tracing::warn!(
                            setting,
                            needs,
                            "a setting is another now, and the daemon has not read it yet"
                        );
                    }
                }
                Err(error) => tracing::warn!(%error, "what changed of the settings cannot be told"),
            }
        }
        Ok(())
    }

    /// Removes old sets; the one in use, the one that is wanted and the newest stay.
    fn tidy(&mut self) {
        let (wanted, newest) = (self.kept.wanted(&self.host), self.kept.trusted.newest());
        let needed: Vec<String> = [wanted, newest].iter().flatten().map(set_name).collect();
        let needed: Vec<&str> = needed.iter().map(String::as_str).collect();
        if let Err(error) = self.disk.sweep(self.keep, &needed) {
            self.failed(&error);
        }
    }

    fn refuse(&mut self, head: HeadRef, why: String) {
        tracing::error!(
            generation = head.generation,
            why,
            "this host cannot run by it, and stays where it is"
        );
        self.metrics.refused.with_label_values(&["set"]).inc();
        self.kept.refuse(Unfit { head, why });
        if let Err(error) = self.kept.keep(&self.disk) {
            self.failed(&error);
        }
    }

    /// Something to be tried again.
    fn failed(&mut self, error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "not done yet");
        self.try_again();
    }

    fn try_again(&mut self) {
        let wait = AGAIN.mul_f64(0.5 + fastrand::f64());
        self.again = self.clock.now_monotonic().checked_add(wait);
    }

    /// What the gauges show.
    fn tell(&self) {
        let set = |state, generation: Option<u64>| {
            let generation = i64::try_from(generation.unwrap_or_default()).unwrap_or(i64::MAX);
            self.metrics.generation.with_label_values(&[state]).set(generation);
        };
        let newest = self.kept.trusted.newest();
        let wanted = self.kept.wanted(&self.host);
        set("wanted", wanted.map(|head| head.generation));
        set("staged", newest.filter(|head| self.disk.has(&set_name(head))).map(|head| head.generation));
        let in_use = self.disk.in_use().and_then(|name| Set::read(&self.disk.set(&name)).ok());
        set("active", in_use.as_ref().map(|set| set.head.generation));
        self.metrics.unfit.set(newest.is_some_and(|head| self.kept.is_unfit(&head)).into());
        if let Some(in_use) = in_use {
            let now = self.now();
            self.metrics.age.set(now.0.saturating_sub(in_use.created.0) as f64);
            self.metrics.expired.set((now >= in_use.expires).into());
            self.in_use.met();
        }
    }

    fn now(&self) -> Timestamp {
        let since = self.clock.now_wall().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp(since.unwrap_or_default().as_secs())
    }
}

/// Messages that wait to be taken; who hears more waits.
const HEARD: usize = 16;
/// How often the gauges are looked after.
const TICK: Duration = Duration::from_secs(5);
/// Until what failed is tried again, about.
const AGAIN: Duration = Duration::from_secs(10);
/// Roots that are followed in one go.
const MAX_ROOTS: usize = 64;
