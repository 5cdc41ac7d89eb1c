//! What is said while a server is away, late, or says what it should not.

use tokio::time::Instant;

use super::server::{Act, Server};
use super::*;

#[tokio::test]
async fn a_dead_connection_is_replaced_without_a_word() {
    let server = Server::start(Act::SayAndClose("OK v")).await;
    let remote = remote(&server);
    for key in ["a", "b", "c"] {
        assert_eq!(remote.fetch(key).await, Ok(()));
        assert_eq!(remote.peek(key), Peek::Answer(value("v")));
    }
    assert_eq!(server.connections().0, 3);
    // One that closes on the request itself: the kept connection is tried, then a new one.
    server.act(Act::Say("OK v"));
    remote.fetch("d").await.unwrap();
    server.act(Act::Close);
    assert!(remote.fetch("e").await.is_err());
    assert_eq!(server.asked(), ["a", "b", "c", "d", "e", "e"]);
}

#[tokio::test]
async fn only_a_key_never_seen_is_unavailable_while_the_server_is_away() {
    let server = Server::start(Act::Say("OK v")).await;
    let remote = remote(&server);
    remote.fetch("a").await.unwrap();
    server.act(Act::Say("NOTFOUND "));
    remote.fetch("b").await.unwrap();
    server.act(Act::Close);

    pass(30).await;
    // Old answers wait for the server once, then they are good again.
    for (key, answer) in [("a", value("v")), ("b", None)] {
        assert_eq!(remote.peek(key), Peek::Unknown);
        assert!(remote.fetch(key).await.is_err());
        assert_eq!(remote.peek(key), Peek::Stale(answer));
    }
    let why = remote.fetch("c").await.unwrap_err();
    assert_eq!(why, RemoteError::Broken("the server closed the connection".into()));
    let told = format!("{}: {why}", server.table());
    assert_eq!(remote.peek("c"), Peek::Unavailable(told.as_str().into()));

    // After `stale` nothing is known any more.
    pass(1000).await;
    server.act(Act::Say("TEMP not yet"));
    assert_eq!(remote.peek("a"), Peek::Unknown);
    let refused = remote.fetch("a").await.unwrap_err();
    assert_eq!(refused, RemoteError::Refused { word: "TEMP".into(), reason: "not yet".into() });
    assert!(matches!(remote.peek("a"), Peek::Unavailable(_)));
}

#[tokio::test]
async fn a_server_that_does_not_reply_is_left_alone_for_a_while() {
    let server = Server::start(Act::Say("OK v")).await;
    let (remote, registry) = remote_with(&server.table(), &options());
    remote.fetch("known").await.unwrap();
    server.act(Act::Close);
    for key in ["a", "b", "c"] {
        assert!(remote.fetch(key).await.is_err());
    }
    let breakers = || metric(&registry, "switchyard_map_remote_breakers_open", "");
    assert_eq!(breakers(), 1.0);
    let asked = server.asked().len();
    assert!(matches!(remote.peek("never"), Peek::Unavailable(_)));
    assert!(matches!(remote.fetch("never").await, Err(RemoteError::Away(_))));
    pass(30).await;
    assert_eq!(remote.peek("known"), Peek::Stale(value("v")), "at once, with nobody asked");
    assert_eq!(server.asked().len(), asked);

    // After the pause one request finds out.
    server.act(Act::Say("OK w"));
    pass(31).await;
    assert_eq!(remote.peek("known"), Peek::Stale(value("v")), "nobody waits for it");
    until("the answer is refreshed", || remote.peek("known") == Peek::Answer(value("w"))).await;
    assert_eq!((server.asked().len(), breakers()), (asked + 1, 0.0));
    assert_eq!(remote.peek("never"), Peek::Unknown);
}

#[tokio::test]
async fn an_open_breaker_is_counted_no_longer_than_its_server() {
    let server = Server::start(Act::Close).await;
    let (remote, registry) =
        remote_with(&server.table(), &RemoteOptions { breaker_failures: 1, ..options() });
    assert!(remote.fetch("a").await.is_err());
    assert_eq!(metric(&registry, "switchyard_map_remote_breakers_open", "virtual_alias"), 1.0);
    drop(remote);
    until("its last task ends", || metric(&registry, "switchyard_map_remote_breakers_open", "") == 0.0).await;
}

#[tokio::test]
async fn a_server_that_says_later_is_there() {
    let server = Server::start(Act::Say("TEMP later")).await;
    let remote = remote(&server);
    for number in 0..10 {
        let key = format!("key{number}");
        assert!(matches!(remote.fetch(&key).await, Err(RemoteError::Refused { .. })));
        assert!(matches!(remote.peek(&key), Peek::Unavailable(_)), "the loop of peek and fetch ends");
    }
    assert_eq!((server.asked().len(), server.connections().0), (10, 1));
    pass(1).await;
    assert_eq!(remote.peek("key0"), Peek::Unknown);
}

#[tokio::test]
async fn an_answer_is_refreshed_before_it_is_old() {
    let server = Server::start(Act::Say("OK v")).await;
    let remote = remote(&server);
    remote.fetch("a").await.unwrap();
    server.act(Act::Hold("OK w"));
    pass(15).await;
    for _ in 0..5 {
        assert_eq!(remote.peek("a"), Peek::Stale(value("v")));
    }
    server.release(1);
    until("the new answer is there", || remote.peek("a") == Peek::Answer(value("w"))).await;
    assert_eq!(server.asked(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_costs_the_timeout_and_no_more() {
    let server = Server::start(Act::Hang).await;
    let remote = remote(&server);
    let start = Instant::now();
    assert_eq!(remote.fetch("a").await, Err(RemoteError::Timeout));
    assert_eq!(start.elapsed(), options().timeout);
    assert!(matches!(remote.peek("a"), Peek::Unavailable(_)));
}

#[tokio::test]
async fn replies_of_the_wrong_kind_are_no_answers() {
    let server = Server::start(Act::Hang).await;
    let (remote, _) = remote_with(&server.table(), &RemoteOptions { breaker_failures: 100, ..options() });
    for (number, octets) in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"99999999999999999999:OK",
        b"4:OK a;",
        b"5:OK \xff\xfe,",
        b"6:OK a\r\n,",
        b"3:OK ,",
        b"\0\0\0\0\0\0\0\0",
    ]
    .into_iter()
    .enumerate()
    {
        server.act(Act::Send(octets.to_vec()));
        let key = format!("key{number}");
        let asked = within("a bad reply is an end", remote.fetch(&key)).await;
        assert!(matches!(asked, Err(RemoteError::BadReply(_))), "{} {asked:?}", octets.escape_ascii());
        assert!(matches!(remote.peek(&key), Peek::Unavailable(_)));
    }
}
