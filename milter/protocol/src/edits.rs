//! What edits do to a message's content: a pure function from what was to what shall be.
//!
//! A message comes in the wire's dot-stuffed form, which is how it is kept: [`Message::from_wire`] takes it apart
//! for a filter, and [`Message::apply`] makes the content anew. Fields that nobody changes keep their octets.
//!
//! Counting is Sendmail's, as Postfix measured and follows it: CHGHEADER counts the fields of a name in what the
//! filter was shown; INSHEADER counts all fields, what we added on top among them, so that 0 is above our own
//! Received field and 1 below it. What we added stays ours: no filter is shown it or counts it by name, whatever
//! was put above it.

mod body;
mod header;

use bytes::Bytes;

use body::{stuff, stuffed_len};

pub use body::{NewBodyError, is_stuffed, stuffed, unstuffed};
pub use header::Header;

use crate::edit::Edit;
use crate::event::Field;

/// A message as a filter is shown it.
#[derive(Debug, Clone)]
pub struct Message {
    header: Header,
    /// Octets between the header and the body: an empty line, or nothing.
    parted: bool,
    /// Dots not doubled.
    body: Bytes,
}

/// New content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Fields on top that the filter was not shown, and what was put above or among them, dot-stuffed.
    pub added: Bytes,
    /// The rest, dot-stuffed.
    pub wire: Bytes,
}

impl Message {
    /// Takes content apart: `wire` is what came, dot-stuffed; `added` are whole fields on top that filters are not
    /// shown. It shares their octets; only where a line [begins with a dot](is_stuffed) they are copied.
    #[must_use]
    pub fn from_wire(added: &Bytes, wire: &Bytes) -> Self {
        let plain = unstuffed(wire);
        let (header, parted, body) = Header::split(&unstuffed(added), &plain);
        Self { header, parted, body }
    }

    /// The fields as a filter is told them, one event each, with the space behind the colon.
    pub fn fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.header.shown().map(header::Kept::told)
    }

    /// The body as a filter is told it.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Makes the edits that concern the content, in order; sender, recipients and holding are the caller's.
    /// Values bring the space behind the colon.
    ///
    /// # Errors
    /// When a new body is none. Nothing has been changed then.
    pub fn apply(self, edits: &[Edit]) -> Result<Edited, NewBodyError> {
        Ok(self.edited(edits)?.content())
    }

    /// The message with these edits made, as the next filter is told it.
    ///
    /// # Errors
    /// As with [`Message::apply`].
    pub fn edited(mut self, edits: &[Edit]) -> Result<Self, NewBodyError> {
        let mut body: Option<Vec<u8>> = None;
        for edit in edits {
            match edit {
                Edit::AddHeader(field) => self.header.add(field),
                Edit::InsHeader { index, field } => self.header.insert(*index, field),
                Edit::ChgHeader { index, field } => self.header.change(*index, field),
                Edit::ReplBody(chunk) => body.get_or_insert_default().extend_from_slice(chunk),
                Edit::ChgFrom(_) | Edit::AddRcpt(_) | Edit::DelRcpt(_) | Edit::Quarantine(_) => {}
            }
        }
        if let Some(new) = body {
            self.body = body::normal(&new)?;
        }
        Ok(self)
    }

    /// As it goes on the wire.
    #[must_use]
    pub fn content(&self) -> Edited {
        let (above, below) = self.header.octets();
        let mut added = Vec::new();
        above.for_each(|field| stuff(field, &mut added));
        let mut wire = Vec::with_capacity(self.content_len().saturating_sub(added.len()));
        below.for_each(|field| stuff(field, &mut wire));
        wire.extend_from_slice(self.parting());
        stuff(&self.body, &mut wire);
        Edited { added: added.into(), wire: wire.into() }
    }

    /// How many octets [`Message::content`] makes.
    #[must_use]
    pub fn content_len(&self) -> usize {
        let (added, rest) = self.header.octets();
        let header: usize = added.chain(rest).map(|field| stuffed_len(field)).sum();
        header + self.parting().len() + stuffed_len(&self.body)
    }

    /// A header that is followed by no empty line ends where the message does, or where no field can be.
    fn parting(&self) -> &'static [u8] {
        if self.parted || !self.body.is_empty() { b"\r\n" } else { b"" }
    }
}

#[cfg(test)]
mod tests;
