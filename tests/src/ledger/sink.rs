//! The last hop: books every copy before it says 250, and notes whether that 250 was acted on.

use std::io::{self, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::message::{Arrived, Digest};
use super::wire::read_line;
use crate::expect::PATIENCE;

/// A listening sink.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    copies: Mutex<Vec<Delivered>>,
    grown: Condvar,
    connections: AtomicU64,
    /// Connections that have brought a MAIL.
    busy: AtomicU64,
    closed: AtomicBool,
    ended: AtomicBool,
    /// It takes connections and greets nobody.
    is_mute: Mutex<bool>,
    unmuted: Condvar,
}

/// One delivered copy.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Which message it says it is.
    pub id: Option<u64>,
    /// Of its content.
    pub digest: Digest,
    /// To whom.
    pub recipients: Vec<String>,
    /// The reverse-path.
    pub sender: String,
    /// The Received fields above it.
    pub trace: String,
    /// Whether the client went on after our 250: it had read it. One that has not, was under way.
    pub settled: bool,
}

impl Sink {
    /// Listens on any port of this address.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn start(ip: IpAddr) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port for the sink");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let house = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if house.ended.load(Ordering::Acquire) {
                    return;
                }
                let house = Arc::clone(&house);
                // A connection that breaks is what the scenarios are about.
                thread::spawn(move || stream.and_then(|stream| house.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it takes no mail (421), so that what is acknowledged has to be kept by somebody else.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
    }

    /// From now on it takes mail again.
    pub fn open(&self) {
        self.shared.closed.store(false, Ordering::Release);
    }

    /// From now on it greets nobody who connects, until [`Self::speak`].
    pub fn mute(&self) {
        *self.shared.is_mute.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// It goes on with all who wait for its greeting.
    pub fn speak(&self) {
        *self.shared.is_mute.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.shared.unmuted.notify_all();
    }

    /// All copies so far.
    #[must_use]
    pub fn copies(&self) -> Vec<Delivered> {
        self.shared.copies().clone()
    }

    /// How many copies there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.copies().len()
    }

    /// Connections taken so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Acquire)
    }

    /// Waits for more copies than `count`.
    ///
    /// # Panics
    /// When none comes within the usual patience.
    pub fn await_over(&self, count: usize) {
        let few = |copies: &mut Vec<Delivered>| copies.len() <= count;
        let copies = self.shared.copies();
        let waited = self.shared.grown.wait_timeout_while(copies, PATIENCE, few);
        let (copies, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!outcome.timed_out(), "no more than {} copies came", copies.len());
    }

    /// Connections that bring mail now: each may be just before the point where its delivery is known to the
    /// other side.
    #[must_use]
    pub fn under_way(&self) -> u64 {
        self.shared.busy.load(Ordering::Acquire)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.speak();
        // Wakes the accepting thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// What it offers: the ways of sending that a router may choose from.
const OFFER: &str = "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n\
                     250-SIZE 104857600\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n";

/// A content larger than what is offered is an error of the client.
const LARGEST: usize = 104_857_600;

/// What a transaction has said so far.
#[derive(Default)]
struct Opened {
    sender: String,
    recipients: Vec<String>,
    content: Vec<u8>,
}

impl Shared {
    fn copies(&self) -> MutexGuard<'_, Vec<Delivered>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        self.connections.fetch_add(1, Ordering::AcqRel);
        stream.set_nodelay(true)?;
        let is_mute = self.is_mute.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.unmuted.wait_while(is_mute, |is_mute| *is_mute));
        let mut reader = BufReader::new(stream.try_clone()?);
        if self.closed.load(Ordering::Acquire) {
            return stream.write_all(b"421 4.3.2 closed\r\n");
        }
        stream.write_all(b"220 sink.example ESMTP\r\n")?;
        let mut open = Opened::default();
        let mut last_copy: Option<usize> = None;
        let mut busy = None;
        while let Some(line) = read_line(&mut reader)? {
            // Any further command means that the 250 before it was read.
            if let Some(index) = last_copy.take() {
                self.copies()[index].settled = true;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => stream.write_all(OFFER.as_bytes())?,
                "MAIL" if self.closed.load(Ordering::Acquire) => {
                    return stream.write_all(b"421 4.3.2 closed\r\n");
                }
                "MAIL" => {
                    busy.get_or_insert_with(|| Busy::new(self));
                    open = Opened { sender: path(rest), ..Opened::default() };
                    stream.write_all(b"250 2.1.0 ok\r\n")?;
                }
                "RCPT" => {
                    open.recipients.push(path(rest));
                    stream.write_all(b"250 2.1.5 ok\r\n")?;
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n")?;
                    loop {
                        // A stream that ends here ends without a message.
                        let line = read_line(&mut reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
                        if line == b"." {
                            break;
                        }
                        open.content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                        open.content.extend_from_slice(b"\r\n");
                        within(open.content.len())?;
                    }
                    last_copy = Some(self.book(std::mem::take(&mut open)));
                    stream.write_all(b"250 2.0.0 booked\r\n")?;
                }
                "BDAT" => {
                    let octets = rest.split(' ').next().and_then(|number| number.parse().ok());
                    let octets: usize = octets.ok_or(io::ErrorKind::InvalidData)?;
                    within(open.content.len() + octets)?;
                    let start = open.content.len();
                    open.content.resize(start + octets, 0);
                    reader.read_exact(&mut open.content[start..])?;
                    if rest.to_ascii_uppercase().ends_with(" LAST") {
                        last_copy = Some(self.book(std::mem::take(&mut open)));
                    }
                    stream.write_all(b"250 2.0.0 booked\r\n")?;
                }
                "RSET" | "NOOP" => {
                    open = Opened::default();
                    stream.write_all(b"250 2.0.0 ok\r\n")?;
                }
                "QUIT" => return stream.write_all(b"221 2.0.0 bye\r\n"),
                _ => stream.write_all(b"500 5.5.2 what?\r\n")?,
            }
        }
        Ok(())
    }

    /// Books a copy and says where.
    fn book(&self, open: Opened) -> usize {
        let Opened { sender, recipients, content } = open;
        let Arrived { id, digest, trace } = Arrived::read(&content);
        let mut copies = self.copies();
        copies.push(Delivered { id, digest, recipients, sender, trace, settled: false });
        self.grown.notify_all();
        copies.len() - 1
    }
}

/// A connection that brings mail, for as long as it lives.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.busy.fetch_add(1, Ordering::AcqRel);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

fn within(octets: usize) -> io::Result<()> {
    if octets <= LARGEST { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// What stands between the angle brackets.
fn path(argument: &str) -> String {
    let inner = argument.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(path, _)| path.to_owned())
}
