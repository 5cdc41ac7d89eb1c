//! The life of a process from its first task to its exit: ready → (reload)… → drain → end.
//!
//! On the first wish to end: accept loops return, sessions end, essential tasks follow, each within the
//! deadline; helpers (the probes' pages, the watchdog) are dropped last. An essential task that dies early
//! starts the same drain and makes the end a failure.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::drain::{Drain, Drained};
use crate::readiness::{Readiness, Ready};
use crate::reload::{Reloaded, Reloads, Wishers};
use crate::service::ServiceManager;
use crate::signal::{Wish, Wishes};
use crate::supervise::{Supervisor, TaskDied};

/// What a daemon's `lib.rs` holds, and hands to its rooms piece by piece.
#[derive(Debug)]
pub struct Process {
    /// The wish to end, for every room.
    pub drain: Drain,
    /// What must be true before traffic may come.
    pub readiness: Readiness,
    /// systemd, or nobody.
    pub service: ServiceManager,
    /// The long-lived tasks.
    pub tasks: Supervisor,
    /// What came of new settings.
    pub reloads: Reloads,
    wishers: Wishers,
}

/// The process did not end well: exit with a status that is not zero.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// A task died; the rest was drained.
    #[error(transparent)]
    TaskDied(#[from] TaskDied),
    /// A second signal asked for the end at once.
    #[error("ended at once by a second signal, with {open} sessions open")]
    Hurried {
        /// Sessions that were cut.
        open: usize,
    },
    /// The sessions are gone, but these tasks do not end.
    #[error("these tasks did not end in time: {0}")]
    Stuck(String),
}

impl Process {
    /// A process without tasks; the watchdog's pings are the first.
    #[must_use]
    pub fn new(service: ServiceManager) -> Self {
        let drain = Drain::new();
        let mut tasks = Supervisor::new(drain.clone());
        let manager = service.clone();
        tasks.helper("watchdog", async move { manager.keep_alive().await });
        let (reloads, wishers) = Reloads::new();
        Self { readiness: Readiness::new(drain.clone()), drain, service, tasks, reloads, wishers }
    }

    /// Lives until the end: tells the service manager, calls `reload` at every SIGHUP and whenever the operator's
    /// tool asks, and drains for at most `deadline` when asked to, or when an essential task dies. A reload may set
    /// another deadline ([`Drain::set_deadline`]).
    ///
    /// `reload` returns the settings that take a restart. Its error is told and logged; the settings that hold are
    /// the ones that held before.
    pub async fn run<R, F, E>(
        mut self,
        mut wishes: Wishes,
        deadline: Duration,
        mut reload: R,
    ) -> Result<Drained, ProcessError>
    where
        R: FnMut() -> F,
        F: Future<Output = Result<Vec<String>, E>>,
        E: fmt::Display,
    {
        self.drain.set_deadline(deadline);
        let death = self.live(&mut wishes, &mut reload).await;
        let end = tokio::select! {
            biased;
            () = hurried(&mut wishes) => Err(ProcessError::Hurried { open: self.drain.open() }),
            end = end(&self.drain, &self.service, &mut self.tasks) => end,
        };
        self.tasks.stop().await;
        match death {
            Some(death) => Err(death.into()),
            None => end,
        }
    }

    /// From start to the wish to end; a death is what brought it, if one did.
    async fn live<R, F, E>(&mut self, wishes: &mut Wishes, reload: &mut R) -> Option<TaskDied>
    where
        R: FnMut() -> F,
        F: Future<Output = Result<Vec<String>, E>>,
        E: fmt::Display,
    {
        let mut changes = self.readiness.changes();
        let mut told = Told::default();
        loop {
            told.tell(&self.readiness.now(), &self.service);
            let has_essentials = self.tasks.essentials().next().is_some();
            tokio::select! {
                biased;
                death = self.tasks.next_death(), if has_essentials => {
                    if death.is_some() || self.drain.started() {
                        return death;
                    }
                }
                () = self.drain.wait_started() => return None,
                wish = wishes.next() => match wish {
                    Wish::Drain | Wish::Exit => return None,
                    Wish::Reload => drop(self.reload(reload).await),
                },
                Some(wisher) = self.wishers.recv() => {
                    let reloaded = self.reload(reload).await;
                    // Who does not wait any more has the log.
                    let _gone = wisher.send(reloaded);
                }
                // The sender lives in `self.readiness`.
                _ = changes.changed() => {}
            }
        }
    }

    async fn reload<R, F, E>(&self, reload: &mut R) -> Reloaded
    where
        R: FnMut() -> F,
        F: Future<Output = Result<Vec<String>, E>>,
        E: fmt::Display,
    {
        self.service.reloading();
        let reloaded = self.reloads.tell(reload().await.map_err(|error| error.to_string()));
        self.service.ready(&self.readiness.now().to_string());
        reloaded
    }
}

/// Sessions first, then the essential tasks.
async fn end(
    drain: &Drain,
    service: &ServiceManager,
    tasks: &mut Supervisor,
) -> Result<Drained, ProcessError> {
    drain.begin();
    let open = drain.open();
    tracing::info!(sessions = open, "draining");
    service.stopping(&format!("draining {open} sessions"));

    let drained = drain.finished(drain.deadline()).await;
    match drained {
        Drained::Whole => tracing::info!("every session ended"),
        Drained::Cut(sessions) => tracing::warn!(sessions, "sessions were cut at the deadline"),
    }
    match tokio::time::timeout(TASKS_TIME, tasks.next_death()).await {
        Ok(None) => Ok(drained),
        Ok(Some(death)) => Err(death.into()),
        Err(_elapsed) => Err(ProcessError::Stuck(tasks.essentials().collect::<Vec<_>>().join(", "))),
    }
}

/// Any signal to end, once the drain has begun, is the second one.
async fn hurried(wishes: &mut Wishes) {
    while wishes.next().await == Wish::Reload {}
}

/// How long the essential tasks may take once no session is left: a last flush, not more.
const TASKS_TIME: Duration = Duration::from_secs(10);

/// What the service manager was told last.
#[derive(Default)]
struct Told {
    ready: bool,
    last: Option<Ready>,
}

impl Told {
    fn tell(&mut self, now: &Ready, service: &ServiceManager) {
        if self.last.as_ref() == Some(now) {
            return;
        }
        let status = now.to_string();
        tracing::info!(%status);
        // READY=1 ends the start-up, once; later changes are told as a status.
        if *now == Ready::Yes && !std::mem::replace(&mut self.ready, true) {
            service.ready(&status);
        } else {
            service.status(&status);
        }
        self.last = Some(now.clone());
    }
}

#[cfg(test)]
mod tests;
