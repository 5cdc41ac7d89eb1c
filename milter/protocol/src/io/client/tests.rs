//! Filters that work, die, stall and talk nonsense, and what the mail gets of it.

mod chain;
mod faults;
mod house;
mod late;
mod room;
mod row;
mod shadow;
mod tls;

use std::sync::Arc;

use bytes::Bytes;
use prometheus::Registry;

use self::house::{Fault, House};
use super::*;
use crate::edits::Message;
use crate::event::{Client, Connect, Event, Path};

/// A pool of these places, and its counters.
fn pool(houses: &[&House], change: impl FnOnce(&mut FilterOptions)) -> (Arc<Pool>, Registry) {
    let registry = Registry::new();
    let mut options = FilterOptions::new("scan", houses.iter().map(|house| house.endpoint()).collect());
    change(&mut options);
    let metrics = ClientMetrics::register(&registry).unwrap();
    (Arc::new(Pool::new(options, metrics)), registry)
}

/// The sum of a counter whose labels have all of these values.
fn count(registry: &Registry, name: &str, values: &[&str]) -> u64 {
    let families = registry.gather();
    let metrics =
        families.iter().filter(|family| family.name() == name).flat_map(|family| family.get_metric());
    let fits = |metric: &&prometheus::proto::Metric| {
        values.iter().all(|value| metric.get_label().iter().any(|label| label.value() == *value))
    };
    metrics.filter(fits).map(|metric| metric.get_counter().get_value() as u64).sum()
}

fn connect() -> Event {
    Event::Connect(Connect { host: "h".into(), client: Client::Unknown })
}

/// What comes before the content.
fn envelope() -> [Event; 5] {
    [
        connect(),
        Event::Helo("h".into()),
        Event::EnvFrom(Path::new("<a@b>")),
        Event::EnvRcpt(Path::new("<c@d>")),
        Event::Data,
    ]
}

fn mail() -> Message {
    Message::from_wire(&Bytes::new(), &Bytes::from_static(b"Subject: hi\r\n\r\nhello\r\n"))
}

/// A whole message; the outcome of its end, or the first that is not to go on.
async fn send(session: &mut Session) -> Outcome {
    for event in envelope() {
        let outcome = session.tell(event).await;
        if outcome.verdict != Verdict::GoOn {
            return outcome;
        }
    }
    session.message(&mail()).await
}

const ALL: [&str; 10] =
    ["connect", "helo", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom", "answered"];

#[tokio::test]
async fn a_message_is_told_once_and_its_edits_come_back() {
    let house = House::new(Fault::None);
    let (pool, registry) = pool(&[&house], |options| options.kept = 1);
    let mut session = Session::new(pool.clone());
    let outcome = send(&mut session).await;
    assert_eq!(outcome, Outcome { verdict: Verdict::GoOn, edits: house::edits(), by: By::Filter });
    assert_eq!(house.told(), ALL);
    session.close();
    // The next client comes over the same connection.
    let mut session = Session::new(pool);
    assert_eq!(send(&mut session).await.edits, house::edits());
    session.close();
    assert_eq!((house.told(), house.connections()), ([&ALL[..], &["next session"], &ALL].concat(), 1));
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &[]), 0);
}

#[tokio::test]
async fn what_the_filter_does_not_want_is_not_sent() {
    use crate::negotiate::Steps;
    let steps = Steps::NO_CONNECT | Steps::NO_HELO | Steps::NO_HEADERS | Steps::NO_BODY | Steps::NO_DATA;
    let house = House::wanting(steps | Steps::NO_REPLY_EOH | Steps::LEADING_SPACE, Fault::None);
    let (pool, _) = pool(&[&house], |_| ());
    let outcome = send(&mut Session::new(pool)).await;
    assert_eq!(outcome.edits, house::edits());
    assert_eq!(house.told(), ["envfrom", "envrcpt", "eoh", "eom", "answered"]);
}
