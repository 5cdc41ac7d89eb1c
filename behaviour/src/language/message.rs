//! The message that a behaviour sends: written in it, beside it, or made of its header fields.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;
use switchyard_smtp::envelope::Content;
use switchyard_smtp::wire::data::stuff;
use switchyard_smtp::wire::line_ends::lines;

use super::Said;

/// The field by which a message is known when it arrives.
pub const TOKEN_FIELD: &str = "X-Switchyard-Behaviour";

/// Octets of a message file.
const MAX_FILE: u64 = 10 << 20;

/// The message of a behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Header and body as they are, with CR LF line ends.
    Whole(Bytes),
    /// A short one with these fields, and the usual ones where they don't name them.
    Made(Vec<(String, String)>),
}

impl Message {
    /// A text of the behaviours' file.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self::Whole(lines(text.as_bytes()))
    }

    /// A file beside it.
    ///
    /// # Errors
    /// When it can't be read or is too long.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("{}: cannot be read: {error}", path.display());
        let mut octets = Vec::new();
        File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut octets)).map_err(cannot)?;
        if octets.len() as u64 > MAX_FILE {
            return Err(format!("{}: is longer than {MAX_FILE} octets", path.display()));
        }
        Ok(Self::Whole(lines(&octets)))
    }

    /// What goes over the wire, known by `token` when it arrives.
    #[must_use]
    pub fn content(&self, said: &Said, token: &str) -> Content {
        let content = match self {
            Self::Whole(octets) => octets.clone(),
            Self::Made(fields) => made(fields, said, token),
        };
        let mut content = Content::from_wire(stuff(&content));
        content.prepend(&format!("{TOKEN_FIELD}: {token}\r\n"));
        content
    }
}

fn made(given: &[(String, String)], said: &Said, token: &str) -> Bytes {
    let to: Vec<String> = said.to.iter().map(ToString::to_string).collect();
    let usual = [
        // RFC 5322 §3.6: From and Date are a must.
        (
            "From",
            said.from
                .mailbox()
                .map_or_else(|| "<behave@behave.invalid>".to_owned(), |from| format!("<{from}>")),
        ),
        ("To", to.join(", ")),
        ("Subject", "a behaviour of this site is tried".to_owned()),
        ("Date", Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
        ("Message-ID", format!("<{token}@behave.invalid>")),
    ];
    let mut text = String::new();
    for (name, value) in usual {
        if !given.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in given {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\nThis message was sent by `switchyard behave`.\r\n");
    text.into()
}
