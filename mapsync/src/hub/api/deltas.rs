//! What changed between two tables.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use switchyard_mapsync_protocol::hash::Hash;

use super::problem::Problem;
use crate::hub::Shared;
use crate::hub::deltas::Found;

/// What a delta is called.
pub(crate) const KIND: &str = "application/vnd.switchyard.delta+zstd";

/// Hands a delta out; without one, the file is to be fetched whole.
pub(crate) async fn get_one(
    State(shared): State<Shared>,
    Path((from, to)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let hash = |text: &str| text.parse::<Hash>().map_err(|error| Problem::bad(error.to_string()));
    let found = Arc::clone(&shared.deltas).between(hash(&from)?, hash(&to)?).await;
    match found.map_err(Problem::store)? {
        Found::Delta(delta) => {
            let heading =
                [(header::CONTENT_TYPE, KIND), (header::CACHE_CONTROL, "max-age=31536000, immutable")];
            Ok((heading, delta).into_response())
        }
        Found::Whole => Err(Problem::not_found("too much has changed, or it is no table: fetch the file")),
        Found::Missing(hash) => Err(Problem::not_found(format!("{hash} is not here"))),
    }
}
