//! A server of tables that does as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What it does with a request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A reply with this text.
    Say(&'static str),
    /// These octets as they are.
    Send(Vec<u8>),
    /// A reply, and the connection is closed after it.
    SayAndClose(&'static str),
    /// The connection is closed.
    Close,
    /// Nothing, for ever.
    Hang,
    /// A reply, once [`Server::release`] lets it.
    Hold(&'static str),
}

/// Ended when dropped.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    act: Mutex<Act>,
    asked: Mutex<Vec<String>>,
    connections: Mutex<Counts>,
    held: Semaphore,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    ever: usize,
    now: usize,
    most: usize,
}

impl Server {
    /// Listens on a free port, and speaks socketmap.
    pub(super) async fn start(act: Act) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            act: Mutex::new(act),
            asked: Mutex::default(),
            connections: Mutex::default(),
            held: Semaphore::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { port, state, task }
    }

    /// The word that names one of its tables.
    pub(super) fn table(&self) -> String {
        format!("socketmap:inet:127.0.0.1:{}:users", self.port)
    }

    /// From now on.
    pub(super) fn act(&self, act: Act) {
        *self.state.act.lock().unwrap() = act;
    }

    /// The keys it was asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Connections since the start, and the most at a time.
    pub(super) fn connections(&self) -> (usize, usize) {
        let counts = *self.state.connections.lock().unwrap();
        (counts.ever, counts.most)
    }

    /// Lets that many held replies go.
    pub(super) fn release(&self, replies: usize) {
        self.state.held.add_permits(replies);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            {
                let mut counts = state.connections.lock().unwrap();
                counts.ever += 1;
                counts.now += 1;
                counts.most = counts.most.max(counts.now);
            }
            let _ = serve(stream, &state).await;
            state.connections.lock().unwrap().now -= 1;
        });
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    loop {
        let mut length = 0;
        loop {
            match stream.read_u8().await? {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut request = vec![0; length + 1];
        stream.read_exact(&mut request).await?;
        let key = String::from_utf8_lossy(&request[..length]).strip_prefix("users ").unwrap().to_owned();
        state.asked.lock().unwrap().push(key);
        let act = state.act.lock().unwrap().clone();
        let framed = |text: &str| format!("{}:{text},", text.len()).into_bytes();
        match act {
            Act::Say(text) => stream.write_all(&framed(text)).await?,
            Act::Send(octets) => stream.write_all(&octets).await?,
            Act::SayAndClose(text) => return stream.write_all(&framed(text)).await,
            Act::Close => return Ok(()),
            Act::Hang => std::future::pending().await,
            Act::Hold(text) => {
                state.held.acquire().await.unwrap().forget();
                stream.write_all(&framed(text)).await?;
            }
        }
    }
}
