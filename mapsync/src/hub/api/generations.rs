//! POST of signed messages, and the list of generations.
//!
//! A push is a compare-and-swap: `If-Match` names the generation that the admin's files were compared with, and of
//! two pushes at once the second is told so. The same push again gets the same answer, so that one who lost the
//! answer may ask again.

use std::sync::Arc;

use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use switchyard_daemon::control;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::root::Root;

use super::Asks;
use super::conditional::{number, tag};
use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::board::turn::Brought;
use crate::hub::board::{Board, Kept, NotKept, said};
use crate::hub::order::push;
use crate::identity::Identity;

/// The most generations of one list.
const MOST: usize = 1000;

/// A generation in a list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    generation: u64,
    hash: Hash,
    created: Timestamp,
    expires: Timestamp,
    author: String,
    note: String,
    files: usize,
    bytes: u64,
}

/// Which part of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    /// Only generations below this one.
    before: Option<u64>,
    /// At most so many.
    limit: Option<usize>,
}

/// The generations, newest first.
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    part: Result<Query<Part>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let Query(Part { before, limit }) = part.map_err(|error| Problem::bad(error.to_string()))?;
    let (before, limit) = (before.unwrap_or(u64::MAX), limit.unwrap_or(50).min(MOST));
    let read = tokio::task::spawn_blocking(move || {
        let heads = board.history(before, limit).map_err(NotKept::from)?;
        heads.iter().map(|octets| listed(octets)).collect::<Result<Vec<_>, NotKept>>()
    });
    let listed = read.await.map_err(Problem::store)?.map_err(Problem::store)?;
    Ok(control::answer(&listed))
}

fn listed(octets: &[u8]) -> Result<Listed, NotKept> {
    let (hash, head) = said(octets)?;
    Ok(Listed {
        generation: head.generation,
        hash,
        created: head.created,
        expires: head.expires,
        author: head.author,
        note: head.note,
        files: head.files.len(),
        bytes: head.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
    })
}

/// A new generation.
pub(crate) async fn push_head(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    headers: HeaderMap,
    octets: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    // RFC 6585 §3: without the condition the first of two pushes would be lost.
    let expected = number(&headers, header::IF_MATCH).ok_or_else(|| {
        let why = "If-Match with the generation that this one follows is needed: \"57\", and \"0\" before the first";
        Problem::new(StatusCode::PRECONDITION_REQUIRED, "no-condition", why)
    })?;
    let octets = octets.map_err(|error| too_long(&error))?;
    Ok(answer(&kept(&shared, &board, &caller, Brought::Head(octets, expected)).await?))
}

/// The next root.
pub(crate) async fn push_root(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    octets: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    push_message(&shared, &caller, &environment, octets, Brought::Root).await
}

/// The next release.
pub(crate) async fn push_release(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    octets: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if shared.bounds.load().second_signature
        && let Ok(octets) = &octets
        && is_alone(&*shared.board(&caller, &environment)?, octets)
    {
        tracing::warn!(%caller, "refused: a release past the steps of a rollout, with one signature");
        let why = "to more than hosts by name, and past the steps of a rollout: that needs a second signature here \
            (--all-at-once), or goes by steps (--staged, --express)";
        return Err(Problem::new(StatusCode::FORBIDDEN, "second-signature", why));
    }
    push_message(&shared, &caller, &environment, octets, Brought::Release).await
}

/// The plan of a rollout.
pub(crate) async fn push_plan(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
    octets: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    push_message(&shared, &caller, &environment, octets, Brought::Plan).await
}

/// Whether a release moves hosts that nobody named, and only one key has signed it. The steps of a plan do not come this
/// way, and what is not even signed by enough is refused by the rules for all.
fn is_alone(board: &Board, octets: &[u8]) -> bool {
    let shown = board.watch().borrow().clone();
    let root = Signed::from_json(&shown.root.octets).and_then(|root| root.read::<Root>());
    let (Ok(root), Ok(signed)) = (root, Signed::from_json(octets)) else { return false };
    let role = &root.roles.release;
    if role.signed(&signed).is_err() || signed.signers(&role.keys) >= 2 {
        return false;
    }
    signed.read::<Release>().is_ok_and(|release| !release.halted && release.permille > 0)
}

async fn push_message(
    shared: &Shared,
    caller: &Identity,
    environment: &str,
    octets: Result<Bytes, BytesRejection>,
    brought: fn(Bytes) -> Brought,
) -> Result<Response, Problem> {
    let board = shared.board(caller, environment)?;
    let octets = octets.map_err(|error| too_long(&error))?;
    Ok(answer(&kept(shared, &board, caller, brought(octets)).await?))
}

/// Takes it, counts it and logs it.
async fn kept(
    shared: &Shared,
    board: &Arc<Board>,
    caller: &Identity,
    brought: Brought,
) -> Result<Kept, Problem> {
    let kind = brought.kind().as_str();
    let taken = push(shared, board, brought).await;
    let result = match &taken {
        Ok(Kept { is_new: true, number, hash }) => {
            tracing::info!(kind, %caller, number, %hash, "taken");
            "taken"
        }
        Ok(_) => "known",
        Err(error) => {
            tracing::warn!(kind, %caller, %error, "refused");
            "refused"
        }
    };
    shared.metrics.pushes.with_label_values(&[kind, result]).inc();
    Ok(taken?)
}

fn answer(kept: &Kept) -> Response {
    let status = if kept.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let body = serde_json::json!({ "number": kept.number, "hash": kept.hash });
    (status, [(header::ETAG, tag(kept.number))], control::answer(&body)).into_response()
}

fn too_long(error: &BytesRejection) -> Problem {
    Problem::new(error.status(), "body", error.body_text())
}
