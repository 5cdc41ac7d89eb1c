//! Everything new as it comes: server-sent events, each a whole signed message.
//!
//! An event is named `root`, `head` or `release`; its data is the message, its id the three numbers that who hears it
//! then knows. Whoever comes back with `Last-Event-ID` hears only what is newer. Between two events a word keeps the
//! connection alive.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::stream;
use switchyard_daemon::drain::Drain;
use tokio::sync::watch;

use super::Asks;
use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::board::{Kind, Notice, Shown};
use crate::hub::metrics::Waiting;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often something is said although nothing is new.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The order in which news are told: whose keys count comes before what they signed.
const KINDS: [(Kind, &str); 3] = [(Kind::Root, "root"), (Kind::Head, "head"), (Kind::Release, "release")];

/// Tells what is new until the listener goes, or the hub.
pub(crate) async fn events(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let hearing = Hearing {
        shown: board.watch(),
        known: headers.get(LAST_EVENT_ID).and_then(|id| known(id.to_str().ok()?)).unwrap_or_default(),
        drain: shared.drain.clone(),
        _waiting: shared.metrics.wait(),
    };
    let events = stream::unfold(hearing, async |mut hearing| {
        let event = hearing.next().await?;
        Some((Ok::<_, Infallible>(event), hearing))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// One who hears.
struct Hearing {
    shown: watch::Receiver<Shown>,
    /// The numbers that were told.
    known: [u64; 3],
    drain: Drain,
    _waiting: Waiting,
}

impl Hearing {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let news = self.news();
            if let Some((name, notice)) = news {
                let id = self.known.map(|number| number.to_string()).join(".");
                return Some(Event::default().event(name).id(id).data(one_line(&notice.octets)));
            }
            tokio::select! {
                biased;
                () = self.drain.wait_started() => return None,
                changed = self.shown.changed() => changed.ok()?,
            }
        }
    }

    /// The first thing that was not told, which counts as told from now on.
    fn news(&mut self) -> Option<(&'static str, Notice)> {
        let shown = self.shown.borrow_and_update();
        for ((kind, name), known) in KINDS.into_iter().zip(&mut self.known) {
            let notice = shown.notice(kind);
            let number = notice.map_or(0, |notice| notice.number);
            if std::mem::replace(known, number) != number
                && let Some(notice) = notice
            {
                return Some((name, notice.clone()));
            }
        }
        None
    }
}

/// `3.57.12`: root, head, release.
fn known(id: &str) -> Option<[u64; 3]> {
    let mut numbers = id.splitn(3, '.').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(root)), Some(Ok(head)), Some(Ok(release))) => Some([root, head, release]),
        _ => None,
    }
}

/// A message in one line. Line ends stand only between the words of JSON, and a blank does there as well.
fn one_line(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_three_numbers_and_data_is_one_line() {
        assert_eq!(known("3.57.12"), Some([3, 57, 12]));
        for other in ["", "3", "3.57", "3.57.x", "3.57.1.2", "-1.2.3"] {
            assert_eq!(known(other), None, "{other}");
        }
        assert_eq!(one_line(b"{\r\n\"a\": 1\n}"), "{  \"a\": 1 }");
    }
}
