//! What asking costs: `cargo bench -p switchyard-milter-mta --bench asking`.
//!
//! A session like a router's tells messages of 4 KiB with eight fields and one recipient to a filter behind a unix
//! socket that answers "continue" to every event. What a router has anyway, client, envelope and content, is there before. The
//! content's events go in a row, so that there are fewer round trips than events. The filter runs in a thread of its
//! own; a figure is this thread's own time, system calls and all, as a median of the rounds. `apart` is the same with a
//! filter that writes each answer by itself, as those made with libmilter do. `bare` says what as many
//! round trips cost a program that writes and reads as many octets and knows nothing: the floor under the first figure;
//! and what they would cost with one for every event.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints what it found, and stops when it cannot go on"
)]

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::{Bytes, BytesMut};
use rustix::time::{ClockId, clock_gettime};
use switchyard_milter_mta::options::{MilterOptions, Times, WhenDown};
use switchyard_milter_mta::{Asked, ClientMetrics, FilterSession, Filters};
use switchyard_milter_protocol::command::Command;
use switchyard_milter_protocol::event::Event;
use switchyard_milter_protocol::frame::{self, LARGEST};
use switchyard_milter_protocol::io::serve::{Context, Filter, Listener, ServeOptions, Verdict, accept};
use switchyard_milter_protocol::negotiate::Wants;
use switchyard_milter_protocol::response::{Action, Response};
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Content, Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::server::Client;
use switchyard_smtp::wire::command::Greeting;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

const MESSAGES: usize = 2000;
const ROUNDS: usize = 9;
/// What an answer of "continue" is on the wire.
const CONTINUE: &[u8] = b"\0\0\0\x01c";
/// MAIL, RCPT, DATA and the content.
const ROUND_TRIPS: usize = 4;
/// Octets of an event with its macros, as they come on the whole.
const QUESTION: usize = 60;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let [filter, apart, echo] = ["filter", "apart", "echo"].map(|name| folder.path().join(name));
    let heard = Arc::new(AtomicUsize::new(0));
    let _filter = beside({
        let (filter, heard) = (filter.clone(), heard.clone());
        async move { serve(&filter, &heard).await }
    });
    let _apart = thread::spawn({
        let listener = std::os::unix::net::UnixListener::bind(&apart).unwrap();
        move || listener.incoming().for_each(|socket| answer_apart(socket.unwrap()))
    });
    let _echo = beside({
        let echo = echo.clone();
        async move { answer(&echo).await }
    });
    for path in [&filter, &echo] {
        while !path.exists() {
            thread::yield_now();
        }
    }
    let runtime = runtime();
    let events = runtime.block_on(async {
        let mut session = session(&filter);
        session.connect(&client()).await.unwrap();
        let before = heard.load(Ordering::Relaxed);
        tell(&mut session, &client(), &mail()).await;
        heard.load(Ordering::Relaxed) - before
    });
    let (mut asking, mut singly, mut bare, mut each) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        asking.push(runtime.block_on(asked(&filter)));
        singly.push(runtime.block_on(asked(&apart)));
        bare.push(runtime.block_on(trips(&echo, ROUND_TRIPS)));
        each.push(runtime.block_on(trips(&echo, events)));
    }
    let (asking, singly) = (median(&mut asking), median(&mut singly));
    let (bare, each) = (median(&mut bare), median(&mut each));
    println!("asking     {asking:>6.1} µs a message of {events} events, each with an answer");
    println!("apart      {singly:>6.1} µs where each answer is written by itself");
    println!(
        "bare       {bare:>6.1} µs for {ROUND_TRIPS} round trips; asking is {:.2} times that",
        asking / bare
    );
    println!("           {each:>6.1} µs for a round trip an event");
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Microseconds of a message, over one session with many.
async fn asked(place: &Path) -> f64 {
    let mut session = session(place);
    let (client, mail) = (client(), mail());
    session.connect(&client).await.unwrap();
    let start = cpu();
    for _ in 0..MESSAGES {
        tell(&mut session, &client, &mail).await;
    }
    let took = cpu() - start;
    session.close();
    took / MESSAGES as f64 / 1e3
}

async fn tell(session: &mut FilterSession, client: &Client, mail: &MailObject) {
    session.sender(client, &mail.envelope.sender, "4XyZ").await.unwrap();
    session.recipient(&mail.envelope.recipients[0]).await.unwrap();
    session.data().await.unwrap();
    let judged = session.content(mail.clone()).await.unwrap();
    assert!(judged.hold.is_none() && judged.discard.is_none());
}

fn mail() -> MailObject {
    const FIELDS: &str = "From: Ann <ann@example.org>\r\nTo: Bob <bob@example.net>\r\nSubject: lunch\r\n\
                          Date: Tue, 3 Mar 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\
                          MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nUser-Agent: none\r\n\r\n";
    let sender = Sender::new(ReversePath::parse("<ann@example.org>").unwrap());
    let recipients = vec![Recipient::new(ForwardPath::parse("<bob@example.net>").unwrap())];
    let body = "Sixty-two octets of plain text, and two more for the line end.\r\n".repeat(60);
    let content = Content {
        added: Bytes::from_static(b"Received: by us\r\n"),
        wire: Bytes::from(format!("{FIELDS}{body}")),
    };
    MailObject { envelope: Envelope { sender, recipients }, content }
}

fn session(place: &Path) -> FilterSession {
    let filter = MilterOptions {
        name: "scan".into(),
        places: vec![format!("unix:{}", place.display()).parse().unwrap()],
        authorities: None,
        identity: None,
        times: Times::default(),
        when_down: WhenDown::Tempfail,
        kept: 4,
        connections: 10,
        waiting: 10,
        edited_octets: 1 << 20,
        shadow: false,
    };
    let metrics = ClientMetrics::register(&prometheus::Registry::new()).unwrap();
    let asked = Asked { host: "us.example".into(), filters: vec![filter], order: vec!["scan".into()] };
    Arc::new(Filters::new(&asked, &metrics, &MemoryBudget::new(1 << 30)).unwrap()).session(None)
}

fn client() -> Client {
    let address: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let hello = Some((Greeting::Ehlo, "client.example".into()));
    Client { address, hello, tls: None, verified: false, forwarded: None }
}

// ---------------------------------------------------------------------------------------------------------

/// It continues, and counts what it is told.
struct Continues(Arc<AtomicUsize>);

impl Filter for Continues {
    async fn event(&mut self, _event: Event, _context: Context) -> Action {
        self.0.fetch_add(1, Ordering::Relaxed);
        Action::Continue
    }

    async fn end(&mut self, _rest: Bytes, _context: Context) -> Verdict {
        self.0.fetch_add(1, Ordering::Relaxed);
        Verdict { action: Action::Continue, edits: Vec::new() }
    }

    fn abort(&mut self) {}

    fn next_session(&mut self) {}
}

async fn serve(place: &Path, heard: &Arc<AtomicUsize>) {
    let listener = Listener::Unix(UnixListener::bind(place).unwrap());
    let options = Arc::new(ServeOptions::new(Wants::default(), CancellationToken::new()));
    let heard = heard.clone();
    accept(listener, options, move || Continues(heard.clone()), |_ended| ()).await;
}

/// It continues, and writes each answer by itself, until the other side hangs up.
fn answer_apart(mut socket: std::os::unix::net::UnixStream) {
    let (mut input, mut chunk) = (BytesMut::new(), vec![0; 65_536]);
    while let Ok(octets @ 1..) = socket.read(&mut chunk) {
        input.extend_from_slice(&chunk[..octets]);
        while let Some(frame) = frame::take(&mut input, LARGEST).unwrap() {
            let answer = match Command::decode(frame).unwrap() {
                Command::Negotiate(offer) => Response::Negotiate(Wants::default().answer(&offer).unwrap()),
                Command::Event(_) => Response::Action(Action::Continue),
                _ => continue,
            };
            let mut output = BytesMut::new();
            answer.encode(&mut output);
            socket.write_all(&output).unwrap();
        }
    }
}

/// It says "continue" to every so many octets.
async fn answer(place: &Path) {
    let listener = UnixListener::bind(place).unwrap();
    while let Ok((mut socket, _)) = listener.accept().await {
        let mut question = [0; QUESTION];
        while socket.read_exact(&mut question).await.is_ok() {
            socket.write_all(CONTINUE).await.unwrap();
        }
    }
}

/// Microseconds of so many round trips.
async fn trips(place: &Path, count: usize) -> f64 {
    let mut socket = UnixStream::connect(place).await.unwrap();
    let start = cpu();
    for _ in 0..MESSAGES * count {
        socket.write_all(&[0; QUESTION]).await.unwrap();
        let mut answer = [0; CONTINUE.len()];
        socket.read_exact(&mut answer).await.unwrap();
    }
    (cpu() - start) / MESSAGES as f64 / 1e3
}

/// Runs something in a thread of its own, until the program ends.
fn beside(work: impl Future<Output = ()> + Send + 'static) -> thread::JoinHandle<()> {
    thread::spawn(move || runtime().block_on(work))
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Nanoseconds this thread has had of a processor.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}
