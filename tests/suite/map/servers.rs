//! Servers of tables: the same one is asked by Postfix and by us, and whatever it replies, we say the same.
//! Where we do not, that is on purpose, and has a test of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use switchyard_maps::remote::{Peek, Remote, RemoteMetrics, RemoteOptions};
use switchyard_maps::{MapName, TableSpec};
use tempfile::TempDir;

const POSTMAP: &str = "/usr/sbin/postmap";

/// What is said of a key.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Found(String),
    NotFound,
    Unavailable,
}

fn found(value: &str) -> Said {
    Said::Found(value.to_owned())
}

/// What stands in for a server: a key, and the octets that it replies to it.
type Replies = &'static [(&'static str, &'static [u8])];

#[derive(Debug, Clone, Copy)]
enum Protocol {
    Socketmap,
    Tcp,
}

/// Listens until the test ends; a connection lasts as long as the other side wants.
fn serve(protocol: Protocol, replies: Replies) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on the loopback");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(protocol, replies, stream));
        }
    });
    address
}

fn converse(protocol: Protocol, replies: Replies, stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = Vec::new();
        match protocol {
            Protocol::Socketmap => {
                reader.read_until(b':', &mut request).ok()?;
                let length: usize = String::from_utf8(request).ok()?.strip_suffix(':')?.parse().ok()?;
                request = vec![0; length + 1];
                reader.read_exact(&mut request).ok()?;
            }
            Protocol::Tcp => drop(reader.read_until(b'\n', &mut request).ok()?),
        }
        let request = String::from_utf8(request).ok()?;
        let key = request.split_once(' ')?.1.trim_end_matches([',', '\n']);
        let (_, reply) = replies.iter().find(|(known, _)| *known == key)?;
        writer.write_all(reply).ok()?;
    }
}

fn word(protocol: Protocol, server: SocketAddr) -> String {
    match protocol {
        Protocol::Socketmap => format!("socketmap:inet:{server}:table"),
        Protocol::Tcp => format!("tcp:{server}"),
    }
}

/// Asks Postfix.
fn theirs(folder: &TempDir, table: &str, key: &str) -> Said {
    let output = Command::new(POSTMAP).arg("-c").arg(folder.path()).args(["-q", key, table]).output();
    let output = output.expect("postmap is installed: run `cargo xtask peers`");
    let value = String::from_utf8_lossy(&output.stdout);
    match value.strip_suffix('\n') {
        Some(value) => found(value),
        None if String::from_utf8_lossy(&output.stderr).contains("fatal") => Said::Unavailable,
        None => Said::NotFound,
    }
}

/// Asks us.
fn ours(table: &str, key: &str) -> Said {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let metrics = RemoteMetrics::register(&prometheus::Registry::new()).expect("an empty registry");
    let table = TableSpec::parse(table).expect("a table");
    let remote = Remote::new(MapName::Transport, &table, &RemoteOptions::default(), &metrics);
    let remote = remote.expect("a server's table");
    runtime.block_on(async {
        let asked = remote.fetch(key).await;
        match remote.peek(key) {
            Peek::Answer(Some(value)) => found(&value),
            Peek::Answer(None) => Said::NotFound,
            Peek::Unavailable(_) if asked.is_err() => Said::Unavailable,
            other => panic!("{key}: {other:?} after {asked:?}"),
        }
    })
}

/// Asks both for every key, and hands over theirs and ours.
fn ask(protocol: Protocol, replies: Replies) -> Vec<(&'static str, Said, Said)> {
    let server = serve(protocol, replies);
    let folder = tempfile::tempdir().expect("a folder for Postfix's settings");
    // Older levels take values that are not UTF-8.
    let settings = std::fs::File::create(folder.path().join("main.cf"));
    settings.and_then(|mut file| file.write_all(b"compatibility_level = 3.6\n")).expect("room for a file");
    let (table, folder) = (&word(protocol, server), &folder);
    // At once: Postfix waits a second after each bad reply.
    thread::scope(|scope| {
        let asking: Vec<_> = replies
            .iter()
            .map(|(key, _)| scope.spawn(move || (*key, theirs(folder, table, key), ours(table, key))))
            .collect();
        asking.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    })
}

#[test]
fn socketmap_replies_mean_what_they_mean_to_postfix() {
    let replies: Replies = &[
        ("found", b"8:OK value,"),
        ("blanks", b"12:OK  a  b, c ,"),
        ("utf8", b"5:OK \xc3\xa9,"),
        ("digits", b"0004:OK a,"),
        ("none", b"9:NOTFOUND ,"),
        ("bare", b"8:NOTFOUND,"),
        ("temp", b"10:TEMP later,"),
        ("timeout", b"12:TIMEOUT slow,"),
        ("perm", b"10:PERM never,"),
        ("word", b"6:WHAT x,"),
        ("lower", b"4:ok v,"),
        ("octets", b"5:OK \xff\xfe,"),
        ("end", b"4:OK a;"),
        ("length", b"x:OK a,"),
        ("large", b"100001:OK a,"),
    ];
    let asked = ask(Protocol::Socketmap, replies);
    for (key, theirs, ours) in &asked {
        assert_eq!(theirs, ours, "{key}");
    }
    let said = |said: &Said| asked.iter().filter(|(_, _, ours)| ours == said).count();
    assert_eq!((said(&Said::NotFound), said(&Said::Unavailable)), (2, 9));
}

#[test]
fn tcp_replies_mean_what_they_mean_to_postfix() {
    let replies: Replies = &[
        ("found", b"200 value\n"),
        ("encoded", b"200 a%20b%2C%c3%A9\n"),
        ("blank", b"200  v \n"),
        ("tab", b"200\tv\n"),
        ("other", b"250 v\n"),
        ("none", b"500 no\n"),
        ("none-other", b"550 no\n"),
        ("temp", b"400 later\n"),
        ("code", b"300 x\n"),
        ("short", b"20 v\n"),
        ("letters", b"2xx v\n"),
        ("bare", b"200\n"),
        ("bare-none", b"500\n"),
        ("percent", b"200 50%\n"),
        ("hex", b"200 %zz\n"),
    ];
    let asked = ask(Protocol::Tcp, replies);
    for (key, theirs, ours) in &asked {
        assert_eq!(theirs, ours, "{key}");
    }
    let said = |said: &Said| asked.iter().filter(|(_, _, ours)| ours == said).count();
    assert_eq!((said(&Said::NotFound), said(&Said::Unavailable)), (2, 8));
}

/// A value is one line of text, and not empty: Postfix passes on what else a server sends, with a warning.
#[test]
fn difference_a_servers_value_is_text() {
    let replies: Replies = &[("empty", b"3:OK ,"), ("control", b"6:OK a\x01b,"), ("lines", b"6:OK a\nb,")];
    let expected = [
        ("empty", found(""), Said::Unavailable),
        ("control", found("a\x01b"), Said::Unavailable),
        ("lines", found("a\nb"), Said::Unavailable),
    ];
    assert_eq!(ask(Protocol::Socketmap, replies), expected);

    let replies: Replies = &[("empty", b"200 \n"), ("nul", b"200 a%00b\n"), ("carriage", b"200 v\r\n")];
    let expected = [
        ("empty", found(""), Said::Unavailable),
        ("nul", found("a"), Said::Unavailable),
        ("carriage", found("v\r"), found("v")),
    ];
    assert_eq!(ask(Protocol::Tcp, replies), expected);
}

/// `OK` without a value says that there is one; Postfix reads it as "not found".
#[test]
fn difference_a_servers_ok_without_a_value_is_not_a_no() {
    let asked = ask(Protocol::Socketmap, &[("ok", b"2:OK,")]);
    assert_eq!(asked, [("ok", Said::NotFound, Said::Unavailable)]);
}
