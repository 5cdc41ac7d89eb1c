//! What a message shall become: its fields as they will be, and the edits that lead there.
//!
//! Each room changes the draft and the edit is noted with the change, so a signature made last is over what the
//! MTA will pass on. Nothing is sent before the whole answer is known.

use switchyard_smtp::wire::line_ends::put_lines;

use crate::message::{Field, Message};

/// One change, as an MTA is asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A field on top of all.
    Prepend {
        /// Before the colon.
        name: String,
        /// Behind it, with its space; folded lines are parted by LF.
        value: String,
    },
    /// One field less.
    Remove {
        /// Before the colon, as it was told.
        name: Vec<u8>,
        /// The how-manieth of that name, from 1.
        occurrence: u32,
    },
    /// A recipient more.
    AddRecipient(String),
    /// The message waits for the operator, for this reason.
    Quarantine(String),
}

/// A message on its way to what it shall be.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    added: Vec<Box<[u8]>>,
    kept: Vec<Field<'a>>,
    body: &'a [u8],
    edits: Vec<Edit>,
}

impl<'a> Draft<'a> {
    /// As it came.
    pub(crate) fn new(message: &'a Message) -> Self {
        Self {
            added: Vec::new(),
            kept: message.fields().collect(),
            body: message.content(),
            edits: Vec::new(),
        }
    }

    /// Its fields, from the top.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let added = self.added.iter().rev().map(|field| parted(field));
        added.chain(self.kept.iter().map(|field| (field.name, field.value)))
    }

    /// Its body.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The message as it will be.
    pub(crate) fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.body.len());
        for (name, value) in self.fields() {
            octets.extend_from_slice(name);
            octets.push(b':');
            octets.extend_from_slice(value);
        }
        octets.extend_from_slice(b"\r\n");
        octets.extend_from_slice(self.body);
        octets
    }

    /// Takes out every field of the message for which `unwanted` holds, and says how many.
    pub(crate) fn remove(&mut self, unwanted: impl Fn(&Field<'a>) -> bool) -> usize {
        let mut removed = Vec::new();
        for (at, field) in self.kept.iter().enumerate() {
            if unwanted(field) {
                let same = |other: &&Field<'_>| other.name.eq_ignore_ascii_case(field.name);
                let before = self.kept.iter().take(at).filter(same).count();
                let occurrence = u32::try_from(before + 1).unwrap_or(u32::MAX);
                removed.push(Edit::Remove { name: field.name.to_vec(), occurrence });
            }
        }
        let count = removed.len();
        // The last one first: whether an MTA counts what is gone or not, the numbers hold.
        self.edits.extend(removed.into_iter().rev());
        self.kept.retain(|field| !unwanted(field));
        count
    }

    /// Puts a field on top of all others. Lines of `value` are parted by CR LF.
    pub(crate) fn prepend(&mut self, name: &str, value: &str) {
        let mut field = format!("{name}:").into_bytes();
        put_lines(&mut field, value.as_bytes());
        field.extend_from_slice(b"\r\n");
        self.added.push(field.into());
        self.edits.push(Edit::Prepend { name: name.to_owned(), value: value.replace("\r\n", "\n") });
    }

    /// Notes a change that is none of the content.
    pub(crate) fn note(&mut self, edit: Edit) {
        self.edits.push(edit);
    }

    /// What the MTA is asked for, in this order.
    pub(crate) fn into_edits(self) -> Vec<Edit> {
        self.edits
    }
}

/// A field of ours: its name, and what stands behind the colon.
fn parted(field: &[u8]) -> (&[u8], &[u8]) {
    let colon = field.iter().position(|octet| *octet == b':').unwrap_or(field.len());
    (field.get(..colon).unwrap_or_default(), field.get(colon + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use switchyard_smtp::io::memory::MemoryBudget;

    use super::*;
    use crate::message::Bounds;

    #[test]
    fn edits_lead_where_the_draft_says() {
        let memory = MemoryBudget::new(10_000);
        let mut message = Message::new(Bounds { message: 1_000, header: 1_000 }, &memory);
        for (name, value) in [("A", " 1"), ("B", " 2"), ("a", " 3"), ("A", " 4")] {
            message.field(name.as_bytes(), value.as_bytes());
        }
        message.body(b"body\r\n");
        let mut draft = Draft::new(&message);
        assert_eq!(draft.remove(|field| field.value != b" 3\r\n" && field.name != b"B"), 2);
        draft.prepend("C", " one\r\n\ttwo");
        draft.prepend("D", " top");
        let fields: Vec<(&[u8], &[u8])> = draft.fields().collect();
        assert_eq!(
            fields,
            [
                (b"D".as_slice(), b" top\r\n".as_slice()),
                (b"C", b" one\r\n\ttwo\r\n"),
                (b"B", b" 2\r\n"),
                (b"a", b" 3\r\n")
            ]
        );
        assert_eq!(draft.body(), b"body\r\n");
        assert_eq!(draft.octets(), b"D: top\r\nC: one\r\n\ttwo\r\nB: 2\r\na: 3\r\n\r\nbody\r\n");
        let remove = |occurrence| Edit::Remove { name: b"A".to_vec(), occurrence };
        assert_eq!(
            draft.into_edits(),
            [
                remove(3),
                remove(1),
                Edit::Prepend { name: "C".into(), value: " one\n\ttwo".into() },
                Edit::Prepend { name: "D".into(), value: " top".into() },
            ]
        );
    }
}
