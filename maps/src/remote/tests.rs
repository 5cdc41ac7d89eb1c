//! What is asked, how often, and what is remembered of it.

mod away;
mod server;

use std::future::Future;

use prometheus::Registry;
use tokio::time;

use self::server::{Act, Server};
use super::*;

fn options() -> RemoteOptions {
    RemoteOptions {
        fresh: Duration::from_secs(10),
        stale: Duration::from_secs(1000),
        breaker_failures: 3,
        breaker_pause: Duration::from_secs(60),
        ..RemoteOptions::default()
    }
}

fn remote_with(table: &str, options: &RemoteOptions) -> (Remote, Registry) {
    let registry = Registry::new();
    let metrics = RemoteMetrics::register(&registry).unwrap();
    let table = TableSpec::parse(table).unwrap();
    (Remote::new(MapName::VirtualAlias, &table, options, &metrics).unwrap(), registry)
}

fn remote(server: &Server) -> Remote {
    remote_with(&server.table(), &options()).0
}

fn value(text: &str) -> RemoteAnswer {
    Some(text.into())
}

/// Moves the clock, and lets it run again: a clock that stands would jump over real sockets.
async fn pass(seconds: u64) {
    time::pause();
    time::advance(Duration::from_secs(seconds)).await;
    time::resume();
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    within(what, wait).await;
}

async fn within<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match time::timeout(Duration::from_secs(20), wait).await {
        Ok(done) => done,
        Err(_) => panic!("{what}"),
    }
}

fn metric(registry: &Registry, name: &str, label: &str) -> f64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name).unwrap();
    let with_label = |metric: &&prometheus::proto::Metric| {
        label.is_empty() || metric.get_label().iter().any(|pair| pair.value() == label)
    };
    let metrics = family.get_metric().iter().filter(with_label);
    metrics.map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value()).sum()
}

#[tokio::test]
async fn a_key_is_asked_once_and_remembered() {
    let server = Server::start(Act::Say("OK a@x.example")).await;
    let (remote, registry) = remote_with(&server.table(), &options());
    assert_eq!(remote.peek("a"), Peek::Unknown);
    remote.fetch("a").await.unwrap();
    assert_eq!(remote.peek("a"), Peek::Answer(value("a@x.example")));
    server.act(Act::Say("NOTFOUND "));
    remote.fetch("b").await.unwrap();
    assert_eq!(remote.peek("b"), Peek::Answer(None));
    assert_eq!(remote.peek("a"), Peek::Answer(value("a@x.example")));
    assert_eq!(server.asked(), ["a", "b"]);
    assert_eq!(server.connections().0, 1, "the connection is kept");

    let requests = "switchyard_map_remote_requests_total";
    assert_eq!((metric(&registry, requests, "found"), metric(&registry, requests, "not_found")), (1.0, 1.0));
    assert_eq!(metric(&registry, "switchyard_map_remote_answers_total", "cache"), 3.0);
}

#[tokio::test]
async fn who_asks_for_the_same_key_waits_for_one_request() {
    let server = Server::start(Act::Hold("OK v")).await;
    let remote = remote(&server);
    let fetches: Vec<_> = (0..50)
        .map(|_| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.fetch("a").await })
        })
        .collect();
    // One who goes away takes nobody else's answer along.
    fetches[0].abort();
    until("the server is asked", || server.asked().len() == 1).await;
    server.release(1);
    for fetch in fetches.into_iter().skip(1) {
        assert_eq!(fetch.await.unwrap(), Ok(()));
    }
    assert_eq!(server.asked(), ["a"]);
    assert_eq!(remote.peek("a"), Peek::Answer(value("v")));
}

#[tokio::test]
async fn connections_are_bounded() {
    let server = Server::start(Act::Hold("OK v")).await;
    let (remote, _) = remote_with(&server.table(), &RemoteOptions { connections: 2, ..options() });
    let fetches: Vec<_> = (0..20)
        .map(|number| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.fetch(&format!("key{number}")).await })
        })
        .collect();
    until("two are under way", || server.asked().len() == 2).await;
    server.release(20);
    for fetch in fetches {
        assert_eq!(fetch.await.unwrap(), Ok(()));
    }
    assert_eq!((server.asked().len(), server.connections()), (20, (2, 2)));
}

#[tokio::test]
async fn requests_that_wait_are_bounded() {
    let server = Server::start(Act::Hang).await;
    let remote = remote(&server);
    let fetches: Vec<_> =
        (0..MAX_UNDER_WAY).map(|number| remote.ask(&format!("key{number}")).unwrap()).collect();
    assert_eq!(remote.fetch("one more").await, Err(RemoteError::Busy));
    assert_eq!(remote.peek("one more"), Peek::Unavailable("too many keys wait for an answer".into()));
    drop(fetches);
}

#[tokio::test]
async fn a_reply_that_nobody_asked_for_answers_nothing() {
    let server = Server::start(Act::Send(b"4:OK a,4:OK b,".to_vec())).await;
    let remote = remote(&server);
    remote.fetch("a").await.unwrap();
    server.act(Act::Say("OK c"));
    remote.fetch("c").await.unwrap();
    assert_eq!(remote.peek("c"), Peek::Answer(value("c")));
    assert_eq!(server.connections().0, 2);
}

#[tokio::test]
async fn keys_that_no_server_can_hold_are_not_asked() {
    let server = Server::start(Act::Say("OK v")).await;
    let remote = remote(&server);
    for (key, peek) in [
        (String::new(), Peek::Answer(None)),
        ("k".repeat(MAX_KEY + 1), Peek::Unavailable("a key of more than 1024 octets".into())),
        ("a\nget b".to_owned(), Peek::Unavailable("a key with a control character".into())),
    ] {
        assert_eq!(remote.peek(&key), peek);
        assert_eq!(remote.fetch(&key).await, Ok(()));
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_new_set_goes_on_with_what_the_old_one_knew() {
    let server = Server::start(Act::Say("OK v")).await;
    let metrics = RemoteMetrics::register(&Registry::new()).unwrap();
    let remotes = Remotes::new(options(), metrics);
    let table = TableSpec::parse(&server.table()).unwrap();
    let old = remotes.open(MapName::Transport, &table).unwrap();
    old.fetch("a").await.unwrap();
    let new = remotes.open(MapName::Transport, &table).unwrap();
    drop(old);
    assert_eq!(new.peek("a"), Peek::Answer(value("v")));
    // Another map's questions are counted apart, and so are its answers.
    assert_eq!(remotes.open(MapName::VirtualAlias, &table).unwrap().peek("a"), Peek::Unknown);
    assert!(remotes.open(MapName::Transport, &TableSpec::parse("hash:users").unwrap()).is_none());
}

#[tokio::test]
async fn a_socket_in_the_file_system_is_a_server_too() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("maps");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 10];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(b"8:OK value,").await.unwrap();
        request
    });
    let (remote, _) = remote_with(&format!("socketmap:unix:{}:users", path.display()), &options());
    remote.fetch("a").await.unwrap();
    assert_eq!(remote.peek("a"), Peek::Answer(value("value")));
    assert_eq!(&server.await.unwrap(), b"7:users a,");
}
