//! The page for browsers, and what it hears.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;
use crate::hub::testing::status;

#[tokio::test]
async fn the_page_is_of_one_s_own_environment_and_loads_nothing_from_elsewhere() {
    let bench = Bench::new();
    for (path, kind, text) in [
        ("/", "text/html; charset=utf-8", "data-environment=\"live\""),
        ("/page.css", "text/css; charset=utf-8", "@media"),
        ("/page.js", "text/javascript; charset=utf-8", "EventSource(`/v1/fleet/${environment}/live`)"),
    ] {
        let answer = bench.get(EVE, path, &[]).await;
        assert_eq!(
            (answer.status, &answer.headers[header::CONTENT_TYPE]),
            (StatusCode::OK, &kind.parse().unwrap())
        );
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
        let body = String::from_utf8(answer.body).unwrap();
        assert!(body.contains(text), "{path}");
        let foreign = body.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !foreign.contains("//www.") && !foreign.contains("http:") && !foreign.contains("https:"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn who_looks_gets_all_hosts_first_and_then_those_that_changed() {
    tokio::time::pause();
    let bench = Bench::new();
    let say = async |host: &str, nonce: u64| {
        let mut status = status(host);
        (status.nonce, status.at) = (nonce, Timestamp(nonce));
        let path = format!("/v1/agents/{host}/status");
        let who = format!("spiffe://live/agent/{host}");
        let answer = bench.ask(&who, Method::POST, &path, &[], &status.to_json().unwrap()).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    };
    say("mx1", 1).await;
    say("mx2", 1).await;
    let mut news = bench.listen(EVE, "/v1/fleet/live/live", "").await;
    let names = |data: &str| {
        let news: Value = serde_json::from_str(data).unwrap();
        let hosts = news["hosts"].as_array().unwrap().iter();
        hosts.map(|host| host["host"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (name, _, data) = news.next().await.unwrap();
    assert_eq!((name.as_str(), names(&data)), ("fleet", vec!["mx1".to_owned(), "mx2".to_owned()]));
    let mut waits = Box::pin(news.next());
    assert!(waits.as_mut().now_or_never().is_none(), "nothing is new");
    say("mx2", 2).await;
    say("mx3", 1).await;
    let (_, _, data) = tokio::time::timeout(Duration::from_secs(1), waits).await.unwrap().unwrap();
    assert_eq!(names(&data), ["mx2", "mx3"]);

    // A push is told as well, though no host has said anything.
    let one = signed(&head(1, None, &[]), &[PUSH]);
    assert_eq!(bench.push(&one, "\"0\"").await.status, StatusCode::CREATED);
    let (_, _, data) = news.next().await.unwrap();
    let told: Value = serde_json::from_str(&data).unwrap();
    assert_eq!((&told["newest"]["generation"], &told["newest"]["author"]), (&1.into(), &"ann".into()));
    assert!(names(&data).is_empty());
    bench.shared.drain.begin();
    assert_eq!(news.next().await, None);
}
