//! Named tasks whose early end is an event: an essential one that returns, fails or panics while nobody asked
//! for the end takes the process with it (fail-stop), so that the service manager starts a whole one.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use tokio::task::{Id, JoinSet};

use crate::drain::Drain;

/// All long-lived tasks of a process.
#[derive(Debug)]
pub struct Supervisor {
    drain: Drain,
    tasks: JoinSet<Result<(), String>>,
    known: HashMap<Id, (&'static str, Weight)>,
}

/// What the end of a task means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Without it the process is of no use.
    Essential,
    /// Its good end is no event.
    Helper,
}

/// A task ended that should not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the task `{name}` {how}")]
pub struct TaskDied {
    /// The name it was started under.
    pub name: &'static str,
    /// In which way it ended.
    pub how: HowItEnded,
}

/// In which way a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HowItEnded {
    /// It returned, though nobody asked the process to end.
    Returned,
    /// It gave up, and says why.
    Failed(String),
    /// A fault in the program.
    Panicked(String),
}

/// What a task may return: nothing, or whether it went well.
pub trait Outcome {
    /// The reason, if it did not go well.
    fn outcome(self) -> Result<(), String>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: fmt::Display> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

impl Supervisor {
    /// Nobody to watch yet.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self { drain, tasks: JoinSet::new(), known: HashMap::new() }
    }

    /// Starts a task the process is of no use without: it may end well only while the process drains, and then
    /// it must.
    pub fn essential<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.start(name, Weight::Essential, task);
    }

    /// Starts a task that may end well at any time, or never: at the end it is dropped. It too must not fail.
    pub fn helper<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        self.start(name, Weight::Helper, task);
    }

    fn start<F>(&mut self, name: &'static str, weight: Weight, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let id = self.tasks.spawn(async move { task.await.outcome() }).id();
        self.known.insert(id, (name, weight));
    }

    /// Waits for the next task to die; `None` when no essential one is left and all of them ended well.
    /// Safe to drop at any point.
    pub async fn next_death(&mut self) -> Option<TaskDied> {
        while self.essentials().next().is_some() {
            let ended = self.tasks.join_next_with_id().await?;
            let (id, how) = match ended {
                Ok((id, Ok(()))) => (id, HowItEnded::Returned),
                Ok((id, Err(reason))) => (id, HowItEnded::Failed(reason)),
                Err(error) => (error.id(), HowItEnded::Panicked(error.to_string())),
            };
            let Some((name, weight)) = self.known.remove(&id) else { continue };
            let well = how == HowItEnded::Returned && (weight == Weight::Helper || self.drain.started());
            if well {
                tracing::debug!(task = name, "task ended");
                continue;
            }
            tracing::error!(task = name, %how, "task died");
            return Some(TaskDied { name, how });
        }
        None
    }

    /// The names of the essential tasks that still run.
    pub fn essentials(&self) -> impl Iterator<Item = &'static str> {
        self.known.values().filter(|(_, weight)| *weight == Weight::Essential).map(|(name, _)| *name)
    }

    /// Ends every task at its next await and waits for that.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl fmt::Display for HowItEnded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned => formatter.write_str("returned though nobody asked"),
            Self::Failed(reason) => write!(formatter, "failed: {reason}"),
            Self::Panicked(reason) => write!(formatter, "hit a fault in the program: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn died(name: &'static str, how: HowItEnded) -> Option<TaskDied> {
        Some(TaskDied { name, how })
    }

    #[tokio::test]
    async fn an_early_end_is_an_event_with_a_name() {
        let mut tasks = Supervisor::new(Drain::new());
        tasks.essential("accept", async {});
        assert_eq!(tasks.next_death().await, died("accept", HowItEnded::Returned));
        tasks.essential("spool", async { Err("disk is gone") });
        let death = tasks.next_death().await.unwrap();
        assert_eq!(death.to_string(), "the task `spool` failed: disk is gone");
    }

    #[tokio::test]
    async fn a_panic_is_a_death_whoever_dies() {
        let mut tasks = Supervisor::new(Drain::new());
        tasks.essential("accept", std::future::pending::<()>());
        tasks.helper("watch", async { assert_eq!(1 + 1, 3, "never") });
        let death = tasks.next_death().await.unwrap();
        assert_eq!(death.name, "watch");
        assert!(matches!(&death.how, HowItEnded::Panicked(reason) if reason.contains("never")), "{death}");
    }

    #[tokio::test]
    async fn a_drain_makes_good_ends_good_but_no_failure() {
        let drain = Drain::new();
        let mut tasks = Supervisor::new(drain.clone());
        let waits = drain.clone();
        tasks.helper("quick", async {});
        tasks.helper("slow", std::future::pending::<()>());
        assert_eq!(tasks.next_death().await, None, "nobody essential");
        tasks.essential("accept", async move { waits.wait_started().await });
        tasks.essential("spool", async { Err("cannot flush") });
        drain.begin();
        assert_eq!(tasks.next_death().await, died("spool", HowItEnded::Failed("cannot flush".into())));
        assert_eq!(tasks.next_death().await, None, "the drain asked for it");
        assert_eq!(tasks.essentials().count(), 0);
    }

    #[tokio::test]
    async fn stopping_drops_what_still_runs() {
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let mut tasks = Supervisor::new(Drain::new());
        tasks.helper("sleeper", async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        tasks.stop().await;
        assert!(dropped.await.is_err());
    }
}
