//! What became of new settings: for the log, for who looks at the metrics, and for the operator's tool.
//!
//! | control socket | |
//! |---|---|
//! | `GET /settings` | what the daemon runs with, how often settings were taken or refused, and the last time ([`Shown`]) |
//! | `POST /settings/reload` | reads them now, and answers when they hold or are refused ([`Reloaded`]) |

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::control::{answer, refuse};
use crate::metrics::{CounterVec, Gauge, MetricsError, Registry};

/// One look at the settings, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Why they were refused, every fault with its place; none when they hold.
    pub error: Option<String>,
    /// Settings that differ and take a restart: the old value holds.
    pub held: Vec<String>,
}

/// What a daemon runs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The program: `switchyard-mx`.
    pub program: String,
    /// From where relative paths in its settings file are seen; none where there is no file.
    pub folder: Option<PathBuf>,
    /// What each setting holds, in the words of whoever reads settings.
    pub settings: Value,
}

impl Running {
    /// Of a program, with its settings.
    #[must_use]
    pub fn new(program: &str, folder: Option<&Path>, settings: &impl Held) -> Self {
        // What a list of settings holds can be written; if not, nobody is told a thing.
        let settings = serde_json::to_value(settings).unwrap_or_default();
        Self { program: program.to_owned(), folder: folder.map(Path::to_owned), settings }
    }
}

/// What each setting of a daemon holds.
pub trait Held: Serialize {
    /// What holds when these were read by a daemon that runs with `self`: what takes a restart stays as it was.
    #[must_use]
    fn after(&self, read: Self) -> Self;
}

/// All looks at the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// What the daemon runs with.
    pub running: Option<Running>,
    /// How often new settings were taken.
    pub taken: u64,
    /// How often they were refused.
    pub refused: u64,
    /// The last time; none before the first.
    pub last: Option<Reloaded>,
}

/// Keeps account of reloads; clones share it.
#[derive(Debug, Clone)]
pub struct Reloads {
    shown: Arc<Mutex<Shown>>,
    metrics: Arc<OnceLock<ReloadMetrics>>,
    wish: mpsc::Sender<oneshot::Sender<Reloaded>>,
}

/// Those who wish for a reload and wait for its outcome.
pub type Wishers = mpsc::Receiver<oneshot::Sender<Reloaded>>;

#[derive(Debug)]
struct ReloadMetrics {
    reloads: CounterVec,
    refused: Gauge,
}

impl Reloads {
    /// Nothing was reloaded yet; whoever wishes for it comes out of the other end.
    #[must_use]
    pub fn new() -> (Self, Wishers) {
        let (wish, wishers) = mpsc::channel(1);
        (Self { shown: Arc::default(), metrics: Arc::default(), wish }, wishers)
    }

    /// Counts from now on.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn register(&self, registry: &Registry) -> Result<(), MetricsError> {
        let metrics = ReloadMetrics {
            reloads: registry.counters(
                "settings_reloads_total",
                "Looks at the settings of a running daemon, by result: taken, refused.",
                &["result"],
            )?,
            refused: registry.gauge(
                "settings_refused",
                "1 while the newest settings were refused and older ones hold; the log and `switchyard reload` say why.",
            )?,
        };
        for result in [TAKEN, REFUSED] {
            metrics.reloads.with_label_values(&[result]);
        }
        // A second registry gets nothing: a process has one.
        let _known = self.metrics.set(metrics);
        Ok(())
    }

    /// This is what the daemon runs with from now on.
    pub fn runs(&self, running: Running) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).running = Some(running);
    }

    /// Tells what came of a look at the settings.
    pub fn tell(&self, outcome: Result<Vec<String>, String>) -> Reloaded {
        let is_taken = outcome.is_ok();
        let (error, held) = match outcome {
            Ok(held) => (None, held),
            Err(error) => (Some(error), Vec::new()),
        };
        for setting in &held {
            tracing::warn!(setting, "changed, and takes a restart: the old value holds");
        }
        match &error {
            None => tracing::info!("settings reloaded"),
            Some(error) => tracing::error!(%error, "settings not reloaded; the old ones hold"),
        }
        if let Some(metrics) = self.metrics.get() {
            metrics.reloads.with_label_values(&[if is_taken { TAKEN } else { REFUSED }]).inc();
            metrics.refused.set(i64::from(!is_taken));
        }
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let last = Reloaded { at, error, held };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *(if is_taken { &mut shown.taken } else { &mut shown.refused }) += 1;
        shown.last = Some(last.clone());
        last
    }

    /// All of it so far.
    #[must_use]
    pub fn shown(&self) -> Shown {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the operator's tool may ask.
    pub fn routes(&self) -> Router {
        let (shown, wish) = (self.clone(), self.wish.clone());
        Router::new()
            .route("/settings", get(async move || answer(&shown.shown())))
            .route("/settings/reload", post(async move || reload(&wish).await))
    }
}

async fn reload(wish: &mpsc::Sender<oneshot::Sender<Reloaded>>) -> Response {
    let (tell, told) = oneshot::channel();
    let ending =
        || refuse(StatusCode::SERVICE_UNAVAILABLE, "the daemon is about to end and takes no settings");
    if wish.send(tell).await.is_err() {
        return ending();
    }
    match told.await {
        Ok(reloaded) => answer(&reloaded),
        Err(_) => ending(),
    }
}

const TAKEN: &str = "taken";
const REFUSED: &str = "refused";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_and_both_counts_are_kept() {
        let registry = Registry::new();
        let (reloads, _wishers) = Reloads::new();
        reloads.register(&registry).unwrap();
        assert_eq!(reloads.shown(), Shown::default());
        reloads.tell(Err("mx.toml:3:1: unknown setting".into()));
        let text = registry.encode().unwrap();
        assert!(text.contains("switchyard_settings_refused 1\n"), "{text}");
        reloads.tell(Ok(vec!["spool".into()]));
        let Shown { taken, refused, last, .. } = reloads.shown();
        let last = last.unwrap();
        assert_eq!((taken, refused, last.error, last.held), (1, 1, None, vec!["spool".to_owned()]));
        let text = registry.encode().unwrap();
        for line in ["settings_refused 0", "settings_reloads_total{result=\"refused\"} 1"] {
            assert!(text.contains(&format!("switchyard_{line}\n")), "{line} is missing in\n{text}");
        }
    }
}
