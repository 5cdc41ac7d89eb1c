//! GET of signed messages: the newest of each kind, at once or when there is a newer one, and those of old.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Asks;
use super::conditional::{heading, is_known, spread, tag, wait};
use super::problem::Problem;
use super::questions::{self, QUESTION};
use crate::hub::Shared;
use crate::hub::board::{Board, Kind, OfOld};

/// The root in force.
pub(crate) async fn root(
    State(shared): State<Shared>,
    asks: Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    newest(&shared, &asks, &environment, &headers, Kind::Root).await
}

/// The newest generation.
pub(crate) async fn head(
    State(shared): State<Shared>,
    asks: Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    newest(&shared, &asks, &environment, &headers, Kind::Head).await
}

/// What is to be in use.
pub(crate) async fn release(
    State(shared): State<Shared>,
    asks: Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    newest(&shared, &asks, &environment, &headers, Kind::Release).await
}

/// The plan of the last rollout.
pub(crate) async fn plan(
    State(shared): State<Shared>,
    asks: Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    newest(&shared, &asks, &environment, &headers, Kind::Plan).await
}

/// One generation of old.
pub(crate) async fn one_head(
    State(shared): State<Shared>,
    asks: Asks,
    Path((environment, generation)): Path<(String, String)>,
) -> Result<Response, Problem> {
    of_old(&shared, &asks, &environment, &generation, Board::head).await
}

/// One root of old: hosts that were away follow them step by step.
pub(crate) async fn one_root(
    State(shared): State<Shared>,
    asks: Asks,
    Path((environment, version)): Path<(String, String)>,
) -> Result<Response, Problem> {
    of_old(&shared, &asks, &environment, &version, Board::root).await
}

async fn newest(
    shared: &Shared,
    Asks(caller): &Asks,
    environment: &str,
    headers: &HeaderMap,
    kind: Kind,
) -> Result<Response, Problem> {
    let board = shared.board(caller, environment)?;
    let mut shown = board.watch().borrow().clone();
    let (patience, question) = (wait(headers), questions::known(headers));
    if is_known(headers, shown.number(kind)) && !patience.is_zero() {
        let known = shown.number(kind);
        let _waiting = shared.metrics.wait();
        tokio::select! {
            biased;
            // Whoever waits hears at once that the hub goes, and asks another.
            () = shared.drain.wait_started() => {}
            newer = board.after(kind, known, spread(patience, &caller.name)) => shown = newer,
            // Who waits hears that there is a question, and waits again.
            () = board.questions.after(question.unwrap_or_default()), if question.is_some() => {}
        }
    }
    let asked = question.map(|_| [(QUESTION, board.questions.newest().to_string())]);
    let answer = match shown.notice(kind) {
        _ if is_known(headers, shown.number(kind)) => {
            let tag = [(header::ETAG, tag(shown.number(kind)))];
            (StatusCode::NOT_MODIFIED, tag).into_response()
        }
        Some(notice) => (heading(notice), notice.octets.clone()).into_response(),
        None => Problem::not_found(format!("the environment `{environment}` has none yet")).into_response(),
    };
    Ok((asked, answer).into_response())
}

/// A message of old never changes.
async fn of_old(
    shared: &Shared,
    Asks(caller): &Asks,
    environment: &str,
    number: &str,
    read: fn(&Board, u64) -> OfOld,
) -> Result<Response, Problem> {
    let board = shared.board(caller, environment)?;
    let number: u64 = number.parse().map_err(|_| Problem::bad(format!("`{number}` is no number")))?;
    let read = tokio::task::spawn_blocking(move || read(&board, number)).await;
    let octets = read.map_err(Problem::store)?.map_err(Problem::store)?;
    let octets = octets.ok_or_else(|| Problem::not_found(format!("number {number} is not here")))?;
    let heading = [(header::ETAG, tag(number)), (header::CONTENT_TYPE, "application/json".to_owned())];
    Ok((heading, Bytes::from(octets)).into_response())
}
