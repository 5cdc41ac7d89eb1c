//! How a process stops without cutting anybody off: stop accepting → let sessions end → deadline → cut.
//!
//! One [`Drain`] is made per process and cloned into every room. A room asks [`Drain::started`] between two
//! pieces of work (a session: between two transactions), or waits for it beside its own work. Sessions are
//! started through [`Drain::track`], so the end knows whom it still waits for.
//!
//! A part of the process that may end before the rest, a listener say, has a [`Drain::part`] of its own: it ends
//! with the whole, or alone, and its sessions count in both.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's wish to end, shared by all its rooms.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    begun: CancellationToken,
    cut: CancellationToken,
    sessions: TaskTracker,
    /// The sessions of the whole, where this is the drain of a part.
    whole: Option<TaskTracker>,
    deadline_ms: Arc<AtomicU64>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every session came to its own end.
    Whole,
    /// The deadline passed, and this many sessions were dropped where they stood.
    Cut(usize),
}

impl Drain {
    /// A process that runs, and means to.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The drain of a part of what this one drains: it begins with this one or before it, and is cut likewise.
    #[must_use]
    pub fn part(&self) -> Self {
        Self {
            begun: self.begun.child_token(),
            cut: self.cut.child_token(),
            sessions: TaskTracker::new(),
            whole: Some(self.whole.as_ref().unwrap_or(&self.sessions).clone()),
            deadline_ms: Arc::clone(&self.deadline_ms),
        }
    }

    /// How long sessions may take to end from now on; parts have the same.
    pub fn set_deadline(&self, deadline: Duration) {
        self.deadline_ms.store(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long sessions may take to end.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms.load(Ordering::Relaxed))
    }

    /// Asks every room to end. Asking twice is asking once.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Whether the process is about to end: start nothing new.
    #[must_use]
    pub fn started(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Waits for the drain to begin. Safe to drop at any point.
    pub async fn wait_started(&self) {
        self.begun.cancelled().await;
    }

    /// The wish as a token, for rooms that know of no drain.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.begun.clone()
    }

    /// Runs a session as a task of its own. It may go on while the process drains, up to the deadline; then
    /// it is dropped at its next await.
    pub fn track<F>(&self, session: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let cut = self.cut.clone();
        // Boxed, because a future moved into another takes its room twice.
        let session = Box::pin(session);
        let session = self.sessions.track_future(async move {
            // The future is dropped, and with it its socket, when the deadline wins.
            let _ended = cut.run_until_cancelled(session).await;
        });
        match &self.whole {
            Some(whole) => drop(whole.spawn(session)),
            None => drop(tokio::spawn(session)),
        }
    }

    /// How many tracked sessions are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.sessions.len()
    }

    /// Begins the drain if nobody has, waits for the sessions, and cuts what is left at the deadline.
    pub async fn finished(&self, deadline: Duration) -> Drained {
        self.begin();
        self.sessions.close();
        if tokio::time::timeout(deadline, self.sessions.wait()).await.is_ok() {
            return Drained::Whole;
        }
        let left = self.sessions.len();
        self.cut.cancel();
        self.sessions.wait().await;
        Drained::Cut(left)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn every_clone_hears_of_it_once() {
        let drain = Drain::new();
        let room = drain.clone();
        assert!(!room.started());
        assert!(room.wait_started().now_or_never().is_none());
        drain.begin();
        drain.begin();
        assert!(room.started());
        room.wait_started().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_at_work_ends_on_its_own() {
        let drain = Drain::new();
        let (finish, finished) = oneshot::channel::<()>();
        let (report, reported) = oneshot::channel();
        drain.track(async move {
            finished.await.unwrap();
            report.send("whole").unwrap();
        });
        let mut end = Box::pin(drain.finished(DEADLINE));
        assert!(end.as_mut().now_or_never().is_none(), "it waits for the session");
        assert!(drain.started());
        finish.send(()).unwrap();
        assert_eq!(end.await, Drained::Whole);
        assert_eq!(reported.await, Ok("whole"));
        assert_eq!(drain.open(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_cuts_what_is_left_and_counts_it() {
        let drain = Drain::new();
        let (never, held) = oneshot::channel::<()>();
        drain.track(async move {
            let _never = never;
            std::future::pending::<()>().await;
        });
        drain.track(std::future::pending());
        drain.track(async {});
        let start = tokio::time::Instant::now();
        assert_eq!(drain.finished(DEADLINE).await, Drained::Cut(2));
        assert_eq!(start.elapsed().as_secs(), DEADLINE.as_secs(), "not a moment before the deadline");
        assert!(held.await.is_err(), "what the session held is dropped");
        assert_eq!(drain.finished(DEADLINE).await, Drained::Whole, "asking again is harmless");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_ends_alone_and_counts_in_the_whole() {
        let whole = Drain::new();
        let (one, other) = (whole.part(), whole.part());
        whole.set_deadline(DEADLINE);
        assert_eq!(one.deadline(), DEADLINE);
        one.track(std::future::pending());
        other.track(std::future::pending());
        assert_eq!((one.open(), other.open(), whole.open()), (1, 1, 2));
        assert_eq!(one.finished(DEADLINE).await, Drained::Cut(1));
        assert!(one.started() && !other.started() && !whole.started());
        assert_eq!((other.open(), whole.open()), (1, 1));
        assert_eq!(whole.finished(DEADLINE).await, Drained::Cut(1));
        assert!(other.started());
    }
}
