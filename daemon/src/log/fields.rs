//! The fields of a line of text: `size=4096 recipient=alice@example.org error="no such host"`.
//!
//! Words from a peer may stand in any field. Control characters come out as escapes, so that one event stays
//! one line and no terminal obeys a stranger; `tracing_subscriber`'s own form keeps this for the message only.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes fields for people.
pub(super) struct TextFields;

impl<'writer> FormatFields<'writer> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut words = Words { writer, first: true, result: Ok(()) };
        fields.record(&mut words);
        words.result
    }
}

/// Gathers one event's, or one span's, fields.
struct Words<'writer> {
    writer: Writer<'writer>,
    first: bool,
    result: fmt::Result,
}

impl Words<'_> {
    fn word(&mut self, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
        // What the `log` crate's records carry of their own stands in the head of the line already.
        if field.name().starts_with("log.") {
            return Ok(());
        }
        if !std::mem::take(&mut self.first) {
            self.writer.write_char(' ')?;
        }
        if field.name() != "message" {
            let name = field.name().trim_start_matches("r#");
            if self.writer.has_ansi_escapes() {
                write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?;
            } else {
                write!(self.writer, "{name}=")?;
            }
        }
        write!(Printable(&mut self.writer), "{value:?}")
    }
}

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if self.result.is_ok() {
            self.result = self.word(field, value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
        if field.name() == "message" || (!value.is_empty() && value.bytes().all(plain)) {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }
}

/// Lets through what a terminal merely shows.
struct Printable<W>(W);

impl<W: Write> Write for Printable<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(char::is_control) {
            let (shown, control) = rest.split_at(at);
            self.0.write_str(shown)?;
            let mut after = control.chars();
            if let Some(control) = after.next() {
                write!(self.0, "{}", control.escape_default())?;
            }
            rest = after.as_str();
        }
        self.0.write_str(rest)
    }
}
