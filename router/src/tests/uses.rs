//! A router on loopback, asked by a client: what each map means for who is taken, and for what becomes of it.

use switchyard_daemon::service::ServiceManager;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::*;

struct Running {
    router: Router,
    _process: Process,
    folder: TempDir,
}

/// A router with these map files, or tables of a server, each of them also a setting; nobody may relay.
async fn start(maps: &[(&str, &str)], more: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = format!(
        "host_name = \"router.example.org\"\nlisten.smtp = [{{ socket = \"127.0.0.1:0\" }}]\n\
         metrics.socket = \"127.0.0.1:0\"\nspool = {{ folder = \"spool\", segment_size = \"1MiB\", max_size = \"64MiB\" }}\n\
         relay.networks = []\nmaps.folder = \"{}\"\n",
        folder.path().display()
    );
    for (map, text) in maps {
        if text.starts_with("socketmap:") {
            settings += &format!("maps.{map} = \"{text}\"\n");
            continue;
        }
        put(&folder, map, text);
        settings += &format!("maps.{map} = \"{map}\"\n");
    }
    put(&folder, "router.toml", &(settings + more));
    let settings = <RouterSettings as Settings>::load(&folder.path().join("router.toml")).unwrap();
    let mut process = Process::new(ServiceManager::nobody());
    let router = Router::start(settings, &mut Listeners::none(), &mut process).await.unwrap();
    Running { router, _process: process, folder }
}

#[expect(clippy::disallowed_methods, reason = "a test's own file")]
fn put(folder: &TempDir, file: &str, text: &str) {
    std::fs::write(folder.path().join(file), text).unwrap();
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(running: &Running) -> Self {
        let stream = TcpStream::connect(running.router.addresses()[0]).await.unwrap();
        let mut client = Self(BufReader::new(stream));
        client.reply().await;
        client.say("HELO client.example").await;
        client
    }

    async fn reply(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn say(&mut self, line: &str) -> String {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        self.reply().await
    }

    async fn mail(&mut self, sender: &str, recipient: &str) -> String {
        for line in [format!("MAIL FROM:{sender}"), format!("RCPT TO:{recipient}"), "DATA".to_owned()] {
            let reply = self.say(&line).await;
            if !reply.starts_with(['2', '3']) {
                return reply;
            }
        }
        self.say("Subject: x\r\n\r\nbody\r\n.").await
    }
}

#[tokio::test]
async fn each_stage_is_answered_by_its_table() {
    let running = start(
        &[
            ("relay_domains", "example.org x\n"),
            ("recipients", "alice@example.org x\n"),
            ("client_access", "127.0.0.1 INFO one of us\n"),
            ("helo_access", ".spam.example REJECT\n"),
            ("sender_access", "bad.example REJECT 5.1.8 go away\nslow.example DEFER_IF_PERMIT slow\n"),
            ("recipient_access", "bob@example.org 550 5.2.1 retired\nother.example OK\n"),
            ("relocated", "carol@example.org carol@new.example\n"),
        ],
        "",
    )
    .await;
    let mut client = Client::connect(&running).await;
    for (line, reply) in [
        ("HELO a.spam.example", "554 5.7.1 Helo command rejected: Access denied"),
        ("HELO client.example", "250 router.example.org"),
        ("MAIL FROM:<x@bad.example>", "554 5.1.8 Sender address rejected: go away"),
        ("MAIL FROM:<x@slow.example>", "250 2.1.0 Ok"),
        ("RCPT TO:<alice@example.org>", "450 4.7.1 Sender address rejected: slow"),
        ("RCPT TO:<nobody@example.org>", "550 5.1.1 User unknown"),
        ("RSET", "250 2.0.0 Ok"),
        ("MAIL FROM:<x@good.example>", "250 2.1.0 Ok"),
        ("RCPT TO:<bob@example.org>", "550 5.2.1 Recipient address rejected: retired"),
        // No table makes an open relay.
        ("RCPT TO:<x@other.example>", "554 5.7.1 Relay access denied"),
        ("RCPT TO:<carol@example.org>", "550 5.1.6 User has moved to carol@new.example"),
        ("RCPT TO:<alice@example.org>", "250 2.1.5 Ok"),
    ] {
        assert_eq!(client.say(line).await, reply, "{line}");
    }
}

#[tokio::test]
async fn mail_is_held_and_discarded_as_a_table_says() {
    let running = start(
        &[
            ("relay_domains", "example.org x\n"),
            ("sender_access", "odd@from.example HOLD look at it\n"),
            ("recipient_access", "trap@example.org DISCARD a trap\n"),
            ("transport", "* retry:4.3.2 later\n"),
        ],
        "",
    )
    .await;
    let queue = running.router.queue().clone();
    let mut client = Client::connect(&running).await;
    // The transport map refuses for now what is not on its way yet.
    assert_eq!(client.mail("<a@from.example>", "<alice@example.org>").await, "451 4.3.2 later");
    client.say("RSET").await;
    put(&running.folder, "transport", "example.org smtp:[127.0.0.1]:9\n");
    running.router.reloader.reload().unwrap();
    assert!(client.mail("<odd@from.example>", "<alice@example.org>").await.starts_with("250 "));
    assert_eq!((queue.summary().hold, queue.summary().messages()), (1, 1));
    assert!(client.mail("<a@from.example>", "<trap@example.org>").await.starts_with("250 "));
    assert_eq!(queue.summary().messages(), 1, "it is not in the queue");
    let odd = client.mail("<odd@from.example>", "<trap@example.org>").await;
    assert!(odd.starts_with("250 "), "{odd}");
    assert_eq!(queue.summary().hold, 1, "what is dropped is not held");
}

#[tokio::test]
async fn a_report_to_a_rewritten_sender_is_taken_and_a_forged_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "secret", "a secret of ours\n");
    let secret = folder.path().join("secret");
    let srs = format!("srs = {{ domain = \"srs.example.org\", secrets = [\"{}\"] }}\n", secret.display());
    let maps = [("relay_domains", "example.org x\n"), ("transport", "* hold:look\n")];
    let running = start(&maps, &srs).await;
    let settings = running.router.settings.lock().unwrap().clone();
    let options = route_options(&settings, &uncounted().unwrap()).unwrap();
    let sender = switchyard_smtp::address::Mailbox::parse("ann@away.example").unwrap();
    let made = options.srs.unwrap().rewrite(&sender, std::time::SystemTime::now()).unwrap();
    let mut client = Client::connect(&running).await;
    let forged = client.mail("<>", "<SRS0=abcd=AA=away.example=ann@srs.example.org>").await;
    assert_eq!(forged, "550 5.1.1 SRS address is forged");
    client.say("RSET").await;
    let reply = client.mail("<>", &format!("<{made}>")).await;
    assert!(reply.starts_with("250 "), "{reply}");
}

/// A server of tables (socketmap_table(5)) that knows these keys, each with the name of its table in front.
async fn serve(entries: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(BufReader::new(stream), entries));
        }
    });
    address
}

async fn answer(mut stream: BufReader<TcpStream>, entries: &[(&str, &str)]) {
    loop {
        let mut length = Vec::new();
        if stream.read_until(b':', &mut length).await.unwrap_or(0) == 0 {
            return;
        }
        let length: usize = std::str::from_utf8(&length).unwrap().trim_end_matches(':').parse().unwrap();
        let mut request = vec![0; length + 1];
        stream.read_exact(&mut request).await.unwrap();
        let request = std::str::from_utf8(&request[..length]).unwrap();
        let found = entries.iter().find(|(key, _)| *key == request);
        let reply = found.map_or_else(|| "NOTFOUND ".to_owned(), |(_, value)| format!("OK {value}"));
        stream.get_mut().write_all(format!("{}:{reply},", reply.len()).as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn tables_of_a_server_are_waited_for_at_every_stage_and_at_the_attempt() {
    let address = serve(&[
        ("client 127.0.0.1", "INFO one of us"),
        ("helo spam.example", "REJECT"),
        ("sender bad@from.example", "REJECT 5.1.8 go away"),
        ("recipient bob@example.org", "550 5.2.1 retired"),
        ("listed alice@example.org", "x"),
        ("canonical alice@example.org", "alice.user@example.org"),
        ("transport alice.user@example.org", "hold:look at it"),
    ])
    .await;
    let table = |name: &str| format!("socketmap:inet:{address}:{name}");
    let tables = [
        ("client_access", table("client")),
        ("helo_access", table("helo")),
        ("sender_access", table("sender")),
        ("recipient_access", table("recipient")),
        ("recipients", table("listed")),
        ("recipient_canonical", table("canonical")),
        ("transport", table("transport")),
        ("relay_domains", "example.org x\n".to_owned()),
    ];
    let maps: Vec<(&str, &str)> = tables.iter().map(|(map, table)| (*map, &**table)).collect();
    let running = start(&maps, "").await;
    let queue = running.router.queue().clone();
    let mut client = Client::connect(&running).await;
    for (line, reply) in [
        ("HELO spam.example", "554 5.7.1 Helo command rejected: Access denied"),
        ("HELO client.example", "250 router.example.org"),
        ("MAIL FROM:<bad@from.example>", "554 5.1.8 Sender address rejected: go away"),
        ("MAIL FROM:<a@from.example>", "250 2.1.0 Ok"),
        ("RCPT TO:<bob@example.org>", "550 5.2.1 Recipient address rejected: retired"),
        ("RCPT TO:<nobody@example.org>", "550 5.1.1 User unknown"),
        ("RSET", "250 2.0.0 Ok"),
    ] {
        assert_eq!(client.say(line).await, reply, "{line}");
    }
    assert!(client.mail("<a@from.example>", "<alice@example.org>").await.starts_with("250 "));
    // Found under the address that the canonical table gave, by the attempt.
    queue.watch().wait_for(|summary| summary.hold == 1).await.unwrap();
}
