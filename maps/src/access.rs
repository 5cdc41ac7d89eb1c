//! What an access table says about a client, a name or an address: a typed [`Access`].
//!
//! The text is access(5)'s right-hand side. What no daemon of ours can do (FILTER, PREPEND and the like, and
//! Postfix's own restrictions) is refused by its name when the table is read, not ignored when mail comes.
//! [`standing`] carries what several answers of one session come to.

mod refusal;
pub mod standing;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use switchyard_smtp::priority::{BadPriority, Priority};
use switchyard_smtp::reply::ReplyCode;
use switchyard_smtp::status::EnhancedStatus;

pub use self::refusal::Refusal;
use crate::entry::BadRoute;
use crate::fault::{SETTINGS_NAME, Wrong, offset};

/// Octets of a text that only the log sees.
const MAX_NOTE: usize = 400;
/// Postfix's `access_map_reject_code`.
const REJECT_CODE: u16 = 554;
/// Postfix's `access_map_defer_code`.
const DEFER_CODE: u16 = 450;

/// What an access table says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// `OK`, or a number: nothing else of this stage's access tables is asked.
    Permit,
    /// `DUNNO`: as if the key were not there, and no other key is asked.
    Dunno,
    /// `REJECT`, `DEFER`, `4NN text`, `5NN text`.
    Refuse(Refusal),
    /// `DEFER_IF_REJECT`: what is refused for good later on is refused for now.
    DeferIfReject(Refusal),
    /// `DEFER_IF_PERMIT`: what is taken later on is refused for now.
    DeferIfPermit(Refusal),
    /// `DISCARD`: the message is taken and dropped, with all of its recipients.
    Discard(Arc<str>),
    /// `HOLD`: the message is taken and waits for the operator.
    Hold(Arc<str>),
    /// `PRIORITY n`: how urgent the message is, from -9 to 9 (RFC 6710).
    Priority(Priority),
    /// `MILTERS a, b`: the mail filters that are asked about what a client sends; none of them for `MILTERS none`.
    Milters(Arc<[Box<str>]>),
    /// `WARN`: a line in the log.
    Warn(Arc<str>),
    /// `INFO`: a line in the log.
    Info(Arc<str>),
}

impl Access {
    /// Reads a right-hand side of access(5).
    pub(crate) fn read(text: &str) -> Result<Self, Wrong> {
        if text.is_empty() {
            return Err(Wrong::new(EXPECTED));
        }
        if let Some(at) = text.find(|character: char| character.is_control() && character != '\t') {
            return Err(Wrong::at(at, "control character"));
        }
        let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let rest = rest.trim_matches([' ', '\t']);
        let at = if rest.is_empty() { 0 } else { offset(rest, text) };
        let refusal = |code, class| Refusal::read(rest, code, class).map_err(|wrong| wrong.moved(at));
        let noted = || note(rest).map_err(|wrong| wrong.moved(at));
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::read_number(word, rest, at);
        }
        match word.to_ascii_uppercase().as_str() {
            // Sendmail's word; here as there it is no right to send mail elsewhere.
            "OK" | "RELAY" => Ok(Self::Permit),
            "DUNNO" => Ok(Self::Dunno),
            "REJECT" => refusal(REJECT_CODE, 5).map(Self::Refuse),
            "DEFER" => refusal(DEFER_CODE, 4).map(Self::Refuse),
            "DEFER_IF_REJECT" => refusal(DEFER_CODE, 4).map(Self::DeferIfReject),
            "DEFER_IF_PERMIT" => refusal(DEFER_CODE, 4).map(Self::DeferIfPermit),
            "DISCARD" => noted().map(Self::Discard),
            "HOLD" => noted().map(Self::Hold),
            "PRIORITY" => {
                rest.parse().map(Self::Priority).map_err(|bad: BadPriority| Wrong::at(at, bad.to_string()))
            }
            "MILTERS" => milters(rest).map(Self::Milters).map_err(|wrong| wrong.moved(at)),
            "WARN" => noted().map(Self::Warn),
            "INFO" => noted().map(Self::Info),
            name => Err(Wrong::new(not_carried(name, word))),
        }
    }

    /// The same, where a message can be kept, or dropped in our own name.
    pub(crate) fn where_mail_is_kept(self, kept: bool) -> Result<Self, Wrong> {
        match self {
            Self::Hold(_) | Self::Discard(_) | Self::Priority(_) if !kept => {
                let name = self.as_str().to_ascii_uppercase();
                Err(Wrong::new(format!("an mx keeps no mail: `{name}` belongs into the router's tables")))
            }
            other => Ok(other),
        }
    }

    /// The same, in a table that is asked before there is a sender. What is on hold is asked about again when
    /// the maps change, by who sent it and to whom.
    pub(crate) fn before_mail(self) -> Result<Self, Wrong> {
        match self {
            Self::Hold(_) => Err(Wrong::new("`HOLD` is by sender or recipient: write it into their tables")),
            other => Ok(other),
        }
    }

    /// The same, in a table of clients: filters are asked from connect on, so nobody else chooses them.
    pub(crate) fn by_client(self, client: bool) -> Result<Self, Wrong> {
        match self {
            Self::Milters(_) if !client => {
                Err(Wrong::new("`MILTERS` is by client: write it into the table of clients"))
            }
            other => Ok(other),
        }
    }

    /// The same, if it names no filter but these.
    pub(crate) fn of_milters(self, known: &BTreeSet<String>) -> Result<Self, Wrong> {
        match &self {
            Self::Milters(names) => match names.iter().find(|name| !known.contains(&***name)) {
                Some(name) if known.is_empty() => {
                    Err(Wrong::new(format!("unknown filter `{name}`: {SETTINGS_NAME} none")))
                }
                Some(name) => {
                    let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    Err(Wrong::new(format!("unknown filter `{name}`; {SETTINGS_NAME} {known}")))
                }
                None => Ok(self),
            },
            _ => Ok(self),
        }
    }

    /// `550 text`, or a time stamp, which means OK.
    fn read_number(word: &str, rest: &str, at: usize) -> Result<Self, Wrong> {
        let class = match word.as_bytes() {
            [b'4', _, _] => 4,
            [b'5', _, _] => 5,
            _ if rest.is_empty() => return Ok(Self::Permit),
            _ => return Err(Wrong::new(format!("`{word}` is no reply code of a refusal: 4NN or 5NN"))),
        };
        if rest.is_empty() {
            // To Postfix this is a number like any other, and means OK: nobody means that.
            return Err(Wrong::new(format!("`{word}` alone would mean OK: write `{word} text`, or `OK`")));
        }
        let code = word.parse().unwrap_or_default();
        if ReplyCode::new(code).is_none() {
            return Err(Wrong::new(format!("{word} is no reply code")));
        }
        Refusal::read(rest, code, class).map(Self::Refuse).map_err(|wrong| wrong.moved(at))
    }

    /// The action's name, as a label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Permit => "ok",
            Self::Dunno => "dunno",
            Self::Refuse(_) => "refuse",
            Self::DeferIfReject(_) => "defer_if_reject",
            Self::DeferIfPermit(_) => "defer_if_permit",
            Self::Discard(_) => "discard",
            Self::Hold(_) => "hold",
            Self::Priority(_) => "priority",
            Self::Milters(_) => "milters",
            Self::Warn(_) => "warn",
            Self::Info(_) => "info",
        }
    }
}

/// For who looks at a table before it is one of ours.
impl std::str::FromStr for Access {
    type Err = BadRoute;

    fn from_str(text: &str) -> Result<Self, BadRoute> {
        Self::read(text).map_err(|wrong| BadRoute { at: wrong.at, message: wrong.what })
    }
}

/// In place of filters' names.
const NOBODY: &str = "none";

const EXPECTED: &str = "OK, DUNNO, REJECT, DEFER, 4NN text, 5NN text, DEFER_IF_REJECT, DEFER_IF_PERMIT, DISCARD, HOLD, \
     PRIORITY, MILTERS, WARN or INFO is expected";

/// What to do about an action that is not carried.
fn not_carried(name: &str, word: &str) -> String {
    let advice = match name {
        "FILTER" => "give the addresses a next hop in the transport map",
        "REDIRECT" | "BCC" => "name the other address in the virtual alias map",
        "PREPEND" => "header fields are for a milter to add",
        "HANGUP" | "DELAY" => "write REJECT or DEFER",
        _ if name.starts_with("PERMIT") => "write OK; who may relay is said by `relay` in the settings",
        _ if name.starts_with("REJECT_") || name.starts_with("DEFER_") || name.starts_with("CHECK_") => {
            "a restriction is a setting and not an action here; write REJECT, DEFER or DUNNO"
        }
        "WARN_IF_REJECT" | "SLEEP" => {
            "a restriction is a setting and not an action here; write WARN or DUNNO"
        }
        _ => return format!("unknown action `{word}`; {EXPECTED}"),
    };
    format!("`{word}` is not carried: {advice}")
}

/// `a, b`, or `none`.
fn milters(text: &str) -> Result<Arc<[Box<str>]>, Wrong> {
    if text == NOBODY {
        return Ok(Arc::default());
    }
    let mut names: Vec<Box<str>> = Vec::new();
    for name in text.split(',').map(|name| name.trim_matches([' ', '\t'])) {
        if name.is_empty() || name == NOBODY || name.contains([' ', '\t']) {
            return Err(Wrong::new("filters by name with commas between them, or `none`, are expected"));
        }
        if names.iter().any(|other| **other == *name) {
            return Err(Wrong::new(format!("the filter `{name}` is asked twice")));
        }
        names.push(name.into());
    }
    Ok(names.into())
}

/// A text for the log.
fn note(text: &str) -> Result<Arc<str>, Wrong> {
    if text.len() > MAX_NOTE {
        return Err(Wrong::new(format!("a text of more than {MAX_NOTE} octets")));
    }
    Ok(text.replace('\t', " ").into())
}

/// As it stands in a table.
impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, refusal) = match self {
            Self::Permit => return formatter.write_str("OK"),
            Self::Dunno => return formatter.write_str("DUNNO"),
            Self::Discard(text) => return noted(formatter, "DISCARD", text),
            Self::Hold(text) => return noted(formatter, "HOLD", text),
            Self::Priority(priority) => return write!(formatter, "PRIORITY {priority}"),
            Self::Milters(names) if names.is_empty() => return write!(formatter, "MILTERS {NOBODY}"),
            Self::Milters(names) => return write!(formatter, "MILTERS {}", names.join(", ")),
            Self::Warn(text) => return noted(formatter, "WARN", text),
            Self::Info(text) => return noted(formatter, "INFO", text),
            Self::DeferIfReject(refusal) => ("DEFER_IF_REJECT".to_owned(), refusal),
            Self::DeferIfPermit(refusal) => ("DEFER_IF_PERMIT".to_owned(), refusal),
            Self::Refuse(refusal) => match refusal.code.get() {
                REJECT_CODE => ("REJECT".to_owned(), refusal),
                DEFER_CODE => ("DEFER".to_owned(), refusal),
                code => (code.to_string(), refusal),
            },
        };
        let usual = EnhancedStatus::new(if refusal.class() == 4 { 4 } else { 5 }, 7, 1);
        match &refusal.text {
            Some(text) => write!(formatter, "{name} {} {text}", refusal.status),
            None if refusal.status == usual && !name.starts_with(['4', '5']) => formatter.write_str(&name),
            None => write!(formatter, "{name} {}", refusal.status),
        }
    }
}

fn noted(formatter: &mut fmt::Formatter<'_>, name: &str, text: &str) -> fmt::Result {
    if text.is_empty() { formatter.write_str(name) } else { write!(formatter, "{name} {text}") }
}

#[cfg(test)]
mod tests;
