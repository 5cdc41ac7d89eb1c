//! A stream, what was read from it, and how long it may take: one command and one answer at a time, as a session
//! begins and ends.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::error::DialError;
use crate::client::Timeouts;
use crate::client::dialogue::{AfterHello, ExpectHello, Ready};
use crate::io::stream::Stream;
use crate::reply::Reply;
use crate::wire::command::Verb;
use crate::wire::reply::ReplyParser;

/// Room to make before a read: replies are short.
pub(super) const REPLY_ROOM: usize = 2 << 10;

#[derive(Debug)]
pub(super) struct Line {
    pub(super) stream: Stream,
    pub(super) input: BytesMut,
    pub(super) parser: ReplyParser,
    pub(super) timeouts: Timeouts,
    /// Nothing more is to be said here.
    pub(super) dead: bool,
}

impl Line {
    pub(super) fn new(stream: Stream, timeouts: Timeouts) -> Self {
        Self { stream, input: BytesMut::new(), parser: ReplyParser::default(), timeouts, dead: false }
    }

    /// Says hello, in the words that the peer knows.
    pub(super) async fn say_hello(&mut self, mut hello: ExpectHello) -> Result<Ready, DialError> {
        loop {
            let (command, verb) = (hello.command(), hello.verb());
            match hello.reply(self.ask(&command, verb).await?)? {
                AfterHello::Ready(ready) => return Ok(ready),
                AfterHello::Again(next) => hello = next,
            }
        }
    }

    /// Says one command and reads its answer.
    pub(super) async fn ask(&mut self, command: &str, verb: Verb) -> Result<Reply, DialError> {
        // Nothing may have been said that no command asked for.
        if !self.input.is_empty() {
            return Err(DialError::OutOfStep(verb));
        }
        let write = async {
            self.stream.write_all(command.as_bytes()).await?;
            self.stream.flush().await
        };
        match timeout(self.timeouts.data_block, write).await {
            Ok(Ok(())) => self.read_reply(verb).await,
            Ok(Err(error)) => Err(DialError::Broken { verb, kind: error.kind() }),
            Err(_) => Err(DialError::TimedOut(verb)),
        }
    }

    pub(super) async fn read_reply(&mut self, verb: Verb) -> Result<Reply, DialError> {
        let wait = self.timeouts.of(verb);
        let read = async {
            loop {
                if let Some(reply) = self.parser.take(&mut self.input)? {
                    return Ok(reply);
                }
                match self.stream.fill(&mut self.input, REPLY_ROOM).await {
                    Ok(0) => return Err(DialError::Closed(verb)),
                    Ok(_) => {}
                    Err(error) => return Err(DialError::Broken { verb, kind: error.kind() }),
                }
            }
        };
        // One deadline for the whole reply, however its octets drip.
        timeout(wait, read).await.unwrap_or(Err(DialError::TimedOut(verb)))
    }

    /// Reads what there is, and asks to be woken when there is more.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.reserve(REPLY_ROOM);
        pin!(self.stream.read_buf(&mut self.input)).poll(context)
    }
}
