use std::collections::VecDeque;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::metrics::Registry;

/// An accept loop under test, with what it takes to talk to it.
struct Site {
    registry: Registry,
    drain: Drain,
    sessions: Sessions,
}

impl Site {
    fn new(max: usize) -> Self {
        let (registry, drain) = (Registry::new(), Drain::new());
        let metrics = AcceptMetrics::register(&registry, "smtp_server").unwrap();
        Self { sessions: Sessions::new(max, drain.clone(), metrics), registry, drain }
    }

    fn count(&self, name: &str) -> u64 {
        let text = self.registry.encode().unwrap();
        let prefix = format!("switchyard_smtp_server_{name} ");
        let line = text.lines().find(|line| line.starts_with(&prefix)).expect(&text);
        line[prefix.len()..].parse().unwrap()
    }

    /// Opens the door: a session says `hello` and lasts until its client closes; one too many hears `full`.
    fn open(
        &self,
        incoming: impl Incoming<Stream = TcpStream, Peer = SocketAddr> + 'static,
    ) -> tokio::task::JoinHandle<Result<(), AcceptError>> {
        tokio::spawn(accept(incoming, self.sessions.clone(), hello, full))
    }
}

async fn hello(mut stream: TcpStream, _peer: SocketAddr) {
    stream.write_all(b"hello").await.unwrap();
    let _closed = stream.read(&mut [0]).await;
}

async fn full(mut stream: TcpStream, _peer: SocketAddr) {
    stream.write_all(b"full!").await.unwrap();
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Connects and reads the first five bytes.
async fn greeted(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut word = [0; 5];
    stream.read_exact(&mut word).await.unwrap();
    (stream, String::from_utf8(word.to_vec()).unwrap())
}

#[tokio::test]
async fn where_nobody_is_refused_a_newcomer_waits_for_an_end_or_a_larger_cap() {
    let mut site = Site::new(1);
    site.sessions = site.sessions.waiting();
    let (listener, address) = listener().await;
    let _door = site.open(listener);
    let (first, _) = greeted(address).await;
    let (second, third) = (greeted(address), greeted(address));
    drop(first);
    let (second, word) = second.await;
    assert_eq!((&*word, site.count("refused_total")), ("hello", 0));
    site.sessions.set_max(2);
    assert_eq!(third.await.1, "hello");
    assert_eq!((site.count("sessions_total"), site.count("dropped_total")), (3, 0));
    drop(second);
}

#[tokio::test]
async fn over_the_cap_a_newcomer_is_refused_at_once_and_an_end_makes_room() {
    let site = Site::new(2);
    let (listener, address) = listener().await;
    let door = site.open(listener);
    let (first, word) = greeted(address).await;
    assert_eq!(word, "hello");
    let (second, word) = greeted(address).await;
    assert_eq!(word, "hello");
    let (mut third, word) = greeted(address).await;
    assert_eq!(word, "full!");
    assert_eq!(third.read(&mut [0]).await.unwrap(), 0, "and the connection is closed");
    assert_eq!((site.count("sessions"), site.count("refused_total")), (2, 1));

    let ended = site.sessions.house.ended.notified();
    drop(first);
    ended.await;
    let (fourth, word) = greeted(address).await;
    assert_eq!(word, "hello");
    assert_eq!((site.count("sessions"), site.count("sessions_total")), (2, 3));

    site.drain.begin();
    door.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the door is closed, the sessions go on");
    assert_eq!(site.drain.open(), 2);
    drop((second, fourth));
    assert_eq!(site.drain.finished(Duration::from_secs(60)).await, crate::drain::Drained::Whole);
    assert_eq!(site.count("sessions"), 0);
}

#[tokio::test]
async fn a_smaller_cap_lets_nobody_in_until_enough_have_left() {
    let site = Site::new(2);
    let (listener, address) = listener().await;
    let _door = site.open(listener);
    let (first, _) = greeted(address).await;
    let (_second, _) = greeted(address).await;
    site.sessions.set_max(1);
    assert_eq!(greeted(address).await.1, "full!");
    let ended = site.sessions.house.ended.notified();
    drop(first);
    ended.await;
    assert_eq!(greeted(address).await.1, "full!", "one is in, and one may be");
    site.sessions.set_max(2);
    assert_eq!(greeted(address).await.1, "hello");
}

#[tokio::test]
async fn a_session_that_panics_gives_its_place_back() {
    let site = Site::new(1);
    let (listener, address) = listener().await;
    let faulty = |_stream: TcpStream, _peer: SocketAddr| async { panic!("a fault in the program") };
    let _door = tokio::spawn(accept(listener, site.sessions.clone(), faulty, full));
    for _ in 0..2 {
        let ended = site.sessions.house.ended.notified();
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
        ended.await;
    }
    assert_eq!((site.count("sessions"), site.count("panics_total")), (0, 2));
    assert_eq!(site.count("refused_total"), 0);
}

/// Says what it was told to, one accept a line, and then waits; counts the attempts.
struct Script {
    lines: VecDeque<io::Result<(TcpStream, SocketAddr)>>,
    then: Option<Errno>,
    attempts: Arc<AtomicUsize>,
    asked: mpsc::UnboundedSender<Instant>,
}

impl Incoming for Script {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let _nobody_reads = self.asked.send(Instant::now());
        match (self.lines.pop_front(), self.then) {
            (Some(line), _) => line,
            (None, Some(errno)) => Err(errno.into()),
            (None, None) => std::future::pending().await,
        }
    }
}

/// Reliability R9: out of descriptors, the loop sleeps. An hour of it is a few thousand attempts, not billions.
#[tokio::test(start_paused = true)]
async fn r9_exhaustion_backs_off_and_a_session_that_ends_cuts_the_wait() {
    let site = Site::new(8);
    let attempts = Arc::new(AtomicUsize::new(0));
    let (asked, mut asks) = mpsc::unbounded_channel();
    let script =
        Script { lines: VecDeque::new(), then: Some(Errno::MFILE), attempts: Arc::clone(&attempts), asked };
    let door = site.open(script);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Each pause has two attempts: one for a newcomer, one with the spare descriptor given up.
    let tried = attempts.load(Ordering::Relaxed);
    assert!((7000..7300).contains(&tried), "{tried} attempts in an hour");
    assert!(!door.is_finished());

    while asks.try_recv().is_ok() {}
    let before = Instant::now();
    site.sessions.house.ended.notify_waiters();
    assert_eq!(asks.recv().await, Some(before), "at once");
    site.drain.begin();
    door.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_lost_connection_costs_nothing_and_a_lost_listener_is_the_end() {
    let site = Site::new(8);
    let (asked, mut asks) = mpsc::unbounded_channel();
    let lost = [Errno::CONNABORTED, Errno::PROTO, Errno::NETUNREACH, Errno::BADF];
    let script = Script {
        lines: lost.into_iter().map(|errno| Err(errno.into())).collect(),
        then: None,
        attempts: Arc::default(),
        asked,
    };
    let start = Instant::now();
    let error = site.open(script).await.unwrap().unwrap_err().to_string();
    assert!(error.starts_with("accepting connections failed: "), "{error}");
    for _ in lost {
        assert_eq!(asks.recv().await, Some(start), "without a pause");
    }
}

/// Reliability R9 with the real limit: the test starts itself again with 64 descriptors, opens sessions until
/// they are gone, and still answers each newcomer, with no more attempts than newcomers explain.
#[test]
fn r9_with_64_descriptors_every_newcomer_is_answered() {
    const CHILD: &str = "SWITCHYARD_TEST_HAS_FEW_DESCRIPTORS";
    const CLIENTS: usize = 100;
    if std::env::var_os(CHILD).is_some() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let site = Site::new(1000);
            let (listener, address) = listener().await;
            let attempts = Arc::new(AtomicUsize::new(0));
            let door = site.open(Counted(listener, Arc::clone(&attempts)));
            // The parent has the descriptors for the other ends.
            eprintln!("{address}");
            let mut line = String::new();
            io::stdin().read_line(&mut line).unwrap();
            let (begun, refused) = (site.count("sessions_total"), site.count("refused_total"));
            assert_eq!(begun + refused, CLIENTS as u64);
            assert!((40..60).contains(&begun), "{begun} sessions on 64 descriptors");
            let tried = attempts.load(Ordering::Relaxed);
            assert!(tried < 4 * CLIENTS, "{tried} attempts for {CLIENTS} newcomers");
            site.drain.begin();
            door.await.unwrap().unwrap();
        });
        return;
    }
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -n 64; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .arg("accept::tests::r9_with_64_descriptors_every_newcomer_is_answered")
        .env(CHILD, "1")
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let done = child.stdin.take();
    let mut lines = io::BufRead::lines(io::BufReader::new(child.stderr.take().unwrap()));
    let address: SocketAddr = lines.next().unwrap().unwrap().parse().unwrap();
    let greeted = || {
        let mut stream = std::net::TcpStream::connect(address)?;
        let mut word = [0; 5];
        io::Read::read_exact(&mut stream, &mut word)?;
        Ok::<_, io::Error>((String::from_utf8(word.to_vec()).unwrap(), stream))
    };
    let (words, held): (Vec<String>, Vec<_>) = (0..CLIENTS).map_while(|_| greeted().ok()).unzip();
    io::Write::write_all(&mut done.unwrap(), b"done\n").unwrap();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    drop(held);
    let hellos = words.iter().take_while(|word| *word == "hello").count();
    assert!(words[hellos..].iter().all(|word| word == "full!"), "{words:?}");
    assert_eq!(words.len(), CLIENTS, "each heard something");
}

/// A listener that counts the attempts.
struct Counted(TcpListener, Arc<AtomicUsize>);

impl Incoming for Counted {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.accept().await
    }
}
