//! Carries one transaction over the line.
//!
//! Reading never waits for writing: a peer may hang up, or speak out of turn, while content still goes out, and is
//! heard at once. Before content goes out the line is looked at once more, for a reply that nobody asked for.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio::time::{Instant, timeout, timeout_at};

use super::line::{Line, REPLY_ROOM};
use crate::client::Loss;
use crate::client::transaction::{Step, Transaction};
use crate::io::stream::Stream;
use crate::wire::command::Verb;

impl Line {
    /// Carries `transaction` to its end, or to the end of the connection.
    pub(super) async fn carry(&mut self, transaction: &mut Transaction) {
        if self.dead {
            transaction.lose(Loss::Closed);
        }
        while !transaction.is_lost() {
            let went = match self.listen(transaction) {
                Err(loss) => Err(loss),
                Ok(()) => match transaction.step() {
                    Step::Done => break,
                    Step::Read(verb) => self.read(transaction, verb).await,
                    Step::Write(parts) => self.write(transaction, parts).await,
                },
            };
            if let Err(loss) = went {
                transaction.lose(loss);
            }
        }
        self.dead |= transaction.is_lost();
    }

    /// Hears what has been read, and before a write what has come since: that can be no answer to what is still
    /// to be said.
    fn listen(&mut self, transaction: &mut Transaction) -> Result<(), Loss> {
        self.hear(transaction)?;
        if transaction.is_quiet() {
            match self.poll_fill(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {}
                Poll::Ready(read) => {
                    came(read)?;
                    self.hear(transaction)?;
                }
            }
        }
        Ok(())
    }

    /// Gives every whole reply to the transaction. What is left when all is answered belongs to nothing.
    fn hear(&mut self, transaction: &mut Transaction) -> Result<(), Loss> {
        while let Some(reply) = self.parser.take(&mut self.input)? {
            transaction.reply(&reply);
        }
        if !transaction.is_answered() || self.parser.is_between(&self.input) {
            return Ok(());
        }
        // RFC 5321 §3.8: a 421 may come at any time, and this begins like one.
        let is_closing = self.parser.begun(&self.input).is_some_and(|code| code.get() == 421);
        Err(if is_closing { Loss::Closing } else { Loss::OutOfStep })
    }

    /// Reads until something is answered. One deadline holds for that, however the octets drip.
    async fn read(&mut self, transaction: &mut Transaction, verb: Verb) -> Result<(), Loss> {
        let wait = self.timeouts.of(verb);
        let read = async {
            let answered = transaction.answered();
            while transaction.answered() == answered && !transaction.is_lost() {
                came(self.stream.fill(&mut self.input, REPLY_ROOM).await)?;
                self.hear(transaction)?;
            }
            Ok(())
        };
        timeout(wait, read).await.unwrap_or(Err(Loss::TimedOut))
    }

    /// Writes all of it, unless the transaction is lost on the way.
    async fn write(&mut self, transaction: &mut Transaction, parts: Vec<Bytes>) -> Result<(), Loss> {
        let mut output = Output { parts, first: 0 };
        let mut deadline = Instant::now() + self.timeouts.data_block;
        loop {
            let moving = poll_fn(|context| self.poll_move(context, &output));
            match timeout_at(deadline, moving).await.map_err(|_| Loss::TimedOut)? {
                Moved::Out(Ok(0)) => return Ok(()),
                Moved::Out(Ok(octets)) => {
                    output.advance(octets);
                    transaction.wrote(octets);
                    deadline = Instant::now() + self.timeouts.data_block;
                }
                Moved::Out(Err(error)) => {
                    self.hear_last_words(transaction);
                    return Err(broken(&error));
                }
                Moved::In(read) => {
                    came(read)?;
                    self.hear(transaction)?;
                    if transaction.is_lost() {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Moves octets one way or the other. `Out(Ok(0))`: all is out.
    fn poll_move(&mut self, context: &mut Context<'_>, output: &Output) -> Poll<Moved> {
        match output.poll_write(context, &mut self.stream) {
            Poll::Ready(written) => Poll::Ready(Moved::Out(written)),
            Poll::Pending => self.poll_fill(context).map(Moved::In),
        }
    }

    /// A peer that hangs up on us may have said why.
    fn hear_last_words(&mut self, transaction: &mut Transaction) {
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok(1..)) = self.poll_fill(&mut context) {
            if self.hear(transaction).is_err() {
                break;
            }
        }
    }
}

enum Moved {
    Out(io::Result<usize>),
    In(io::Result<usize>),
}

fn came(read: io::Result<usize>) -> Result<(), Loss> {
    match read {
        Ok(0) => Err(Loss::Closed),
        Ok(_) => Ok(()),
        Err(error) => Err(broken(&error)),
    }
}

fn broken(error: &io::Error) -> Loss {
    match error.kind() {
        // TLS that ends without its goodbye.
        io::ErrorKind::UnexpectedEof => Loss::Closed,
        kind => Loss::Broken(kind),
    }
}

/// What is still to be written; the octets themselves are never copied.
struct Output {
    parts: Vec<Bytes>,
    first: usize,
}

impl Output {
    /// Parts that go out in one call.
    const AT_ONCE: usize = 8;

    fn poll_write(&self, context: &mut Context<'_>, stream: &mut Stream) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); Self::AT_ONCE];
        let rest = self.parts[self.first..].iter().filter(|part| !part.is_empty());
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(rest) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        if count == 0 {
            return Pin::new(stream).poll_flush(context).map_ok(|()| 0);
        }
        match Pin::new(stream).poll_write_vectored(context, &slices[..count]) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            polled => polled,
        }
    }

    fn advance(&mut self, mut octets: usize) {
        while let Some(part) = self.parts.get_mut(self.first) {
            let here = octets.min(part.len());
            part.advance(here);
            octets -= here;
            if !part.is_empty() {
                return;
            }
            self.first += 1;
        }
    }
}
