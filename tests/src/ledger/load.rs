//! A client under load: many sessions, a new message as soon as the last is answered, and a new connection
//! whenever one is lost. It believes nothing that it has not read.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::message::Message;
use super::wire::{Line, read_line};
use super::{Ledger, SILENCE};

/// A running load; it ends with [`Load::stop`], or when dropped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    sessions: Vec<JoinHandle<()>>,
}

impl Load {
    /// So many sessions to this server, until stopped.
    #[must_use]
    pub fn start(ledger: &Ledger, server: SocketAddr, sessions: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let session = |_| {
            let (ledger, stop) = (ledger.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    one_connection(&ledger, server, &stop);
                }
            })
        };
        Self { sessions: (0..sessions).map(session).collect(), stop }
    }

    /// Lets running transactions end, and waits until they have.
    ///
    /// # Panics
    /// When a session failed in a way nobody planned.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Release);
        for session in std::mem::take(&mut self.sessions) {
            session.join().expect("a session of the load ends well");
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// Before another try at a server that is not there: a client's pace, not a test's.
const RECONNECT: Duration = Duration::from_millis(5);

/// Serves one connection to its end.
fn one_connection(ledger: &Ledger, server: SocketAddr, stop: &AtomicBool) {
    let mut session = match Session::open(server) {
        Ok(session) => session,
        Err(error) => {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => ledger.count(|tally| tally.no_listener += 1),
                _ => ledger.count(|tally| tally.parted += 1),
            }
            thread::sleep(RECONNECT);
            return;
        }
    };
    while !stop.load(Ordering::Acquire) {
        let message = ledger.next_message();
        match session.send(&message) {
            Sent::Taken(accepted) => ledger.acknowledge(message.id(), &accepted),
            Sent::PutOff => ledger.count(|tally| tally.put_off += 1),
            Sent::Refused => ledger.count(|tally| tally.refused += 1),
            Sent::Lost(Stage::Between) => return ledger.count(|tally| tally.parted += 1),
            Sent::Lost(Stage::Within) => return ledger.count(|tally| tally.cut += 1),
            Sent::Lost(Stage::After) => return ledger.count(|tally| tally.unanswered += 1),
        }
        if session.closing {
            return;
        }
    }
    // Whether it hears us or not: nothing is under way.
    let _ = session.stream.write_all(b"QUIT\r\n").and_then(|()| session.reply());
}

/// What came of one message.
enum Sent {
    /// 250, for these recipients.
    Taken(Vec<&'static str>),
    PutOff,
    Refused,
    Lost(Stage),
}

/// How far a transaction was when its connection was lost.
#[derive(Clone, Copy)]
enum Stage {
    /// MAIL had not been taken.
    Between,
    /// MAIL had been taken, and the content was not out.
    Within,
    /// The content was out.
    After,
}

struct Session {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
    chunking: bool,
    /// The server said 421, or does not agree about where we are.
    closing: bool,
}

impl Session {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, SILENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        let mut session = Self { stream, reader, chunking: false, closing: false };
        session.expect_250_after("", 220)?;
        session.expect_250_after("EHLO client.example\r\n", 250)?;
        Ok(session)
    }

    fn expect_250_after(&mut self, command: &str, code: u16) -> io::Result<()> {
        self.stream.write_all(command.as_bytes())?;
        let reply = self.reply()?;
        if reply == code { Ok(()) } else { Err(io::Error::other(format!("{reply} to {command:?}"))) }
    }

    /// The code of the next reply, which may have several lines.
    fn reply(&mut self) -> io::Result<u16> {
        loop {
            let line = read_line(&mut self.reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let Line { code, last, text } = Line::parse(&line)?;
            self.chunking |= text.eq_ignore_ascii_case("CHUNKING");
            if last {
                self.closing |= code == 421;
                return Ok(code);
            }
        }
    }

    /// One transaction, with as much of it in one write as pipelining allows (RFC 2920 §3.1).
    fn send(&mut self, message: &Message) -> Sent {
        // Both ways of sending content are in use out there, so both are taken in turn.
        let chunk = self.chunking && message.id().is_multiple_of(2);
        match self.transact(message, chunk) {
            Ok(sent) => sent,
            Err(stage) => Sent::Lost(stage),
        }
    }

    fn transact(&mut self, message: &Message, chunk: bool) -> Result<Sent, Stage> {
        let mut opening = b"MAIL FROM:<ledger@client.example> BODY=8BITMIME\r\n".to_vec();
        for recipient in message.recipients() {
            opening.extend_from_slice(format!("RCPT TO:<{recipient}>\r\n").as_bytes());
        }
        if chunk {
            opening.extend_from_slice(format!("BDAT {} LAST\r\n", message.content().len()).as_bytes());
            opening.extend_from_slice(message.content());
        } else {
            opening.extend_from_slice(b"DATA\r\n");
        }
        // A failed write may still have an answer behind it: the reads below tell.
        let written = self.stream.write_all(&opening);
        let mail = self.reply().map_err(|_| Stage::Between)?;
        if mail == 421 {
            return Ok(Sent::Lost(Stage::Between));
        }
        let out = if chunk && written.is_ok() { Stage::After } else { Stage::Within };
        let mut accepted = Vec::new();
        // Once one command is refused, what comes of those behind it says nothing new.
        let mut first_no = Some(mail).filter(|&code| code != 250);
        for &recipient in message.recipients() {
            let code = self.reply().map_err(|_| out)?;
            if code == 250 {
                accepted.push(recipient);
            } else {
                first_no.get_or_insert(code);
            }
        }
        if self.closing {
            return Ok(Sent::Lost(Stage::Within));
        }
        if !chunk {
            let data = self.reply().map_err(|_| Stage::Within)?;
            if data != 354 {
                return Ok(self.no(first_no.unwrap_or(data)));
            }
            // As above: a server may answer and leave before it has read all.
            let _ = self.stream.write_all(&message.stuffed());
        }
        match self.reply().map_err(|_| Stage::After)? {
            250 => Ok(Sent::Taken(accepted)),
            code => Ok(self.no(first_no.unwrap_or(code))),
        }
    }

    /// A no, by its kind; whatever the server still holds of the transaction is dropped.
    fn no(&mut self, code: u16) -> Sent {
        if !self.closing {
            self.closing = self.expect_250_after("RSET\r\n", 250).is_err();
        }
        if code >= 500 { Sent::Refused } else { Sent::PutOff }
    }
}
