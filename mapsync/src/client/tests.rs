//! A client against a server that says what a test tells it to.

use hyper::StatusCode;
use switchyard_mapsync_protocol::delta;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{self, Kind};
use switchyard_mapsync_protocol::packed;
use tokio::net::TcpListener;

use super::testing::{HUB, World, ok};
use super::wire::Pace;
use super::*;
use crate::admin::AdminError;

#[tokio::test]
async fn a_message_comes_with_its_number() {
    let world = World::new();
    let (address, server) = world.server(HUB, ok(b"signed")).await;
    let mut hub = world.client(address);
    let shown = hub.newest(Newest::Head, 6, Duration::ZERO).await.unwrap();
    assert_eq!(shown, Some(Shown { number: 7, octets: b"signed".to_vec() }));
    // The same connection.
    hub.newest(Newest::Release, 0, Duration::from_secs(5)).await.unwrap();
    drop(hub);
    let asked = server.await.unwrap();
    assert!(
        asked.starts_with("GET /v1/heads/live HTTP/1.1\r\n") && asked.contains("if-none-match: \"6\"\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains("GET /v1/releases/live HTTP/1.1\r\n") && asked.contains("prefer: wait=5\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn what_a_hub_tells_is_heard_until_it_drips() {
    let world = World::new();
    let answer = b"HTTP/1.1 200 OK\r\n\r\n:\n\nevent: head\nid: 1.7.0\ndata: signed\n\nevent: rel".to_vec();
    let (address, server) = world.server(HUB, answer).await;
    let mut hub = world.client(address);
    hub.wire.pace = Pace { silence: PATIENCE, grace: Duration::from_millis(50), slowest: 1 << 40 };
    let mut told = hub.told([1, 6, 0]).await.unwrap();
    let shown = Shown { number: 7, octets: b"signed".to_vec() };
    assert_eq!(told.next().await.unwrap(), Some(News::Message(Newest::Head, shown)));
    // What it begins to say it must also end.
    let error = told.next().await.unwrap_err();
    assert!(error.why.contains("too slowly"), "{error}");
    drop(told);
    let asked = server.await.unwrap();
    assert!(asked.starts_with("GET /v1/events/live HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("last-event-id: 1.6.0\r\n"), "{asked}");
}

#[tokio::test]
async fn y8_a_host_with_a_certificate_of_its_own_is_no_hub() {
    let world = World::new();
    let (address, _server) = world.server("spiffe://live/agent/mx9", ok(b"signed")).await;
    let error = world.client(address).newest(Newest::Head, 0, Duration::ZERO).await.unwrap_err();
    assert!(error.why.contains("shows the certificate of spiffe://live/agent/mx9, who is no hub"), "{error}");

    // Nor is one of another environment, but for one that serves both.
    let (address, _server) = world.server("spiffe://test/hub/hub1", ok(b"signed")).await;
    let error = world.client(address).newest(Newest::Head, 0, Duration::ZERO).await.unwrap_err();
    assert!(error.why.contains("spiffe://test/hub/hub1, who is no hub of `live`"), "{error}");
    let (address, _server) =
        world.server("spiffe://test/hub/hub1 spiffe://live/hub/hub1", ok(b"signed")).await;
    assert!(world.client(address).newest(Newest::Head, 0, Duration::ZERO).await.is_ok());

    // Nor is one of another authority, whatever it says.
    let (address, _server) = World::new().server(HUB, ok(b"signed")).await;
    let error = world.client(address).newest(Newest::Head, 0, Duration::ZERO).await.unwrap_err();
    assert!(error.why.contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn y9_a_redirect_is_followed_nowhere() {
    let world = World::new();
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let location = elsewhere.local_addr().unwrap();
        let answer =
            format!("HTTP/1.1 {status}\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n");
        let (address, _server) = world.server(HUB, answer.into_bytes()).await;
        let error = world.client(address).newest(Newest::Head, 0, Duration::ZERO).await.unwrap_err();
        assert!(error.why.contains("none is ever followed"), "{error}");
        // Nobody came: the next one who connects is the first.
        let own = tokio::net::TcpStream::connect(location).await.unwrap();
        let (_, first) = elsewhere.accept().await.unwrap();
        assert_eq!(first, own.local_addr().unwrap());
    }
}

#[tokio::test]
async fn y6_a_file_is_what_was_signed_or_an_error() {
    let world = World::new();
    let path = "maps/transport".to_owned().try_into().unwrap();
    let file = head::File { path, kind: Kind::Text, hash: Hash::of(b"right"), bytes: 5, records: 0 };
    for (sent, why) in [
        (&b"right"[..], ""),
        (b"wrong", "sends something else for maps/transport"),
        (b"righ", "sends something else for maps/transport"),
        (b"right and more", "sends more than the 5 octets that there can be"),
    ] {
        let (address, _server) = world.server(HUB, ok(sent)).await;
        let mut to = Vec::new();
        match world.client(address).file(&file, &mut to).await {
            Ok(travelled) => assert_eq!((why, &to[..], travelled), ("", &b"right"[..], 5)),
            Err(error) => assert!(!why.is_empty() && error.why.contains(why), "{error}"),
        }
        assert!(to.len() <= 5);
    }
}

#[tokio::test]
async fn y6_a_packed_file_is_unpacked_no_further_than_was_signed() {
    let world = World::new();
    let path = "maps/transport".to_owned().try_into().unwrap();
    let text = b"right ".repeat(1000);
    let file = head::File { path, kind: Kind::Text, hash: Hash::of(&text), bytes: 6000, records: 0 };
    let whole = packed::pack(&text).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    for (sent, why) in [
        (whole.clone(), ""),
        (packed::pack(&b"wrong ".repeat(1000)).unwrap(), "sends something else for maps/transport"),
        (half, "sends something else for maps/transport"),
        (packed::pack(&b"right ".repeat(1_000_000)).unwrap(), "it unpacks to more than 6000 octets"),
        ([whole.clone(), whole.clone()].concat(), "it unpacks to more than 6000 octets"),
        (b"right ".repeat(1000), "what it sent cannot be kept"),
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\ncontent-length: {}\r\n\r\n", sent.len());
        let (address, _server) = world.server(HUB, [head.as_bytes(), &sent].concat()).await;
        let mut to = Vec::new();
        match world.client(address).file(&file, &mut to).await {
            Ok(travelled) => assert_eq!((why, &to, travelled), ("", &text, whole.len() as u64)),
            Err(error) => assert!(!why.is_empty() && error.why.contains(why), "{error} instead of {why}"),
        }
        assert!(to.len() <= 6000);
    }
}

#[tokio::test]
async fn a_hub_that_is_busy_is_asked_again() {
    let world = World::new();
    let path = "maps/transport".to_owned().try_into().unwrap();
    let file = head::File { path, kind: Kind::Text, hash: Hash::of(b"right"), bytes: 5, records: 0 };
    world.write("transport", "right");
    let address = world.busy_server().await;
    world.client(address).bring(&file, &world.folder.path().join("transport")).await.unwrap();
}

#[tokio::test]
async fn y10_a_hub_that_drips_keeps_nobody() {
    let world = World::new();
    let path = "maps/transport".to_owned().try_into().unwrap();
    let file = head::File { path, kind: Kind::Text, hash: Hash::of(b"right"), bytes: 5, records: 0 };
    // Four octets come; the fifth never does.
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrigh".to_vec();
    let (address, _server) = world.server(HUB, answer).await;
    let mut hub = world.client(address);
    let silence = Duration::from_secs(3600);
    hub.wire.pace = Pace { silence, grace: Duration::from_millis(50), slowest: 1 << 20 };
    let error = hub.file(&file, &mut Vec::new()).await.unwrap_err();
    assert!(error.why.contains("sends too slowly"), "{error}");
    assert_eq!(hub.wire.pace.whole(10 << 20), Duration::from_millis(10_050));
}

#[tokio::test]
async fn y6_a_delta_is_read_no_further_than_one_can_be() {
    let world = World::new();
    let table = |octets: &[u8]| head::File {
        path: "maps/transport".to_owned().try_into().unwrap(),
        kind: Kind::Records,
        hash: Hash::of(octets),
        bytes: octets.len() as u64,
        records: 1,
    };
    let (from, file) = (table(b"a\tb\n"), table(b"a\tc\n"));
    let most = packed::longest(delta::longest(&from, &file)) as usize;
    for (sent, fits) in [(most, true), (most + 1, false)] {
        let (address, _server) = world.server(HUB, ok(&vec![b'x'; sent])).await;
        let mut to = Vec::new();
        let told = world.client(address).delta(&from, &file, &mut to).await;
        assert_eq!(told.is_ok(), fits, "{told:?}");
        assert!(to.len() <= most);
    }
}

#[tokio::test]
async fn a_no_comes_with_the_hub_s_own_words_and_no_letter_that_steers_a_terminal() {
    let world = World::new();
    let body = "{\"title\": \"Conflict\", \"detail\": \"another\\u001b[2J was faster\", \"more\": 1}";
    let answer = format!("HTTP/1.1 412 Precondition Failed\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (address, _server) = world.server(HUB, answer.into_bytes()).await;
    let error = world.client(address).push_head(b"{}".to_vec(), 3).await.unwrap_err();
    assert_eq!(error.status, Some(StatusCode::PRECONDITION_FAILED));
    assert_eq!(
        error.to_string(),
        format!("hub {address} answers 412 Precondition Failed: another[2J was faster")
    );
}

#[tokio::test]
async fn a_hub_that_copies_the_files_of_a_push_is_asked_again() {
    let world = World::new();
    let later = |kind: &str| {
        let body = format!("{{\"type\": \"urn:switchyard:problem:{kind}\", \"detail\": \"try again\"}}");
        let length = body.len();
        format!("HTTP/1.1 503 Service Unavailable\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    let (address, server) = world.server_of(HUB, vec![later("copying"), ok(b"{}")]).await;
    let mut hub = world.client(address);
    hub.push_head(b"signed".to_vec(), 6).await.unwrap();
    drop(hub);
    assert_eq!(server.await.unwrap().matches("POST /v1/generations/live HTTP/1.1\r\n").count(), 2);
    // In the end it is a no, and no answer that was lost.
    let (address, server) = world.server_of(HUB, vec![later("copying")]).await;
    let mut hub = world.client(address);
    let error = hub.push_head_within(b"signed".to_vec(), 6, 2).await.unwrap_err();
    assert!(error.not_yet && error.why.contains("push again later"), "{error}");
    drop(hub);
    assert_eq!(server.await.unwrap().matches("POST ").count(), 2);
    assert!(!AdminError::from(error).is_unsure());
    // What else it cannot do now, whoever pushes hears at once.
    let (address, _server) = world.server(HUB, later("no-agreement")).await;
    let error = world.client(address).push_head(b"signed".to_vec(), 6).await.unwrap_err();
    assert_eq!(error.status, Some(StatusCode::SERVICE_UNAVAILABLE), "{error}");
    assert!(!error.not_yet && AdminError::from(error).is_unsure());
}
