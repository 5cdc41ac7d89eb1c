//! Whether traffic may come, and telling the service manager.
//!
//! Every room that must do something first (open a spool, load a set of maps) takes a [`Condition`] at birth
//! and meets it when done; it may take that back later, with a reason. The process is ready when all
//! conditions are met and it does not drain. `/readyz` shows the reasons; systemd hears of the first time.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::drain::Drain;

/// All conditions of a process. Clones share them.
#[derive(Debug, Clone)]
pub struct Readiness {
    drain: Drain,
    /// In the order they were made.
    conditions: Arc<Mutex<Vec<Held>>>,
    changed: watch::Sender<()>,
}

/// What is kept of one condition.
#[derive(Debug)]
struct Held {
    name: &'static str,
    /// Why it is unmet, while it is.
    reason: Option<String>,
}

/// The answer at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// Traffic may come.
    Yes,
    /// Not now, for these reasons.
    No(String),
}

impl Readiness {
    /// A process with nothing to wait for, until a room asks for a condition.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self { drain, conditions: Arc::default(), changed: watch::Sender::new(()) }
    }

    /// Adds a condition that is unmet, `reason` says why. Its name goes before the reason in `/readyz`.
    #[must_use]
    pub fn condition(&self, name: &'static str, reason: impl Into<String>) -> Condition {
        let mut conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions.push(Held { name, reason: Some(reason.into()) });
        let index = conditions.len() - 1;
        drop(conditions);
        self.changed.send_replace(());
        Condition { readiness: self.clone(), index }
    }

    /// Whether traffic may come now.
    #[must_use]
    pub fn now(&self) -> Ready {
        if self.drain.started() {
            return Ready::No("draining".into());
        }
        let conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        let reasons: Vec<String> = conditions
            .iter()
            .filter_map(|held| held.reason.as_ref().map(|reason| format!("{}: {reason}", held.name)))
            .collect();
        if reasons.is_empty() { Ready::Yes } else { Ready::No(reasons.join("; ")) }
    }

    /// Wakes at every change of a condition.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until the process is ready; for ever if it drains before it was. Safe to drop at any point.
    pub async fn wait(&self) {
        let mut changed = self.changed.subscribe();
        while self.now() != Ready::Yes {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => formatter.write_str("ready"),
            Self::No(reason) => write!(formatter, "not ready: {reason}"),
        }
    }
}

/// One room's say in whether traffic may come.
#[derive(Debug)]
pub struct Condition {
    readiness: Readiness,
    index: usize,
}

impl Condition {
    /// The room can do its part.
    pub fn met(&self) {
        self.set(None);
    }

    /// The room cannot do its part now.
    pub fn unmet(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, reason: Option<String>) {
        let mut conditions = self.readiness.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        conditions[self.index].reason = reason;
        drop(conditions);
        self.readiness.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn all_conditions_must_be_met_and_the_reasons_are_told() {
        let drain = Drain::new();
        let readiness = Readiness::new(drain.clone());
        assert_eq!(readiness.now(), Ready::Yes);

        let spool = readiness.condition("spool", "recovering");
        let maps = readiness.condition("maps", "no good set yet");
        assert_eq!(readiness.now(), Ready::No("spool: recovering; maps: no good set yet".into()));
        spool.met();
        assert_eq!(readiness.now().to_string(), "not ready: maps: no good set yet");
        maps.met();
        assert_eq!(readiness.now().to_string(), "ready");
        spool.unmet("disk is full");
        assert_eq!(readiness.now(), Ready::No("spool: disk is full".into()));

        spool.met();
        drain.begin();
        assert_eq!(readiness.now(), Ready::No("draining".into()));
    }

    #[test]
    fn a_waiter_wakes_with_the_last_condition() {
        let readiness = Readiness::new(Drain::new());
        let (first, second) = (readiness.condition("first", "-"), readiness.condition("second", "-"));
        let mut waiter = Box::pin(readiness.wait());
        assert!(waiter.as_mut().now_or_never().is_none());
        first.met();
        assert!(waiter.as_mut().now_or_never().is_none());
        second.met();
        assert!(waiter.as_mut().now_or_never().is_some());
    }
}
