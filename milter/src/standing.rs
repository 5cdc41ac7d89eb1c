//! `GET /keys` on the control socket: every signing key, and why it may not sign if it may not.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde::Serialize;
use switchyard_daemon::control;

use crate::talk::Shared;

/// One key, as the operator is told of it.
#[derive(Debug, Serialize)]
struct Told {
    domain: String,
    selector: String,
    file: String,
    signs: bool,
    why_not: Option<String>,
}

pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new().route("/keys", get(move || async move { control::answer(&told(&shared)) }))
}

fn told(shared: &Shared) -> Vec<Told> {
    let standings = shared.ring.standings();
    let told = standings.into_iter().map(|standing| Told {
        domain: standing.name.domain.to_string(),
        selector: standing.name.selector.to_string(),
        file: standing.name.file.display().to_string(),
        signs: standing.refused.is_none(),
        why_not: standing.refused,
    });
    told.collect()
}
