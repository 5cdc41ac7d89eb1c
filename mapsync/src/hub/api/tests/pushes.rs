//! Who brings what, and what becomes of it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use switchyard_mapsync_protocol::release::{ALL, Release};

use super::*;
use crate::hub::settings::Bounds;
use crate::hub::testing::bounds;
use crate::testing::key;

/// One more key for releases.
const SECOND: u8 = 9;

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
    let wide = bench.push(&signed(&head(18, Some(hash), &[]), &[PUSH]), "\"1\"").await;
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

/// Past the steps of a rollout, where two must have signed that.
#[tokio::test]
async fn what_moves_hosts_that_nobody_named_needs_a_second_signature_where_it_is_asked_for() {
    let bench = Bench::new();
    let mut next = root(2, PUSH);
    next.roles.release.keys.push(key(SECOND).public());
    let boss = "spiffe://live/admin/bob";
    let answer = bench.ask(boss, Method::POST, "/v1/roots/live", &[], &signed(&next, &[ROOT])).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let one = signed(&head(1, None, &[]), &[PUSH]);
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    let release = |sequence, permille, canaries: &[&str], halted| Release {
        environment: live(),
        sequence,
        generation: 1,
        head: Signed::from_json(&one).unwrap().hash(),
        permille,
        canaries: canaries.iter().map(ToString::to_string).collect(),
        halted,
        undo: false,
        expires: Timestamp(u64::MAX),
    };
    let push = async |release: Release, keys: &[u8]| {
        bench.ask(ANN, Method::POST, "/v1/releases/live", &[], &signed(&release, keys)).await
    };
    assert_eq!(push(release(1, 10, &[], false), &[RELEASE]).await.status, StatusCode::CREATED);
    bench.shared.bounds.store(Arc::new(Bounds { second_signature: true, ..bounds() }));
    for keys in [&[RELEASE][..], &[SECOND], &[RELEASE, RELEASE], &[RELEASE, PUSH]] {
        let answer = push(release(2, ALL, &[], false), keys).await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::FORBIDDEN, "second-signature"));
    }
    assert_eq!(push(release(2, 20, &["mx1"], false), &[RELEASE]).await.problem(), "second-signature");
    assert_eq!(push(release(2, ALL, &[], false), &[PUSH]).await.problem(), "too-few-signatures");
    assert_eq!(push(release(2, 0, &["mx1"], false), &[RELEASE]).await.status, StatusCode::CREATED);
    assert_eq!(push(release(3, ALL, &[], false), &[RELEASE, SECOND]).await.status, StatusCode::CREATED);
    // What ends something waits for nobody.
    assert_eq!(push(release(4, 0, &[], true), &[RELEASE]).await.status, StatusCode::CREATED);
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
