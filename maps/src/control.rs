//! What the operator's tool asks of a daemon's maps, as routes of its control socket.
//!
//! | | |
//! |---|---|
//! | `GET /maps` | the set in use ([`Shown`]) |
//! | `GET /maps/shadow` | how a candidate does ([`Report`](crate::shadow::Report)) |
//! | `POST /maps/accept` | a set that was refused because it changes too much is put in use, or may come with the settings |
//! | `POST /maps/rollback` | the set before it is put in use again |
//! | `POST /explain` | what becomes of a message ([`explain`](mod@crate::explain)), as the daemon's rooms decide |

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use switchyard_daemon::control::{Asked, answer, refuse};

use crate::explain::{Explanation, Message, Question};
use crate::name::MapName;
use crate::snapshot::Snapshot;
use crate::swap::MapHandle;
use crate::watch::{Accepted, Reloader};

/// The set in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Counts the sets since the daemon started.
    pub generation: u64,
    /// Its maps.
    pub maps: Vec<ShownMap>,
    /// What is wrong with newer files that were refused.
    pub faults: Vec<String>,
}

/// One map of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownMap {
    /// Its name.
    pub map: String,
    /// How many keys it has.
    pub entries: usize,
}

/// A set has been put in use, or may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutInUse {
    /// Its generation; none where it is another settings' set, which comes with them at the next reload.
    pub generation: Option<u64>,
}

/// The routes, for these maps.
pub fn routes(maps: MapHandle, reloader: Reloader) -> Router {
    let (newest, refused, shadowed) = (reloader.clone(), reloader.clone(), maps.clone());
    Router::new()
        .route("/maps/shadow", get(async move || shadow(&shadowed)))
        .route("/maps/accept", post(async move || put_in_use(refused, accept).await))
        .route("/maps", get(async move || answer(&Shown::of(&maps, &newest))))
        .route("/maps/rollback", post(async move || put_in_use(reloader, roll_back).await))
}

/// The route that explains, by the daemon's own rooms; servers of tables are asked as often as it takes.
pub fn explaining(
    maps: MapHandle,
    explain: impl Fn(&Snapshot, &Message) -> Explanation + Clone + Send + Sync + 'static,
) -> Router {
    let explained = async move |Asked(question): Asked<Question>| match question.read() {
        Ok(message) => answer(&maps.snapshot().settled(|maps| explain(maps, &message)).await),
        Err(bad) => refuse(StatusCode::BAD_REQUEST, &bad.to_string()),
    };
    Router::new().route("/explain", post(explained))
}

impl Shown {
    fn of(maps: &MapHandle, reloader: &Reloader) -> Self {
        let snapshot = maps.snapshot();
        let present = MapName::ALL.into_iter().filter(|map| snapshot.has(*map));
        let shown = |map: MapName| ShownMap { map: map.to_string(), entries: snapshot.entries(map) };
        Self {
            generation: snapshot.generation(),
            maps: present.map(shown).collect(),
            faults: reloader.faults().borrow().iter().map(ToString::to_string).collect(),
        }
    }
}

fn shadow(maps: &MapHandle) -> Response {
    match maps.shadow() {
        Some(shadow) => answer(&shadow.report()),
        None => refuse(StatusCode::NOT_FOUND, "no candidate is asked beside the maps in use"),
    }
}

/// While a large set is read and compared, this waits: not on a thread that serves.
async fn put_in_use(reloader: Reloader, how: fn(&Reloader) -> Response) -> Response {
    let waited = tokio::task::spawn_blocking(move || how(&reloader)).await;
    waited.unwrap_or_else(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))
}

fn accept(reloader: &Reloader) -> Response {
    match reloader.accept() {
        Some(Accepted::InUse(generation)) => answer(&PutInUse { generation: Some(generation) }),
        Some(Accepted::ForSettings) => answer(&PutInUse { generation: None }),
        None => refuse(StatusCode::CONFLICT, "no set waits to be accepted"),
    }
}

fn roll_back(reloader: &Reloader) -> Response {
    match reloader.roll_back() {
        Some(generation) => answer(&PutInUse { generation: Some(generation) }),
        None => refuse(StatusCode::CONFLICT, "there is no set before the one in use"),
    }
}
