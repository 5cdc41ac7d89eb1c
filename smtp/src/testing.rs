//! A scripted peer, for the tests of whoever speaks SMTP as a client: the dialogue is written down, and played in
//! memory or on a loopback port.
//!
//! A script is a line for each thing that happens, in order:
//!
//! ```text
//! S: 250 Ok             the peer says this; lines that follow one another go out in one write
//! C: MAIL FROM:<a@b>*   the client must say this line; a * stands for anything
//! =                     nothing more from the client may be here yet
//! .                     content up to the lone dot, kept dot-stuffed and without it
//! +                     content of as many octets as the last BDAT said, kept
//! + 12                  twelve octets, kept
//! X                     the peer hangs up
//! ```
//!
//! Empty lines and lines that start with `#` are for the reader. A script that ends without `X` goes on listening
//! until the client hangs up. What does not go as written panics and says what did happen.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::wire::data::{DataReceiver, Received};

/// What a client did while a script was played.
#[derive(Debug, Default)]
pub struct Played {
    /// The lines that it said.
    pub lines: Vec<String>,
    /// The contents that it sent.
    pub contents: Vec<Bytes>,
    /// What it said after the script's end.
    pub rest: Vec<u8>,
}

/// Plays `script` to whoever is at the other end of `stream`.
///
/// # Panics
/// When the client does not do as the script says.
pub async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: &str) -> Played {
    let (mut played, is_over) = play_lines(&mut stream, script).await;
    if !is_over {
        while let Ok(1..) = stream.read_buf(&mut played.rest).await {}
    }
    played
}

/// Plays `script`, and leaves the stream to whoever goes on with it: for a handshake, or to be silent.
///
/// # Panics
/// When the client does not do as the script says.
pub async fn play_open(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), script: &str) -> Played {
    play_lines(stream, script).await.0
}

/// What was played, and whether it ended with `X`.
async fn play_lines(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), script: &str) -> (Played, bool) {
    let mut peer = Peer { stream, input: BytesMut::new(), output: Vec::new(), played: Played::default() };
    for (number, line) in script.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (sign, rest) = line.split_at(line.len().min(2));
        let rest = rest.trim_start();
        if sign != "S:" {
            peer.flush().await;
        }
        match (sign.trim_end(), rest) {
            ("S:", text) => peer.output.extend_from_slice(format!("{text}\r\n").as_bytes()),
            ("C:", text) => peer.expect_line(number, text).await,
            ("=", "") => peer.expect_silence(number).await,
            (".", "") => peer.take_dotted(number).await,
            ("+", count) => peer.take_counted(number, count).await,
            ("X", "") => return (peer.played, true),
            _ => panic!("line {number} of the script is none: {line}"),
        }
    }
    peer.flush().await;
    peer.played.rest = peer.input.to_vec();
    (peer.played, false)
}

/// Plays each script to one connection to a loopback port, one after another.
///
/// # Errors
/// When there is no such port to be had.
pub async fn listen(scripts: Vec<String>) -> io::Result<(SocketAddr, JoinHandle<Vec<Played>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let playing = tokio::spawn(async move {
        let mut played = Vec::with_capacity(scripts.len());
        for script in scripts {
            let (stream, _) = listener.accept().await.expect("a loopback port accepts");
            played.push(play(stream, &script).await);
        }
        played
    });
    Ok((address, playing))
}

struct Peer<'a, S> {
    stream: &'a mut S,
    input: BytesMut,
    output: Vec<u8>,
    played: Played,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<'_, S> {
    async fn flush(&mut self) {
        if !self.output.is_empty() {
            // A client that has hung up is found out by the next line that it does not say.
            let _ = self.stream.write_all(&self.output).await;
            let _ = self.stream.flush().await;
            self.output.clear();
        }
    }

    /// Reads more; panics at the end.
    async fn fill(&mut self, number: usize, wanted: &str) {
        let read = self.stream.read_buf(&mut self.input).await;
        if !matches!(read, Ok(1..)) {
            panic!("line {number} of the script: {wanted}, but the client hung up after {:?}", self.input);
        }
    }

    async fn expect_line(&mut self, number: usize, wanted: &str) {
        loop {
            if let Some(end) = memmem::find(&self.input, b"\r\n") {
                let line = self.input.split_to(end + 2);
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                assert!(
                    is_like(wanted, &line),
                    "line {number} of the script: C: {wanted}, but the client said: {line}"
                );
                self.played.lines.push(line);
                return;
            }
            self.fill(number, wanted).await;
        }
    }

    async fn expect_silence(&mut self, number: usize) {
        let input = &mut self.input;
        let stream = &mut *self.stream;
        poll_fn(|context| {
            // What the client has sent so far is here: memory and loopback don't keep it back.
            let _ = pin!(stream.read_buf(input)).poll(context);
            Poll::Ready(())
        })
        .await;
        assert!(
            self.input.is_empty(),
            "line {number} of the script: silence, but the client said: {:?}",
            self.input
        );
    }

    async fn take_dotted(&mut self, number: usize) {
        let mut receiver = DataReceiver::default();
        loop {
            match receiver.receive(&mut self.input, u64::MAX) {
                Some(Received::Whole(content)) => return self.played.contents.push(content),
                Some(Received::TooBig) | None => self.fill(number, "content up to the lone dot").await,
            }
        }
    }

    async fn take_counted(&mut self, number: usize, count: &str) {
        let said = self.played.lines.last().and_then(|line| line.split(' ').nth(1));
        let octets = if count.is_empty() { said.unwrap_or_default() } else { count };
        let octets: usize = octets.parse().expect("a count of octets, in the script or after BDAT");
        while self.input.len() < octets {
            self.fill(number, "octets of content").await;
        }
        self.played.contents.push(self.input.split_to(octets).freeze());
    }
}

/// `*` stands for anything, once.
fn is_like(wanted: &str, line: &str) -> bool {
    match wanted.split_once('*') {
        None => wanted == line,
        Some((head, tail)) => {
            line.len() >= head.len() + tail.len() && line.starts_with(head) && line.ends_with(tail)
        }
    }
}
