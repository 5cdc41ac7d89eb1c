//! What is told to those who wait, and what hosts tell.

use futures_util::FutureExt as _;

use super::rights::fits;
use super::*;
use crate::hub::testing::status;

#[tokio::test]
async fn who_waits_hears_at_once_that_the_hub_goes() {
    let bench = Bench::new();
    let more = [("if-none-match", "\"0\""), ("prefer", "wait=50")];
    let mut waits = Box::pin(bench.get(MX1, "/v1/heads/live", &more));
    assert!(waits.as_mut().now_or_never().is_none());
    bench.shared.drain.begin();
    assert_eq!(waits.await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn events_tell_what_is_new_and_nothing_twice() {
    let bench = Bench::new();
    let mut all = bench.hear("").await;
    let (name, id, data) = all.next().await.unwrap();
    assert_eq!((name.as_str(), id.as_str()), ("root", "1.0.0"));
    assert_eq!(data.as_bytes(), signed(&root(1, PUSH), &[ROOT]));
    let mut news = bench.hear("1.0.0").await;
    let mut waits = Box::pin(news.next());
    assert!(waits.as_mut().now_or_never().is_none(), "nothing is new");

    // A message in several lines is one event all the same.
    let mut one = signed(&head(1, None, &[]), &[PUSH]);
    one.insert(1, b'\n');
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    let (name, id, data) = waits.await.unwrap();
    assert_eq!((name.as_str(), id.as_str()), ("head", "1.1.0"));
    assert_eq!(Signed::from_json(data.as_bytes()).unwrap(), Signed::from_json(&one).unwrap());
    assert_eq!(all.next().await.unwrap().0, "head");
    let mut end = Box::pin(news.next());
    assert!(end.as_mut().now_or_never().is_none());
    bench.shared.drain.begin();
    assert_eq!(end.await, None);
}

#[tokio::test]
async fn a_host_speaks_for_itself_and_the_fleet_is_listed() {
    let bench = Bench::new();
    let status = |host: &str| {
        let mut status = status(host);
        status.progress.reason = Some("all is well".to_owned());
        status.to_json().unwrap()
    };
    let say = async |as_host: &str, octets: &[u8]| {
        let path = format!("/v1/agents/{as_host}/status");
        bench.ask(MX1, Method::POST, &path, &[], octets).await
    };
    assert_eq!(say("mx1", &status("mx1")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(say("mx2", &status("mx2")).await.problem(), "forbidden");
    assert_eq!(say("mx1", &status("mx2")).await.problem(), "forbidden");
    assert_eq!(say("mx1", b"{}").await.problem(), "malformed");
    assert_eq!(say("mx1", &[b' '; 20_000]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let fleet = bench.get(EVE, "/v1/fleet/live", &[]).await.json();
    assert_eq!(fleet["hosts"].as_array().unwrap().len(), 1);
    let host = &fleet["hosts"][0];
    assert_eq!((&host["host"], &host["progress"]["reason"]), (&"mx1".into(), &"all is well".into()));
    assert_eq!((&host["age"], &fleet["generation"]), (&0.into(), &0.into()));
    fits("Fleet", &fleet);
}
