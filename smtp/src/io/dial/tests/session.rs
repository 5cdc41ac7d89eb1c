//! How sessions begin, or don't.

use std::time::Duration;

use super::*;
use crate::client::dialogue::DialogueError;
use crate::testing;
use crate::wire::command::Verb;
use crate::wire::reply::ReplyError;

#[tokio::test(start_paused = true)]
async fn helo_where_ehlo_is_not_known() {
    let script =
        "S: 220 old.example\nC: EHLO c.example\nS: 500 what\nC: HELO c.example\nS: 250 old.example\n=";
    let connection = open(script, Protocol::Smtp).await.unwrap();
    assert!(!connection.extensions().pipelining && connection.tls().is_none());
    assert_eq!((connection.max_recipients(), connection.peer_addr()), (100, None));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_does_not_come_about_says_why() {
    let endless = "S: 220 mx.example\nC: EHLO c.example\n".to_owned() + &"S: 250-x\n".repeat(200);
    for (script, protocol, said) in [
        ("S: 554 5.7.1 not you", Protocol::Smtp, "connect was refused: 554 5.7.1 not you"),
        ("S: 421 4.3.2 busy\nX", Protocol::Smtp, "connect was refused: 421 4.3.2 busy"),
        ("S: 220 mx\nS: 250 early", Protocol::Smtp, "the peer is out of step: it spoke before ehlo"),
        ("S: 220 mx\nC: EHLO *\nS: 451 later", Protocol::Smtp, "ehlo was refused: 451 later"),
        ("S: 220 mx\nC: EHLO *\nS: 550 no\nC: HELO *\nS: 550 no", Protocol::Smtp, "helo was refused: 550 no"),
        ("S: 220 mx\nC: LHLO *\nS: 500 no", Protocol::Lmtp, "lhlo was refused: 500 no"),
        ("S: SSH-2.0-x", Protocol::Smtp, "not a reply: no reply code at the start of a line"),
        ("S: 220-mx", Protocol::Smtp, "timed out while waiting for the answer to connect"),
        (endless.as_str(), Protocol::Smtp, "a reply without end"),
    ] {
        let error = open(script, protocol).await.unwrap_err();
        assert_eq!(error.to_string(), said);
        assert_eq!(error.is_permanent(), said.contains(" 55") || said.contains(" 50"), "{said}");
        assert!(!error.is_tls());
    }
}

#[tokio::test]
async fn what_went_wrong_has_an_answer() {
    let refused = DialError::Dialogue(DialogueError::Refused {
        verb: Verb::Connect,
        reply: crate::reply::table::TOO_BUSY,
    });
    for (error, code, status) in [
        (refused, 421, "4.3.2"),
        (DialError::Unreachable(std::io::ErrorKind::ConnectionRefused.into()), 451, "4.4.1"),
        (DialError::Closed(Verb::Ehlo), 451, "4.4.2"),
        (DialError::NotAReply(ReplyError::TooLong), 451, "4.5.0"),
        (DialError::Dialogue(DialogueError::LeftOver), 454, "4.7.5"),
        (DialError::TimedOut(Verb::StartTls), 454, "4.7.5"),
    ] {
        let reply = error.reply();
        assert_eq!((reply.code.get(), reply.status.unwrap().to_string().as_str()), (code, status), "{error}");
    }
}

#[tokio::test]
async fn over_tcp_and_over_a_local_socket() {
    let script = hello(Protocol::Smtp, "PIPELINING LIMITS_RCPTMAX=7") + "C: QUIT\nS: 221 bye";
    let (address, playing) = testing::listen(vec![script.clone(), script]).await.unwrap();
    for bind in [None, Some("127.0.0.1".parse().unwrap())] {
        let options = DialOptions { bind, ..options(Protocol::Smtp) };
        let connection = Connection::connect(&super::super::Target::Tcp(address), &options).await.unwrap();
        assert_eq!((connection.peer_addr(), connection.max_recipients()), (Some(address), 7));
        connection.quit().await;
    }
    assert_eq!(playing.await.unwrap().len(), 2);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let script = hello(Protocol::Lmtp, "PIPELINING") + "C: QUIT\nS: 221 bye";
    let peer = async {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, &script).await
    };
    let client = async {
        let target = super::super::Target::Unix(path.clone());
        Connection::connect(&target, &options(Protocol::Lmtp)).await.unwrap().quit().await;
    };
    tokio::join!(peer, client);
}

#[tokio::test]
async fn nobody_listens_there() {
    // Bound and not listening: no one else takes the port meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let target = super::super::Target::Tcp(socket.local_addr().unwrap());
    let mut options = options(Protocol::Smtp);
    options.timeouts.connect = Duration::from_secs(20);
    let error = Connection::connect(&target, &options).await.unwrap_err();
    assert!(matches!(error, DialError::Unreachable(_)), "{error}");
}

/// Opens a session and says whom it stands for.
async fn standing(script: &str) -> Result<Connection, DialError> {
    let (ours, theirs) = duplex(64 << 10);
    let client = Attributes { address: Some("2001:db8::1".parse().unwrap()), ..Attributes::default() };
    let options = options(Protocol::Smtp);
    let talk = async { Connection::over(Stream::Memory(ours), &options).await?.stand_for(&client).await };
    tokio::select! {
        talked = talk => talked,
        _ = play(theirs, script) => unreachable!("it listens on"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_says_whom_it_stands_for_and_greets_again() {
    let before = "S: 220 mx.example\nC: EHLO c.example\nS: 250-mx\nS: 250 XCLIENT NAME ADDR PORT\n\
                  C: XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::1\n";
    let taken = format!("{before}S: 220 mx.example\nC: EHLO c.example\nS: 250-mx\nS: 250 DSN\n=");
    let connection = standing(&taken).await.unwrap();
    assert!(connection.extensions().dsn && !connection.extensions().xclient);
    let refused = format!("{before}S: 554 5.7.1 not you\n");
    assert_eq!(standing(&refused).await.unwrap_err().to_string(), "connect was refused: 554 5.7.1 not you");
    let none = "S: 220 mx.example\nC: EHLO c.example\nS: 250-mx\nS: 250 XCLIENT NAME\n=";
    assert_eq!(standing(none).await.unwrap_err().to_string(), "XCLIENT is not offered");
}
