//! What hosts say about themselves, and the list of all of them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use switchyard_daemon::control;
use switchyard_mapsync_protocol::status::{self, Status};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use super::Asks;
use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::board::Kind;

/// Every host of an environment.
#[derive(Debug, Serialize)]
struct Listed {
    environment: Environment,
    /// The hub's clock.
    now: Timestamp,
    /// The newest generation; 0 before the first.
    generation: u64,
    /// The newest release; 0 before the first.
    release: u64,
    hosts: Vec<Host>,
}

/// A host.
#[derive(Debug, Serialize)]
struct Host {
    /// Seconds since it said so.
    age: u64,
    #[serde(flatten)]
    status: Status,
}

/// Takes a host's word about itself, and about nobody else.
pub(crate) async fn hear(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(host): Path<String>,
    octets: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<StatusCode, Problem> {
    if host != caller.name {
        let why = format!("the certificate is of `{}`, which cannot speak for `{host}`", caller.name);
        return Err(Problem::forbidden(why));
    }
    let octets = octets.map_err(|error| Problem::new(error.status(), "body", error.body_text()))?;
    let status = Status::from_json(&octets)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "malformed", error.to_string()))?;
    let board = shared.board(&caller, &status.environment.to_string())?;
    if status.host != host {
        let why = format!("the status is of `{}`, and the certificate of `{host}`", status.host);
        return Err(Problem::forbidden(why));
    }
    let heard = board.fleet.hear(status, shared.clock.now_monotonic());
    shared.metrics.set_hosts(board.environment(), board.fleet.count());
    heard.map_err(|error| Problem::new(StatusCode::INSUFFICIENT_STORAGE, "full", error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists every host with its last word.
pub(crate) async fn list(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let (generation, release) = {
        let shown = board.watch();
        let shown = shown.borrow();
        (shown.number(Kind::Head), shown.number(Kind::Release))
    };
    let now = shared.clock.now_monotonic();
    let hosts = board.fleet.all().into_iter();
    let hosts = hosts.map(|word| Host { age: word.age(now).as_secs(), status: word.status });
    Ok(control::answer(&Listed {
        environment: caller.environment,
        now: shared.now(),
        generation,
        release,
        hosts: hosts.collect(),
    }))
}

/// The longest body that is read.
pub(crate) const LONGEST: usize = status::LONGEST;
