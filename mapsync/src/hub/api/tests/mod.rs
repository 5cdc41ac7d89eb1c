//! Requests against the routes themselves, by people of every role; no socket.

mod files;
mod page;
mod pushes;
mod questions;
mod rights;
mod told;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, Head, Kind};

use super::*;
use crate::hub::door::Caller;
use crate::hub::testing::hub;
use crate::testing::{PUSH, RELEASE, ROOT, head, live, root, signed};

/// A hub, and the folder that goes with it.
struct Bench {
    routes: Router,
    shared: Shared,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The last word of a problem's type.
    fn problem(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.status);
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        assert_eq!(self.json()["status"], self.status.as_u16());
        kind.strip_prefix("urn:switchyard:problem:").unwrap().to_owned()
    }
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = hub(folder.path(), &signed(&root(1, PUSH), &[ROOT]), Clock::system(), Drain::new());
        Self { routes: routes(&shared), shared, _folder: folder }
    }

    async fn ask(&self, who: &str, method: Method, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_vec())).unwrap();
        request.extensions_mut().insert(caller(who));
        let answer = self.answered(request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.into_body();
        // Events have no end.
        let is_endless = path.starts_with("/v1/events") || path.ends_with("/live/live");
        let is_endless = is_endless && status == StatusCode::OK;
        let body = match is_endless {
            true => Vec::new(),
            false => body.collect().await.unwrap().to_bytes().to_vec(),
        };
        Answer { status, headers, body }
    }

    async fn answered(&self, request: Request<Body>) -> Response {
        TowerToHyperService::new(self.routes.clone()).call(request).await.unwrap()
    }

    /// The events of `live`, from what is known on, as they come.
    async fn hear(&self, known: &str) -> Events {
        self.listen(MX1, "/v1/events/live", known).await
    }

    async fn listen(&self, who: &str, path: &str, known: &str) -> Events {
        let mut request = Request::get(path).header("last-event-id", known);
        request.extensions_mut().unwrap().insert(caller(who));
        let answer = self.answered(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events(answer.into_body())
    }

    async fn get(&self, who: &str, path: &str, more: &[(&str, &str)]) -> Answer {
        self.ask(who, Method::GET, path, more, b"").await
    }

    async fn put(&self, octets: &[u8]) -> Answer {
        self.ask(ANN, Method::PUT, &format!("/v1/blobs/{}", Hash::of(octets)), &[], octets).await
    }

    async fn push(&self, head: &[u8], after: &str) -> Answer {
        self.ask(ANN, Method::POST, "/v1/generations/live", &[("if-match", after)], head).await
    }
}

/// Whom a certificate names, with a space between two.
fn caller(who: &str) -> Caller {
    Caller::new(who.split(' ').map(str::parse).collect())
}

struct Events(Body);

impl Events {
    /// The next event: its name, its id and its data; none when the hub has ended them.
    async fn next(&mut self) -> Option<(String, String, String)> {
        let mut octets = Vec::new();
        while !octets.ends_with(b"\n\n") {
            octets.extend_from_slice(&self.0.frame().await?.unwrap().into_data().unwrap());
        }
        let text = String::from_utf8(octets).unwrap();
        // A field without a value is not sent.
        let line = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            found.unwrap_or_default().to_owned()
        };
        Some((line("event"), line("id"), line("data")))
    }
}

const ANN: &str = "spiffe://live/push/ann";
const MX1: &str = "spiffe://live/agent/mx1";
const EVE: &str = "spiffe://live/read/eve";
