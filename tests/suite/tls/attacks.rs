//! Attacks on STARTTLS, by the ids of `docs/attacks.md`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use switchyard_tests::expect;
use switchyard_tests::peer::tls::{s_client, scene};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::talk::Talk;

use super::Pair;

/// Nothing of a message that was not whole is anywhere.
fn nothing_taken(pair: &Pair) {
    let taken = pair.router.metric("switchyard_spool_accepted_total");
    assert_eq!(taken, 0.0, "{}", pair.router.log_end());
    // And both are well.
    for daemon in pair.daemons() {
        assert!(s_client(daemon.address(), &["-tls1_3"]).0);
    }
}

#[test]
fn t1_a_command_behind_starttls_ends_the_session() {
    let pair = Pair::start(|_| ());
    for daemon in pair.daemons() {
        for behind in ["NOOP\r\n", "RSET\r\n", "MAIL FROM:<a@b"] {
            let mut talk = Talk::hello(daemon.address());
            talk.send(format!("STARTTLS\r\n{behind}").as_bytes());
            let reply = talk.reply();
            assert!(reply.is(554, "5.5.0"), "{reply:?}");
            assert_eq!(talk.rest(), b"", "and not a word more");
        }
    }
    nothing_taken(&pair);
}

#[test]
fn t6_what_follows_close_notify_in_clear_text_is_never_read() {
    let pair = Pair::start(|_| ());
    for daemon in pair.daemons() {
        let found = scene("close_notify_in_a_chunk", &[daemon.address()]);
        let clear = found["clear"].as_str().expect("a text");
        assert!(!["220", "250", "221", "500", "421"].iter().any(|code| clear.contains(code)), "{clear:?}");
    }
    nothing_taken(&pair);
}

#[test]
fn t7_a_message_whose_connection_ends_without_close_notify_is_not_taken() {
    let pair = Pair::start(|_| ());
    for daemon in pair.daemons() {
        let _ended = scene("end_without_close_notify", &[daemon.address()]);
    }
    nothing_taken(&pair);
}

#[test]
fn t8_a_handshake_that_dribbles_is_cut_at_its_deadline() {
    let pair = Pair::start(|daemon: &mut Daemon| {
        daemon.settings.set("limits", "tls_handshake_timeout", "\"1s\"");
    });
    for daemon in pair.daemons() {
        let took = dribble(daemon.address());
        assert!(took < expect::PATIENCE, "cut after {took:?}");
    }
    nothing_taken(&pair);
}

/// Says that a ClientHello of 16 KB comes, and lets an octet of it drop now and then; tells when it was cut.
fn dribble(server: SocketAddr) -> Duration {
    let mut stream = TcpStream::connect(server).expect("a server");
    stream.set_read_timeout(Some(expect::PATIENCE)).expect("a socket with a time limit");
    let hear = |stream: &mut TcpStream, what: &str| {
        let mut heard = Vec::new();
        let mut buffer = [0; 1024];
        while !String::from_utf8_lossy(&heard).lines().any(|line| line.starts_with(what)) {
            let length = stream.read(&mut buffer).expect("a reply");
            assert!(length > 0, "closed before {what}");
            heard.extend_from_slice(&buffer[..length]);
        }
    };
    hear(&mut stream, "220 ");
    stream.write_all(b"EHLO client.example\r\n").expect("a connection");
    hear(&mut stream, "250 ");
    stream.write_all(b"STARTTLS\r\n").expect("a connection");
    hear(&mut stream, "220 ");
    let start = Instant::now();
    stream.write_all(&[0x16, 0x03, 0x01, 0x40, 0x00, 0x01, 0x00, 0x3f, 0xfc]).expect("a connection");
    // The pace of the drops is the limit of a read; 60 seconds hold far fewer of them than 16 KB.
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a socket with a time limit");
    let mut buffer = [0; 64];
    while start.elapsed() < expect::PATIENCE {
        match stream.read(&mut buffer) {
            Ok(0) => return start.elapsed(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return start.elapsed(),
            // An alert, before the end.
            Ok(_) => continue,
        }
        if stream.write_all(&[3]).is_err() {
            return start.elapsed();
        }
    }
    expect::PATIENCE
}

#[test]
fn t9_a_session_of_one_listener_is_not_resumed_at_another() {
    let pair = Pair::start(|_| ());
    // The same certificate, the same names: only the listeners differ.
    for (first, second) in [(&pair.mx, &pair.router), (&pair.router, &pair.mx)] {
        let found = scene("tickets", &[first.address(), second.address()]);
        for version in ["TLSv1_2", "TLSv1_3"] {
            assert_eq!(found[version]["other"], false, "{version}: {found}");
            assert_eq!(found[version]["same"], true, "{version}: a session that could be resumed: {found}");
        }
    }
}
