//! One event, one line: line ends inside an event come out as `\n` and `\r`, so that nobody can write a line
//! of his own into the log.

use std::io::{self, Write};

use memchr::memchr2;
use tracing_subscriber::fmt::MakeWriter;

/// Wraps the maker of writers that get one whole event a call.
pub(super) struct OneLine<M>(pub(super) M);

/// Wraps one writer.
pub(super) struct LineWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = LineWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let body = event.strip_suffix(b"\n").unwrap_or(event);
        if memchr2(b'\n', b'\r', body).is_none() {
            return self.0.write_all(event).map(|()| event.len());
        }
        let mut line = Vec::with_capacity(event.len() + 16);
        for &byte in body {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                _ => line.push(byte),
            }
        }
        line.extend_from_slice(&event[body.len()..]);
        self.0.write_all(&line).map(|()| event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
