//! A server's table as a table of a set: questions that wait for it, and what they come to while it is away.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use switchyard_maps::access::Access;
use switchyard_maps::remote::Remotes;
use switchyard_maps::{Answer, Found, MapHandle, MapName, MapOptions, MapSet, Snapshot, TableSpec};
use switchyard_smtp::address::{Mailbox, ReversePath};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A socketmap server with a few entries; it notes what it is asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

type Entries = &'static [(&'static str, &'static str)];

impl Server {
    async fn start(entries: Entries) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::default();
        let noted = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, entries, Arc::clone(&noted)));
            }
        });
        Self { port, asked, task }
    }

    fn word(&self, name: &str) -> String {
        format!("socketmap:inet:127.0.0.1:{}:{name}", self.port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Its connections go with it.
    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn converse(mut stream: TcpStream, entries: Entries, asked: Arc<Mutex<Vec<String>>>) -> Option<()> {
    loop {
        let mut length = 0;
        loop {
            match stream.read_u8().await.ok()? {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut request = vec![0; length + 1];
        stream.read_exact(&mut request).await.ok()?;
        let request = String::from_utf8(request).ok()?.trim_end_matches(',').to_owned();
        let entry = entries.iter().find(|(key, _)| *key == request);
        asked.lock().unwrap().push(request);
        let reply = entry.map_or("NOTFOUND ".to_owned(), |(_, value)| format!("OK {value}"));
        stream.write_all(format!("{}:{reply},", reply.len()).as_bytes()).await.ok()?;
    }
}

fn options(maps: &[(MapName, &[&str])]) -> MapOptions {
    let tables = |words: &[&str]| words.iter().map(|word| TableSpec::parse(word).unwrap()).collect();
    let tables: BTreeMap<_, Vec<_>> = maps.iter().map(|(map, words)| (*map, tables(words))).collect();
    MapOptions { tables, ..MapOptions::default() }
}

fn snapshot(options: &MapOptions, remotes: &Remotes) -> Snapshot {
    let (set, faults) = MapSet::start_with(options, remotes);
    assert!(faults.is_empty(), "{faults}");
    MapHandle::new(set).snapshot()
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).unwrap()
}

async fn route(maps: &Snapshot, address: &str) -> String {
    let mailbox = mailbox(address);
    match maps.settled(|maps| maps.route(&mailbox)).await {
        Answer::Found(found) => found.value.to_string(),
        Answer::NotFound => "not found".to_owned(),
        Answer::Unavailable(unavailable) => unavailable.to_string(),
    }
}

#[tokio::test]
async fn a_question_waits_for_the_server_and_asks_whole_keys_only() {
    let server =
        Server::start(&[("routes a@x.example", "smtp:[192.0.2.1]"), ("routes x.example", "smtp:")]).await;
    let options =
        options(&[(MapName::Transport, &["inline:{y.example=smtp:[192.0.2.9]}", &server.word("routes")])]);
    let maps = snapshot(&options, &Remotes::unmetered(&options.remote));
    assert_eq!(route(&maps, "a@x.example").await, "smtp:[192.0.2.1]");
    assert_eq!(route(&maps, "b@x.example").await, "not found");
    // A table of text in front of it is asked for parts of the key, after the server was for the whole.
    assert_eq!(route(&maps, "c@y.example").await, "smtp:[192.0.2.9]");
    assert_eq!(route(&maps, "a@x.example").await, "smtp:[192.0.2.1]");
    let asked = server.asked();
    // The star is no part of an address: Postfix asks everybody for it.
    for key in &asked {
        assert!(key.starts_with("routes ") && (key.contains('@') || key.ends_with(" *")), "{asked:?}");
    }
    assert_eq!(asked.iter().filter(|key| *key == "routes a@x.example").count(), 1);
}

#[tokio::test]
async fn aliases_lead_on_through_the_server() {
    let server = Server::start(&[
        ("users team@x.example", "ann@x.example, list@x.example"),
        ("users list@x.example", "bob@x.example,carl@y.example"),
    ])
    .await;
    let union = format!("unionmap:{{{}, inline:{{team@x.example=dora@x.example}}}}", server.word("users"));
    let options = options(&[(MapName::VirtualAlias, &[&union])]);
    let maps = snapshot(&options, &Remotes::unmetered(&options.remote));
    let start = mailbox("team@x.example");
    let ends = maps.settled(|maps| maps.expand(&start)).await.unwrap();
    let ends: Vec<_> = ends.iter().map(Mailbox::to_string).collect();
    assert_eq!(ends, ["ann@x.example", "bob@x.example", "carl@y.example", "dora@x.example"]);
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_unavailable_and_says_so() {
    let server =
        Server::start(&[("t a@x.example", "carrier-pigeon:loft"), ("t b@x.example", "smtp:[")]).await;
    let options = options(&[(MapName::Transport, &[&server.word("t")])]);
    let maps = snapshot(&options, &Remotes::unmetered(&options.remote));
    for (address, value) in [("a@x.example", "carrier-pigeon:loft"), ("b@x.example", "smtp:[")] {
        let told = route(&maps, address).await;
        assert!(told.contains(&format!("`{value}` is no value for transport")), "{told}");
        assert!(told.contains(&server.word("t")), "{told}");
    }
}

/// A server's answer is read by the same rules as a line of a table: what has no place there is not passed over.
#[tokio::test]
async fn an_action_that_a_servers_table_may_not_say_is_unavailable() {
    let server = Server::start(&[
        ("clients 192.0.2.7", "MILTERS sign"),
        ("clients 192.0.2.8", "HOLD look"),
        ("clients 192.0.2.9", "MILTERS none"),
        ("senders a@x.example", "MILTERS none"),
        ("senders b@x.example", "HOLD look"),
    ])
    .await;
    let (clients, senders) = (server.word("clients"), server.word("senders"));
    let options = options(&[(MapName::ClientAccess, &[&clients]), (MapName::SenderAccess, &[&senders])]);
    let maps = snapshot(&options, &Remotes::unmetered(&options.remote));
    for (address, value) in
        [("192.0.2.7", "MILTERS sign"), ("192.0.2.8", "HOLD look"), ("192.0.2.9", ""), ("192.0.2.1", "")]
    {
        let address = address.parse().unwrap();
        let told = maps.settled(|maps| maps.access_client(None, address)).await;
        assert_eq!(not_carried(&told), value, "{address}: {told:?}");
    }
    for (address, value) in [("a@x.example", "MILTERS none"), ("b@x.example", "")] {
        let path = ReversePath::Mailbox(mailbox(address));
        let told = maps.settled(|maps| maps.access_sender(&path)).await;
        assert_eq!(not_carried(&told), value, "{address}: {told:?}");
    }
}

/// The value that a map would not take; empty when it took it, or had none.
fn not_carried(answer: &Answer<Found<Access>>) -> String {
    let Answer::Unavailable(unavailable) = answer else { return String::new() };
    let told = unavailable.to_string();
    told.split('`').nth(1).unwrap_or(&told).to_owned()
}

#[tokio::test]
async fn a_new_set_answers_from_what_is_known_while_the_server_is_away() {
    let server = Server::start(&[("t a@x.example", "smtp:[192.0.2.1]")]).await;
    let word = server.word("t");
    let old = options(&[(MapName::Transport, &[&word])]);
    let remotes = Remotes::unmetered(&old.remote);
    let maps = snapshot(&old, &remotes);
    assert_eq!(route(&maps, "a@x.example").await, "smtp:[192.0.2.1]");
    assert_eq!(route(&maps, "gone@x.example").await, "not found");
    server.stop().await;

    let new = options(&[(MapName::Transport, &["inline:{y.example=smtp:[192.0.2.9]}", &word])]);
    let new = snapshot(&new, &remotes);
    drop(maps);
    assert_eq!(route(&new, "a@x.example").await, "smtp:[192.0.2.1]");
    assert_eq!(route(&new, "gone@x.example").await, "not found");
    let told = route(&new, "never@x.example").await;
    assert!(told.starts_with("the transport map is unavailable: "), "{told}");
    assert!(told.contains(&word), "{told}");
    // A table in front of it does not answer for it, either: the whole key comes first.
    assert!(route(&new, "b@y.example").await.contains("unavailable"));
}
