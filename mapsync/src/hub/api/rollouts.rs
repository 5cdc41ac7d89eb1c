//! Where the rollout of an environment stands, as this hub sees it.

use axum::extract::{Path, State};
use axum::response::Response;
use switchyard_daemon::control;

use super::Asks;
use super::problem::Problem;
use crate::hub::Shared;

/// The last rollout, over or not.
pub(crate) async fn standing(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(environment): Path<String>,
) -> Result<Response, Problem> {
    let board = shared.board(&caller, &environment)?;
    let standing = board.standing.borrow().clone();
    let none = || Problem::not_found(format!("no rollout of `{environment}` is driven here"));
    Ok(control::answer(&standing.ok_or_else(none)?))
}
