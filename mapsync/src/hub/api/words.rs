//! What hosts said, from one hub to another.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use switchyard_daemon::control;
use switchyard_mapsync_protocol::status;

use super::Asks;
use super::problem::Problem;
use crate::client::Words;
use crate::hub::Shared;
use crate::hub::sharing::{self, PAGE};

/// The longest body that is read.
pub(crate) const LONGEST: usize = PAGE * (status::LONGEST + 64);

/// Which words.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    /// The run whose words are counted.
    #[serde(default)]
    run: u64,
    /// How many of them are known.
    #[serde(default)]
    after: u64,
    /// The run of whoever asks: what it passed on itself is left out.
    #[serde(default)]
    without: u64,
}

/// Tells what came after those that are known.
pub(crate) async fn tell(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let Query(which) = which.map_err(|error| Problem::bad(error.to_string()))?;
    // Another run counts from the start.
    let after = if which.run == board.fleet.run() { which.after } else { 0 };
    Ok(control::answer(&sharing::told(&shared, &board, after, which.without)))
}

/// Takes what came to a hub that nobody asks.
pub(crate) async fn hear(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    octets: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<StatusCode, Problem> {
    let board = shared.board(&caller, &environment)?;
    let octets = octets.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let words: Words = serde_json::from_slice(&octets)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    let heard = sharing::hear(&shared, &board, &words);
    heard.map_err(|error| Problem::new(StatusCode::INSUFFICIENT_STORAGE, "full", error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}
