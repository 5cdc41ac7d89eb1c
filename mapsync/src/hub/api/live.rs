//! The fleet as it changes, for the page: server-sent events, the first with every host, each later one with those of
//! which something was heard since. Between two of them is a moment, so that a thousand hosts that speak at once are
//! one event.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use serde::Serialize;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::status::Status;
use tokio::sync::watch;
use tokio::time::sleep;

use super::Asks;
use super::problem::Problem;
use crate::client::Standing;
use crate::hub::Shared;
use crate::hub::board::{Board, Kind, Shown, said};
use crate::hub::fleet::Pace;
use crate::hub::metrics::Waiting;

/// Between two events.
const MOMENT: Duration = Duration::from_millis(250);
/// How often something is said although nothing is new.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is new.
#[derive(Debug, Serialize)]
struct News {
    /// The hub's clock.
    now: Timestamp,
    /// The newest generation; none before the first.
    newest: Option<Newest>,
    /// What is to be in use.
    release: Option<Released>,
    /// Where the last rollout stands.
    rollout: Option<Standing>,
    /// How the last generations came to the hosts.
    paces: Vec<Took>,
    hosts: Vec<Host>,
}

#[derive(Debug, Serialize)]
struct Newest {
    generation: u64,
    created: Timestamp,
    author: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Released {
    generation: u64,
    permille: u16,
    canaries: usize,
    halted: bool,
    undo: bool,
}

/// In milliseconds from its release.
#[derive(Debug, Serialize)]
struct Took {
    generation: u64,
    hosts: usize,
    first: u128,
    median: u128,
    most: u128,
    last: u128,
}

#[derive(Debug, Serialize)]
struct Host {
    /// Seconds since it said so.
    age: u64,
    /// The release means it.
    meant: bool,
    #[serde(flatten)]
    status: Status,
}

/// Tells until the listener goes, or the hub.
pub(crate) async fn live(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let looking = Looking {
        shown: board.watch(),
        words: board.fleet.watch(),
        standing: board.standing.subscribe(),
        seen: None,
        _waiting: shared.metrics.wait(),
        board,
        shared,
    };
    let events = stream::unfold(looking, async |mut looking| {
        let event = looking.next().await?;
        Some((Ok::<_, Infallible>(event), looking))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One who looks.
struct Looking {
    shared: Shared,
    board: std::sync::Arc<Board>,
    shown: watch::Receiver<Shown>,
    words: watch::Receiver<u64>,
    standing: watch::Receiver<Option<Standing>>,
    /// How many words were told; none before the first event.
    seen: Option<u64>,
    _waiting: Waiting,
}

impl Looking {
    async fn next(&mut self) -> Option<Event> {
        if self.seen.is_some() {
            tokio::select! {
                biased;
                () = self.shared.drain.wait_started() => return None,
                changed = self.shown.changed() => changed.ok()?,
                changed = self.words.changed() => changed.ok()?,
                changed = self.standing.changed() => changed.ok()?,
            }
            sleep(MOMENT).await;
        }
        // It is made of numbers and texts: there is always a text of it.
        let news = serde_json::to_string(&self.news()).ok()?;
        Some(Event::default().event("fleet").data(news))
    }

    fn news(&mut self) -> News {
        let shown = self.shown.borrow_and_update().clone();
        self.words.mark_unchanged();
        let rollout = self.standing.borrow_and_update().clone();
        let (words, seen) = self.board.fleet.since(self.seen.unwrap_or(0));
        self.seen = Some(seen);
        let release = shown.released();
        let now = self.shared.clock.now_monotonic();
        let host = |word: crate::hub::fleet::Word| Host {
            age: word.age(now).as_secs(),
            meant: release.as_ref().is_some_and(|release| release.moves(&word.status.host)),
            status: word.status,
        };
        let hosts = words.into_iter().map(host).collect();
        let newest = shown.notice(Kind::Head).and_then(|notice| said(&notice.octets).ok());
        let newest = newest.map(|(_, head)| Newest {
            generation: head.generation,
            created: head.created,
            author: head.author,
            note: head.note,
        });
        let paces = self.board.fleet.paces().iter().map(took).collect();
        News {
            now: self.shared.now(),
            newest,
            release: release.as_ref().map(released),
            rollout,
            paces,
            hosts,
        }
    }
}

fn released(release: &Release) -> Released {
    Released {
        generation: release.generation,
        permille: release.permille,
        canaries: release.canaries.len(),
        halted: release.halted,
        undo: release.undo,
    }
}

fn took(pace: &Pace) -> Took {
    let &Pace { generation, hosts, first, median, most, last } = pace;
    let [first, median, most, last] = [first, median, most, last].map(|time| time.as_millis());
    Took { generation, hosts, first, median, most, last }
}
