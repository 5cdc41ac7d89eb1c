//! What all hosts are asked, who hears of it, and what comes back.

use futures_util::FutureExt as _;
use switchyard_mapsync_protocol::question::{Answer as Said, Asked, Check, Finding, Question};

use super::rights::fits;
use super::*;
use crate::hub::testing::status;

impl Bench {
    /// Hosts that are heard.
    async fn hosts(&self, names: &[&str]) {
        for host in names {
            let (who, path) = (format!("spiffe://live/agent/{host}"), format!("/v1/agents/{host}/status"));
            let answer = self.ask(&who, Method::POST, &path, &[], &status(host).to_json().unwrap()).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT);
        }
    }

    /// The events of a question.
    async fn question(&self, hosts: &[&str]) -> Events {
        let mut request = Request::post("/v1/questions/live");
        request.extensions_mut().unwrap().insert(caller(ANN));
        let answer = self.answered(request.body(Body::from(question(hosts))).unwrap()).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events(answer.into_body())
    }

    async fn say(&self, who: &str, said: &Said) -> Answer {
        let path = format!("/v1/agents/{}/answers", said.host);
        self.ask(who, Method::POST, &path, &[], &said.to_json().unwrap()).await
    }
}

fn question(hosts: &[&str]) -> Vec<u8> {
    let hosts = hosts.iter().map(ToString::to_string).collect();
    Question { checks: vec![Check::Version, Check::Generation], hosts, wait: 20 }.to_json().unwrap()
}

fn said(host: &str, question: u64) -> Said {
    let findings = vec![Finding::fine("0.1.0"), Finding::wrong("no generation is in use")];
    Said { environment: live(), host: host.to_owned(), role: "mx".to_owned(), question, findings }
}

/// The next event that says something.
async fn told(events: &mut Events, name: &str) -> Value {
    loop {
        let (is, _, data) = events.next().await.unwrap();
        // What only keeps the connection alive has no name.
        if !is.is_empty() {
            assert_eq!(is, name);
            return serde_json::from_str(&data).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_host_is_asked_at_once_and_who_is_silent_is_told() {
    let bench = Bench::new();
    bench.hosts(&["mx1", "mx2"]).await;
    let more = [("if-none-match", "\"0\""), ("prefer", "wait=50"), ("switchyard-question", "0")];
    let mut waits = Box::pin(bench.get(MX1, "/v1/releases/live", &more));
    assert!(waits.as_mut().now_or_never().is_none(), "nothing is asked");

    let mut news = bench.hear("1.0.0").await;
    let mut events = bench.question(&[]).await;
    let asked = told(&mut events, "asked").await;
    assert_eq!(asked["hosts"], 2);
    let number = asked["question"].as_u64().unwrap();
    assert_eq!(told(&mut news, "question").await, number);
    let woken = waits.await;
    assert_eq!(woken.status, StatusCode::NOT_MODIFIED);
    assert_eq!(woken.headers["switchyard-question"], number.to_string());
    // Who knows it waits on; who never heard of questions is told of none.
    let known = number.to_string();
    let more = [("if-none-match", "\"0\""), ("prefer", "wait=50"), ("switchyard-question", known.as_str())];
    assert!(Box::pin(bench.get(MX1, "/v1/releases/live", &more)).now_or_never().is_none());
    assert!(Box::pin(bench.get(MX1, "/v1/releases/live", &more[..2])).now_or_never().is_none());
    assert!(
        !bench.get(MX1, "/v1/releases/live", &more[..1]).await.headers.contains_key("switchyard-question")
    );

    let open = bench.get(MX1, "/v1/questions/live", &[]).await;
    fits("Asked", &open.json()[0]);
    let open = Asked::all_from_json(&open.body).unwrap();
    assert_eq!(open, [Asked { number, checks: vec![Check::Version, Check::Generation] }]);
    assert_eq!(bench.say(MX1, &said("mx1", number)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bench.get(MX1, "/v1/questions/live", &[]).await.json(), serde_json::json!([]));
    let answers = told(&mut events, "answers").await;
    fits("Answer", &answers[0]);
    assert_eq!(serde_json::from_value::<Vec<Said>>(answers).unwrap(), [said("mx1", number)]);
    // Nobody speaks for another, and nobody is heard when it is over.
    assert_eq!(bench.say(MX1, &said("mx2", number)).await.problem(), "forbidden");
    let end = told(&mut events, "end").await;
    assert_eq!(end, serde_json::json!({ "answered": 1, "silent": ["mx2"] }));
    assert_eq!(events.next().await, None);
    drop(events);
    let late = bench.say("spiffe://live/agent/mx2", &said("mx2", number)).await;
    assert_eq!(late.problem(), "not-found");
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_last_answer_and_only_those_are_asked_who_are_named() {
    let bench = Bench::new();
    bench.hosts(&["mx1", "mx2"]).await;
    let mut events = bench.question(&["mx1", "gone"]).await;
    let number = told(&mut events, "asked").await["question"].as_u64().unwrap();
    let other = bench.get("spiffe://live/agent/mx2", "/v1/questions/live", &[]).await;
    assert_eq!(other.json(), serde_json::json!([]));
    bench.say(MX1, &said("mx1", number)).await;
    told(&mut events, "answers").await;
    assert_eq!(told(&mut events, "end").await["silent"], serde_json::json!(["gone"]));

    let start = tokio::time::Instant::now();
    let mut events = bench.question(&["mx1"]).await;
    let number = told(&mut events, "asked").await["question"].as_u64().unwrap();
    bench.say(MX1, &said("mx1", number)).await;
    told(&mut events, "answers").await;
    assert_eq!(told(&mut events, "end").await["silent"], serde_json::json!([]));
    assert_eq!(start.elapsed(), std::time::Duration::ZERO, "nobody is waited for");

    // A hub that goes says what it has.
    let mut events = bench.question(&["mx1"]).await;
    told(&mut events, "asked").await;
    bench.shared.drain.begin();
    assert_eq!(told(&mut events, "end").await["silent"], serde_json::json!(["mx1"]));
}

#[tokio::test]
async fn only_who_pushes_asks_and_only_what_there_is_to_ask() {
    let bench = Bench::new();
    let ask = async |who: &str, octets: &[u8]| {
        bench.ask(who, Method::POST, "/v1/questions/live", &[], octets).await
    };
    for who in [MX1, EVE, "spiffe://live/hub/hub2"] {
        assert_eq!(ask(who, &question(&[])).await.problem(), "forbidden", "{who}");
    }
    for wrong in [&b"{}"[..], br#"{"checks":[{"check":"run","what":"ls"}],"wait":1}"#] {
        assert_eq!(ask(ANN, wrong).await.problem(), "malformed");
    }
    assert_eq!(ask(ANN, &vec![b' '; 200_000]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let open: Vec<_> = futures_util::future::join_all((0..8).map(|_| bench.question(&["mx1"]))).await;
    assert_eq!(ask(ANN, &question(&["mx1"])).await.problem(), "busy");
    drop(open);
    let mut events = bench.question(&["mx1"]).await;
    assert_eq!(told(&mut events, "asked").await["hosts"], 1, "who hangs up makes room");
}
