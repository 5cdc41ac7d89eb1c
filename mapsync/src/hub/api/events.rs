//! Everything new as it comes: server-sent events, each a whole signed message.
//!
//! An event is named `root`, `head` or `release`; its data is the message, its id the three numbers that who hears it
//! then knows. Whoever comes back with `Last-Event-ID` hears only what is newer. Hosts hear besides that there is a
//! `question`: its data is the number of the newest one. Between two events a word keeps the
//! connection alive. A message lies in memory once, however many hear it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use memchr::memchr2;
use switchyard_daemon::drain::Drain;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Asks;
use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::board::{Kind, Notice, Shown};
use crate::hub::metrics::Waiting;
use crate::identity::Role;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How often something is said although nothing is new.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const STILL_HERE: Bytes = Bytes::from_static(b":\n\n");

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
        questions: (caller.role == Role::Agent).then(|| board.questions.watch()),
        asked: 0,
        pieces: VecDeque::new(),
        drain: shared.drain.clone(),
        _waiting: shared.metrics.wait(),
    };
    let pieces = stream::unfold(hearing, async |mut hearing| {
        let piece = hearing.next().await?;
        Some((Ok::<_, Infallible>(piece), hearing))
    });
    let heading = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    Ok((heading, Body::from_stream(pieces)).into_response())
}

/// One who hears.
struct Hearing {
    shown: watch::Receiver<Shown>,
    /// The numbers that were told.
    known: [u64; 3],
    /// The newest question, for hosts.
    questions: Option<watch::Receiver<u64>>,
    /// The one that was told.
    asked: u64,
    /// What is left to say of an event.
    pieces: VecDeque<Bytes>,
    drain: Drain,
    _waiting: Waiting,
}

impl Hearing {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            if let Some((name, notice)) = self.news() {
                let id = self.known.map(|number| number.to_string()).join(".");
                let head = format!("event: {name}\nid: {id}\ndata: ");
                self.pieces.extend([head.into(), one_line(&notice.octets), Bytes::from_static(b"\n\n")]);
                continue;
            }
            if let Some(number) = self.question() {
                return Some(format!("event: question\ndata: {number}\n\n").into());
            }
            tokio::select! {
                biased;
                () = self.drain.wait_started() => return None,
                () = newer(self.questions.as_mut()) => {}
                changed = timeout(KEEP_ALIVE, self.shown.changed()) => match changed {
                    Ok(changed) => changed.ok()?,
                    Err(_nothing_new) => return Some(STILL_HERE),
                },
            }
        }
    }

    /// The newest question, if it was not told.
    fn question(&mut self) -> Option<u64> {
        let newest = *self.questions.as_mut()?.borrow_and_update();
        (std::mem::replace(&mut self.asked, newest) != newest).then_some(newest)
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

/// Waits for another question; for ever, where none is told.
async fn newer(questions: Option<&mut watch::Receiver<u64>>) {
    // With its sender the hub is gone, and whoever else waits hears that.
    if let Some(questions) = questions
        && questions.changed().await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// `3.57.12`: root, head, release.
fn known(id: &str) -> Option<[u64; 3]> {
    let mut numbers = id.splitn(3, '.').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(root)), Some(Ok(head)), Some(Ok(release))) => Some([root, head, release]),
        _ => None,
    }
}

/// A message in one line, as nearly all are already. Line ends stand only between the words of JSON, and a blank does
/// there as well.
fn one_line(octets: &Bytes) -> Bytes {
    if memchr2(b'\r', b'\n', octets).is_none() {
        return octets.clone();
    }
    let blank = |octet: &u8| if matches!(octet, b'\r' | b'\n') { b' ' } else { *octet };
    octets.iter().map(blank).collect()
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
        assert_eq!(one_line(&Bytes::from_static(b"{\r\n\"a\": 1\n}")), "{  \"a\": 1 }");
    }
}
