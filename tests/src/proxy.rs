//! A connection between two of ours that breaks at the worst moment.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// When to cut a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// Once these octets have gone to the server, at the end of a segment: its answer finds nobody.
    Sent(Vec<u8>),
    /// Instead of handing on an answer that holds these octets: the server has done all, and nobody knows.
    Answered(Vec<u8>),
}

/// Hands octets on both ways, until it is told to cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    armed: Mutex<Option<Cut>>,
    cuts: AtomicU64,
    over: AtomicBool,
}

impl Proxy {
    /// Starts one before a server.
    ///
    /// # Panics
    /// When there is no port left.
    #[must_use]
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared =
            Shared { server, armed: Mutex::new(None), cuts: AtomicU64::new(0), over: AtomicBool::new(false) };
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Acquire) {
                    return;
                }
                accepting.connect(client);
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts one connection, when that comes to pass.
    pub fn arm(&self, cut: Cut) {
        *self.shared.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Connections cut so far.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        // Where the server is not there, the client finds its connection closed.
        let Ok(server) = TcpStream::connect(self.server) else { return };
        let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
        for (way, from, to) in [(Way::ToServer, from, to), (Way::ToClient, server, client)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.pump(way, from, to));
        }
    }

    fn pump(&self, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let (mut buffer, mut tail) = ([0; 16 << 10], Vec::new());
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let octets = &buffer[..length];
            tail.extend_from_slice(octets);
            tail.drain(..tail.len().saturating_sub(buffer.len() + 512));
            let cut = self.is_due(way, &tail);
            // What the cut is about still goes to a server; an answer does not reach its client.
            let is_withheld = cut && way == Way::ToClient;
            let is_handed_on = !is_withheld && to.write_all(octets).is_ok();
            if cut || !is_handed_on {
                break;
            }
        }
        for end in [&from, &to] {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Whether this is the moment; it comes once.
    fn is_due(&self, way: Way, tail: &[u8]) -> bool {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match (&*armed, way) {
            (Some(Cut::Sent(mark)), Way::ToServer) => {
                tail.ends_with(mark) || tail.strip_suffix(b".\r\n").is_some_and(|tail| tail.ends_with(mark))
            }
            (Some(Cut::Answered(mark)), Way::ToClient) => {
                tail.windows(mark.len()).any(|window| window == mark)
            }
            _ => false,
        };
        if due {
            *armed = None;
            self.cuts.fetch_add(1, Ordering::AcqRel);
        }
        due
    }
}
