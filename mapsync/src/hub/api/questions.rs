//! A question to all hosts at once: one asks and hears the answers as server-sent events, hosts fetch what is asked of
//! them and answer.
//!
//! An event `asked` says the number and how many hosts are waited for; `answers` has what some of them said, as an array;
//! `end` says who stayed silent. A host hears that there is a question by the events that it hears, and
//! who asks for releases instead by the answer to its wait ([`QUESTION`]): neither takes a connection more.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use serde_json::json;
use switchyard_daemon::control;
use switchyard_mapsync_protocol::question::{self, Answer, Question};
use tokio::time::sleep_until;

use super::Asks;
use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::board::Board;
use crate::hub::metrics::Waiting;
use crate::hub::questions::Asking;

/// The newest question: what a host knows, and what there is.
pub(crate) const QUESTION: HeaderName = HeaderName::from_static("switchyard-question");

/// The longest question or answer that is read.
pub(crate) const LONGEST: usize = question::LONGEST;

/// How often something is said although nobody has answered.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// From when on a host is silent: it is not waited for. Hosts speak every ten seconds.
const SILENT: Duration = Duration::from_secs(60);

/// Answers of one event.
const TOGETHER: usize = 32;

/// The number of the newest question that a client knows, if it would hear of another.
pub(crate) fn known(headers: &HeaderMap) -> Option<u64> {
    headers.get(QUESTION)?.to_str().ok()?.parse().ok()
}

/// Asks all hosts, and tells what they answer.
pub(crate) async fn ask(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    octets: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let octets = octets.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let question = Question::from_json(&octets)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    let now = shared.clock.now_monotonic();
    let waited: BTreeSet<String> = if question.hosts.is_empty() {
        let words = board.fleet.all().into_iter();
        // Who speaks to other hubs only hears nothing here.
        let heard = words.filter(|word| word.silent_here(now).is_some_and(|silent| silent <= SILENT));
        heard.map(|word| word.status.host).collect()
    } else {
        question.hosts.iter().cloned().collect()
    };
    let what = serde_json::to_string(&question.checks).unwrap_or_default();
    let wait = question.wait;
    // Who asked what is to be found again.
    let asking = board.questions.ask(question, shared.now().0.saturating_mul(1000));
    let asking = asking.map_err(|error| {
        tracing::warn!(%caller, %error, "a question is not asked");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "busy", error.to_string())
    })?;
    tracing::info!(%caller, question = asking.number, hosts = waited.len(), what, "hosts are asked");
    shared.metrics.questions.inc();
    let number = asking.number;
    let first = Told::new("asked", &json!({ "question": number, "hosts": waited.len(), "wait": wait }));
    let is_open = waited.is_empty();
    let telling = Telling {
        _waiting: shared.metrics.wait(),
        shared,
        board,
        asking,
        is_open,
        waited,
        answered: 0,
        first,
        is_over: false,
    };
    let events = stream::unfold(telling, async |mut telling| {
        let event = telling.next().await?;
        Some((Ok::<_, Infallible>(event), telling))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What is asked of the host that asks for it.
pub(crate) async fn open(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    Ok(control::answer(&board.questions.of(&caller.name)))
}

/// Takes a host's answer for itself, and for nobody else.
pub(crate) async fn answer(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(host): Path<String>,
    octets: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<StatusCode, Problem> {
    let octets = octets.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let answer = Answer::from_json(&octets)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    if host != caller.name || answer.host != host {
        let why = format!("the certificate is of `{}`, which cannot answer for another host", caller.name);
        return Err(Problem::forbidden(why));
    }
    let board = shared.board(&caller, &answer.environment.to_string())?;
    let taken = board.questions.answer(answer).await;
    taken.map_err(|error| Problem::not_found(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// One who asked.
struct Telling {
    shared: Shared,
    board: Arc<Board>,
    asking: Asking,
    /// Who may answer is not known: the time ends it.
    is_open: bool,
    /// Who has not answered yet.
    waited: BTreeSet<String>,
    answered: usize,
    first: Option<Told>,
    is_over: bool,
    _waiting: Waiting,
}

impl Telling {
    async fn next(&mut self) -> Option<Event> {
        if let Some(Told(first)) = self.first.take() {
            return Some(first);
        }
        if self.is_over {
            return None;
        }
        if !self.waited.is_empty() || self.is_open {
            let mut some: Vec<Answer> = Vec::new();
            tokio::select! {
                biased;
                () = self.shared.drain.wait_started() => {}
                _ = self.asking.answers.recv_many(&mut some, TOGETHER) => {}
                () = sleep_until(self.asking.ends) => {}
            }
            if !some.is_empty() {
                self.answered += some.len();
                for answer in &some {
                    self.waited.remove(&answer.host);
                }
                return Told::new("answers", &some).map(|Told(event)| event);
            }
        }
        self.is_over = true;
        let end = json!({ "answered": self.answered, "silent": self.waited });
        Told::new("end", &end).map(|Told(event)| event)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.board.questions.close(self.asking.number);
    }
}

/// An event with its data in one line.
struct Told(Event);

impl Told {
    fn new(name: &str, data: &impl Serialize) -> Option<Self> {
        // It is made of numbers and texts: there is always a text of it.
        let data = serde_json::to_string(data).ok()?;
        Some(Self(Event::default().event(name).data(data)))
    }
}
