//! What a hub answers, over HTTP/1.1 with mutual TLS. `guard` has the table of routes and who may use them.
//!
//! A signed message is answered octet for octet as it came, with its number as entity tag; `If-None-Match` and
//! `Prefer: wait` make a question that is answered when there is something new. Every "no" is a problem of RFC 9457.

mod blobs;
mod conditional;
mod deltas;
mod events;
mod fleet;
mod generations;
mod guard;
mod live;
mod messages;
mod openapi;
mod page;
pub(super) mod problem;
mod questions;
mod rollouts;
mod words;

#[cfg(test)]
mod tests;

use axum::extract::{DefaultBodyLimit, FromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{get, post, put};
use axum::{Router, middleware};
use switchyard_mapsync_protocol::envelope;

use self::problem::Problem;
use super::Shared;
use crate::identity::Identity;

/// Every route.
pub(crate) fn routes(shared: &Shared) -> Router {
    Router::new()
        .route("/v1/roots/{environment}", get(messages::root).post(generations::push_root))
        .route("/v1/roots/{environment}/{version}", get(messages::one_root))
        .route("/v1/heads/{environment}", get(messages::head))
        .route("/v1/generations/{environment}", get(generations::list).post(generations::push_head))
        .route("/v1/generations/{environment}/{generation}", get(messages::one_head))
        .route("/v1/releases/{environment}", get(messages::release).post(generations::push_release))
        .route("/v1/plans/{environment}", get(messages::plan).post(generations::push_plan))
        .layer(DefaultBodyLimit::max(envelope::LONGEST))
        .route("/v1/rollouts/{environment}", get(rollouts::standing))
        .route("/v1/events/{environment}", get(events::events))
        // An upload is bounded by the settings, as it comes.
        .route("/v1/blobs/{hash}", put(blobs::put_one).get(blobs::get_one))
        .route("/v1/deltas/{from}/{to}", get(deltas::get_one))
        .route("/v1/agents/{host}/status", post(fleet::hear).layer(DefaultBodyLimit::max(fleet::LONGEST)))
        .route(
            "/v1/agents/{host}/answers",
            post(questions::answer).layer(DefaultBodyLimit::max(questions::LONGEST)),
        )
        .route(
            "/v1/questions/{environment}",
            get(questions::open).post(questions::ask).layer(DefaultBodyLimit::max(questions::LONGEST)),
        )
        .route("/v1/fleet/{environment}", get(fleet::list))
        .route("/v1/fleet/{environment}/live", get(live::live))
        .route(
            "/v1/fleet/{environment}/words",
            get(words::tell).post(words::hear).layer(DefaultBodyLimit::max(words::LONGEST)),
        )
        .route("/", get(page::document))
        .route("/page.css", get(page::style))
        .route("/page.js", get(page::script))
        .route("/v1/openapi.json", get(openapi::openapi))
        .route_layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path has no such method")
        })
        .fallback(async || Problem::not_found("there is no such path"))
        .with_state(shared.clone())
}

/// Who asks; the guard has let them in.
pub(crate) struct Asks(pub(crate) Identity);

impl<S: Sync> FromRequestParts<S> for Asks {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Identity>();
        caller.cloned().map(Self).ok_or_else(|| Problem::forbidden("nobody knows who asks"))
    }
}
