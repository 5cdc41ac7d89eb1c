//! What is told to those who wait, and what hosts tell.

use futures_util::FutureExt as _;

use super::rights::fits;
use super::*;
use crate::client::{Said, Words};
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

#[tokio::test]
async fn hubs_tell_one_another_what_hosts_say() {
    const HUB: &str = "spiffe://live/hub/hub2";
    let (bench, other) = (Bench::new(), Bench::new());
    let path = "/v1/fleet/live/words";
    let status = status("mx1").to_json().unwrap();
    let said = bench.ask(MX1, Method::POST, "/v1/agents/mx1/status", &[], &status).await;
    assert_eq!(said.status, StatusCode::NO_CONTENT);
    let told = bench.get(HUB, path, &[]).await;
    fits("Words", &told.json());
    let words: Words = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((words.place, words.more, words.words[0].status.host.as_str()), (1, false, "mx1"));

    // It comes to the other one, which has nothing to say about it to the first.
    let bring = async |words: &Words| {
        other.ask(HUB, Method::POST, path, &[], &serde_json::to_vec(words).unwrap()).await.status
    };
    assert_eq!(bring(&words).await, StatusCode::NO_CONTENT);
    let fleet = other.get(EVE, "/v1/fleet/live", &[]).await.json();
    assert_eq!(fleet["hosts"][0]["host"], "mx1");
    let count = async |query: &str| {
        let told = other.get(HUB, &format!("{path}?{query}"), &[]).await.json();
        told["words"].as_array().unwrap().len()
    };
    let own = other.shared.boards["live"].fleet.run();
    assert_eq!(count(&format!("without={}", words.run)).await, 0);
    assert_eq!(count(&format!("run={own}&after=1")).await, 0);
    // What counts words of another run knows none of these.
    assert_eq!(count(&format!("run={}&after=1", own + 1)).await, 1);

    // What is of no bounds, or of another environment, is not kept.
    let said = |change: fn(&mut Said)| {
        let mut words = words.clone();
        words.words[0].status.host = "mx2".to_owned();
        change(&mut words.words[0]);
        words
    };
    let long = said(|said| said.status.role = "x".repeat(1000));
    let foreign = said(|said| said.status.environment = "test".to_owned().try_into().unwrap());
    assert_eq!(bring(&long).await, StatusCode::NO_CONTENT);
    assert_eq!(bring(&foreign).await, StatusCode::NO_CONTENT);
    assert_eq!(other.get(EVE, "/v1/fleet/live", &[]).await.json()["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(bench.ask(HUB, Method::POST, path, &[], b"{}").await.problem(), "malformed");
    assert_eq!(bench.get(HUB, &format!("{path}?after=x"), &[]).await.problem(), "bad-request");
}
