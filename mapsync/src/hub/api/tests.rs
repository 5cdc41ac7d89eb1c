//! Requests against the routes themselves, by people of every role; no socket.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_mapsync_protocol::envelope::{Message, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, Head, Kind};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::release::{ALL, Release};
use switchyard_mapsync_protocol::root::{self, Roles, Root};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use super::guard::RIGHTS;
use super::*;
use crate::hub::testing::hub;

const ROOT: u8 = 1;
const PUSH: u8 = 2;
const RELEASE: u8 = 3;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32]).unwrap()
}

fn live() -> Environment {
    Environment::try_from("live".to_owned()).unwrap()
}

pub(crate) fn signed(message: &impl Message, keys: &[u8]) -> Vec<u8> {
    let mut signed = Signed::new(message).unwrap();
    keys.iter().for_each(|seed| signed.sign(&key(*seed)));
    signed.to_json().unwrap()
}

fn root(version: u64, push: u8) -> Root {
    let role = |seed: u8| root::Role { keys: vec![key(seed).public()], threshold: 1 };
    let roles = Roles { root: role(ROOT), push: role(push), release: role(RELEASE) };
    Root { environment: live(), version, expires: Timestamp(u64::MAX), roles }
}

fn head(generation: u64, previous: Option<Hash>, files: &[(&str, &[u8])]) -> Head {
    let file = |(path, octets): &(&str, &[u8])| File {
        path: path.to_string().try_into().unwrap(),
        kind: Kind::Text,
        hash: Hash::of(octets),
        bytes: octets.len() as u64,
        records: 0,
    };
    Head {
        environment: live(),
        generation,
        previous,
        created: Timestamp(1),
        expires: Timestamp(u64::MAX),
        author: "ann".to_owned(),
        note: format!("change {generation}"),
        files: files.iter().map(file).collect(),
    }
}

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
        request.extensions_mut().insert(Caller::new(who.parse()));
        let answer = TowerToHyperService::new(self.routes.clone()).call(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.into_body().collect().await.unwrap().to_bytes().to_vec();
        Answer { status, headers, body }
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

const ANN: &str = "spiffe://live/push/ann";
const MX1: &str = "spiffe://live/agent/mx1";
const EVE: &str = "spiffe://live/read/eve";

#[tokio::test]
async fn a_push_is_seen_by_who_waits_for_it() {
    let bench = Bench::new();
    assert_eq!(bench.get(MX1, "/v1/heads/live", &[]).await.problem(), "not-found");
    let mut waits =
        Box::pin(bench.get(MX1, "/v1/heads/live", &[("if-none-match", "\"0\""), ("prefer", "wait=50")]));
    assert!(waits.as_mut().now_or_never().is_none());

    let one = signed(&head(1, None, &[("maps/transport", b"a b\n"), ("site.toml", b"x")]), &[PUSH]);
    let missing = bench.push(&one, "\"0\"").await;
    assert_eq!(
        (missing.status, missing.problem().as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "missing-files")
    );
    let hashes = [Hash::of(b"a b\n"), Hash::of(b"x")].map(|hash| hash.to_string());
    assert_eq!(missing.json()["missing"], serde_json::json!(hashes));
    assert_eq!(bench.put(b"a b\n").await.status, StatusCode::CREATED);
    assert_eq!(bench.put(b"x").await.status, StatusCode::CREATED);
    assert_eq!(bench.put(b"x").await.status, StatusCode::OK);
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);

    let seen = waits.await;
    assert_eq!((seen.status, &seen.headers[header::ETAG]), (StatusCode::OK, &"\"1\"".parse().unwrap()));
    assert_eq!(seen.body, one, "octet for octet");
    let known = bench.get(MX1, "/v1/heads/live", &[("if-none-match", "\"1\"")]).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));

    let blob = format!("/v1/blobs/{}", Hash::of(b"a b\n"));
    let whole = bench.get(MX1, &blob, &[]).await;
    assert_eq!((whole.status, &whole.body[..]), (StatusCode::OK, &b"a b\n"[..]));
    let part = bench.get(MX1, &blob, &[("range", "bytes=2-")]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"b\n"[..]));
    assert_eq!(part.headers[header::CONTENT_RANGE], "bytes 2-3/4");
    let asked = bench.ask(MX1, Method::HEAD, &blob, &[], b"").await;
    assert_eq!((asked.status, &asked.headers[header::CONTENT_LENGTH]), (StatusCode::OK, &4.into()));
    assert_eq!(bench.get(MX1, &blob, &[("range", "bytes=9-")]).await.problem(), "range");
}

#[tokio::test]
async fn of_two_pushes_at_once_one_wins_and_the_same_one_again_is_no_other() {
    let bench = Bench::new();
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let hash = Signed::from_json(&one).unwrap().hash();
    assert_eq!(bench.push(&one, "x").await.problem(), "no-condition");
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    let again = bench.push(&one, "\"0\"").await;
    assert_eq!((again.status, again.json()["number"].as_u64()), (StatusCode::OK, Some(1)));

    let two = signed(&head(2, Some(hash), &[]), &[PUSH]);
    let mut other = head(2, Some(hash), &[]);
    other.note = "another".to_owned();
    let other = signed(&other, &[PUSH]);
    let (first, second) = tokio::join!(bench.push(&two, "\"1\""), bench.push(&other, "\"1\""));
    let lost = if first.status == StatusCode::CREATED { second } else { first };
    assert_eq!((lost.status, lost.problem().as_str()), (StatusCode::PRECONDITION_FAILED, "lost-race"));
    assert_eq!(lost.json()["current"], 2);

    let listed = bench.get(EVE, "/v1/generations/live?limit=1", &[]).await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["generation"], &listed[0]["author"]), (&2.into(), &"ann".into()));
    let old = bench.get(MX1, "/v1/generations/live/1", &[]).await;
    assert_eq!(old.body, one);
    assert_eq!(bench.get(MX1, "/v1/generations/live/7", &[]).await.problem(), "not-found");
}

#[tokio::test]
async fn y1_y3_y4_a_hub_takes_nothing_that_a_host_would_refuse() {
    let bench = Bench::new();
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let hash = Signed::from_json(&one).unwrap().hash();
    assert_eq!(
        bench.push(&signed(&head(1, None, &[]), &[ROOT]), "\"0\"").await.problem(),
        "too-few-signatures"
    );
    assert_eq!(bench.push(b"{}", "\"0\"").await.problem(), "malformed");
    let expired = Head { expires: Timestamp(2), ..head(1, None, &[]) };
    assert_eq!(bench.push(&signed(&expired, &[PUSH]), "\"0\"").await.problem(), "refused");
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    let wide = bench.push(&signed(&head(3, Some(hash), &[]), &[PUSH]), "\"1\"").await;
    assert_eq!((wide.problem().as_str(), &wide.json()["next"]), ("gap", &2.into()));
    let unrelated = signed(&head(2, Some(Hash::of(b"other")), &[]), &[PUSH]);
    assert_eq!(bench.push(&unrelated, "\"1\"").await.problem(), "refused");

    // A root by other keys, and the next one: from then on the old push key is nobody.
    let roots = "/v1/roots/live";
    let boss = "spiffe://live/admin/bob";
    let forged = signed(&root(2, 7), &[PUSH]);
    let answer = bench.ask(boss, Method::POST, roots, &[], &forged).await;
    assert_eq!(answer.problem(), "too-few-signatures");
    let next = signed(&root(2, 7), &[ROOT]);
    assert_eq!(bench.ask(boss, Method::POST, roots, &[], &next).await.status, StatusCode::CREATED);
    assert_eq!(bench.get(MX1, roots, &[("if-none-match", "\"1\"")]).await.body, next);
    assert_eq!(bench.get(MX1, "/v1/heads/live", &[]).await.problem(), "not-found");
    let two = head(2, Some(hash), &[]);
    assert_eq!(bench.push(&signed(&two, &[PUSH]), "\"0\"").await.problem(), "too-few-signatures");
    assert_eq!(bench.push(&signed(&two, &[7]), "\"0\"").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_release_names_a_head_that_is_here() {
    let bench = Bench::new();
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let release = Release {
        environment: live(),
        sequence: 1,
        generation: 1,
        head: Signed::from_json(&one).unwrap().hash(),
        permille: ALL,
        canaries: Vec::new(),
        halted: false,
        undo: false,
        expires: Timestamp(u64::MAX),
    };
    let octets = signed(&release, &[RELEASE]);
    let path = "/v1/releases/live";
    let push = async || bench.ask(ANN, Method::POST, path, &[], &octets).await;
    assert_eq!(push().await.problem(), "refused");
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    assert_eq!(push().await.status, StatusCode::CREATED);
    assert_eq!(push().await.status, StatusCode::OK);
    let shown = bench.get(MX1, path, &[]).await;
    assert_eq!((&shown.body, &shown.headers[header::ETAG]), (&octets, &"\"1\"".parse().unwrap()));
}

#[tokio::test]
async fn y6_a_file_is_what_its_name_says_and_no_longer_than_may_be() {
    let bench = Bench::new();
    let path = format!("/v1/blobs/{}", Hash::of(b"one"));
    let wrong = bench.ask(ANN, Method::PUT, &path, &[], b"two").await;
    assert_eq!((wrong.status, wrong.problem().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "wrong-hash"));
    assert_eq!(bench.put(&[0; 100_001]).await.problem(), "too-long");
    for bad in ["x", "blake3-00", "..%2f..%2fetc%2fpasswd"] {
        let answer = bench.get(MX1, &format!("/v1/blobs/{bad}"), &[]).await;
        assert_eq!(answer.problem(), "bad-request", "{bad}");
    }
    for _ in 0..2 {
        bench.put(&vec![7; 100_000]).await;
    }
    bench.put(&vec![8; 100_000]).await;
    assert_eq!(bench.put(&vec![9; 100_000]).await.problem(), "full");
    assert_eq!(bench.shared.blobs.octets(), 200_000);
}

/// Every role at every route: what the table does not give is refused, and what it gives is there.
#[tokio::test]
async fn y8_y11_each_role_has_its_routes_and_no_others() {
    let bench = Bench::new();
    let fill = |path: &str| {
        path.replace("{environment}", "live")
            .replace("{hash}", &Hash::of(b"nothing").to_string())
            .replace("{version}", "1")
            .replace("{generation}", "1")
    };
    for right in RIGHTS {
        for role in crate::identity::Role::ALL {
            let who = format!("spiffe://live/{role}/x");
            let answer = bench.ask(&who, right.method.clone(), &fill(right.path), &[], b"").await;
            let (method, path) = (&right.method, right.path);
            let is_refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(!is_refused, right.roles.contains(&role), "{role}: {method} {path}");
            assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        }
        // The same authority, another environment; and a certificate without an identity.
        let other = "spiffe://test/admin/x";
        if right.path.contains("{environment}") {
            let answer = bench.ask(other, right.method.clone(), &fill(right.path), &[], b"").await;
            assert_eq!(answer.problem(), "forbidden");
        }
        let nobody = bench.ask("https://x", right.method.clone(), &fill(right.path), &[], b"").await;
        assert_eq!(nobody.problem(), "forbidden");
    }
    assert_eq!(bench.get(MX1, "/v1/none", &[]).await.problem(), "not-found");
    assert_eq!(bench.ask(ANN, Method::DELETE, "/v1/heads/live", &[], b"").await.problem(), "method");
}

#[tokio::test]
async fn who_waits_hears_at_once_that_the_hub_goes() {
    let bench = Bench::new();
    let more = [("if-none-match", "\"0\""), ("prefer", "wait=50")];
    let mut waits = Box::pin(bench.get(MX1, "/v1/heads/live", &more));
    assert!(waits.as_mut().now_or_never().is_none());
    bench.shared.drain.begin();
    assert_eq!(waits.await.status, StatusCode::NOT_MODIFIED);
}
