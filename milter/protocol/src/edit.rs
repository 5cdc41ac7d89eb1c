//! The changes that a filter asks for at the end of a message, as values.
//!
//! [`Edit::check`] says whether one may be made at all: what a filter sends is octets from outside, and a line end
//! in a header's value is a second header. [`crate::edits`] makes the changes that concern the content; sender and
//! recipients are the MTA's own.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::decode::{DecodeError, Parts, put_text};
use crate::event::{Field, Path};
use crate::negotiate::Actions;

/// ESMTP arguments of a path.
const MOST_ARGUMENTS: usize = 64;
/// Octets of a path with its arguments. RFC 5321 §4.5.3.1: a command line of 512 octets, and extensions add to it.
const MOST_PATH: usize = 4096;
/// Octets of a field's name. RFC 5322 §2.1.1: a line has 998 octets at most.
const MOST_NAME: usize = 900;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// ADDHEADER: a field at the end of the header.
    AddHeader(Field),
    /// INSHEADER: a field at a place of the header.
    InsHeader {
        /// 0 is the very top, above what the MTA itself added.
        index: u32,
        /// The field.
        field: Field,
    },
    /// CHGHEADER: another value for a field; none deletes it.
    ChgHeader {
        /// Which of the fields of this name, from 1; 0 is taken for 1, as Sendmail does.
        index: u32,
        /// The name that is looked for, and the new value.
        field: Field,
    },
    /// CHGFROM: another reverse-path, with ESMTP arguments.
    ChgFrom(Path),
    /// ADDRCPT: one more recipient, with ESMTP arguments.
    AddRcpt(Path),
    /// DELRCPT: one recipient less.
    DelRcpt(Bytes),
    /// REPLBODY: another body. Several follow one another and make one.
    ReplBody(Bytes),
    /// QUARANTINE: the message is held, for this reason.
    Quarantine(Bytes),
}

/// Why an edit is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Not printable US-ASCII without colon and space (RFC 5322 §3.6.8).
    #[error("a field name that is none")]
    Name,
    /// A line end that does not fold, a lone CR, or a NUL.
    #[error("a field value that would be more than one field")]
    Value,
    /// An index that no header has.
    #[error("a negative index of a header")]
    Index,
    /// A control character or a space in a path or its arguments, or too many octets.
    #[error("a path that is none")]
    Path,
    /// A control character in a reason.
    #[error("a reason that is not text")]
    Reason,
    /// It was not negotiated.
    #[error("an edit that was not negotiated")]
    NotAgreed,
    /// More edits, or larger ones, than are kept.
    #[error("more edits than are kept")]
    TooMuch,
}

impl Edit {
    /// As a label, by the protocol's own words.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AddHeader(_) => "addheader",
            Self::InsHeader { .. } => "insheader",
            Self::ChgHeader { .. } => "chgheader",
            Self::ChgFrom(_) => "chgfrom",
            Self::AddRcpt(_) => "addrcpt",
            Self::DelRcpt(_) => "delrcpt",
            Self::ReplBody(_) => "replbody",
            Self::Quarantine(_) => "quarantine",
        }
    }

    /// Whether it concerns header or body; the others are the MTA's own to make.
    #[must_use]
    pub const fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::AddHeader(_) | Self::InsHeader { .. } | Self::ChgHeader { .. } | Self::ReplBody(_)
        )
    }

    /// Whether it may be asked for where these actions were agreed.
    #[must_use]
    pub fn is_agreed(&self, actions: Actions) -> bool {
        match self {
            Self::AddHeader(_) | Self::InsHeader { .. } => actions.contains(Actions::ADD_HEADERS),
            Self::ChgHeader { .. } => actions.contains(Actions::CHANGE_HEADERS),
            Self::ChgFrom(_) => actions.contains(Actions::CHANGE_SENDER),
            Self::AddRcpt(path) => {
                actions.contains(Actions::ADD_RECIPIENTS_WITH_ARGUMENTS)
                    || path.arguments.is_empty() && actions.contains(Actions::ADD_RECIPIENTS)
            }
            Self::DelRcpt(_) => actions.contains(Actions::DELETE_RECIPIENTS),
            Self::ReplBody(_) => actions.contains(Actions::CHANGE_BODY),
            Self::Quarantine(_) => actions.contains(Actions::QUARANTINE),
        }
    }

    /// The same edit, with line ends in a value as LF alone and none at its end.
    ///
    /// # Errors
    /// When making it would change more than it says.
    pub fn check(self) -> Result<Self, EditError> {
        Ok(match self {
            Self::AddHeader(field) => Self::AddHeader(check_field(field)?),
            Self::InsHeader { index, field } => {
                Self::InsHeader { index: check_index(index)?, field: check_field(field)? }
            }
            Self::ChgHeader { index, field } => {
                Self::ChgHeader { index: check_index(index)?, field: check_field(field)? }
            }
            Self::ChgFrom(path) => Self::ChgFrom(check_path(path)?),
            Self::AddRcpt(path) => Self::AddRcpt(check_path(path)?),
            Self::DelRcpt(path) => Self::DelRcpt(check_path(Path::new(path))?.path),
            Self::Quarantine(reason) => {
                let sound =
                    std::str::from_utf8(&reason).is_ok_and(|text| !text.chars().any(char::is_control));
                if !sound || reason.len() > MOST_PATH {
                    return Err(EditError::Reason);
                }
                Self::Quarantine(reason)
            }
            // The body's line ends are set right when it is put in place.
            Self::ReplBody(_) => self,
        })
    }

    /// Octets that it holds.
    #[must_use]
    pub fn octets(&self) -> usize {
        let of_path = |path: &Path| {
            path.path.len() + path.arguments.iter().map(|argument| argument.len() + 1).sum::<usize>()
        };
        match self {
            Self::AddHeader(field) | Self::InsHeader { field, .. } | Self::ChgHeader { field, .. } => {
                field.name.len() + field.value.len()
            }
            Self::ChgFrom(path) | Self::AddRcpt(path) => of_path(path),
            Self::DelRcpt(octets) | Self::ReplBody(octets) | Self::Quarantine(octets) => octets.len(),
        }
    }

    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::AddHeader(_) => b'h',
            Self::InsHeader { .. } => b'i',
            Self::ChgHeader { .. } => b'm',
            Self::ChgFrom(_) => b'e',
            Self::AddRcpt(path) if path.arguments.is_empty() => b'+',
            Self::AddRcpt(_) => b'2',
            Self::DelRcpt(_) => b'-',
            Self::ReplBody(_) => b'b',
            Self::Quarantine(_) => b'q',
        }
    }

    pub(crate) fn encode(&self, output: &mut BytesMut) {
        match self {
            Self::AddHeader(field) => put_field(output, field),
            Self::InsHeader { index, field } | Self::ChgHeader { index, field } => {
                output.put_u32(*index);
                put_field(output, field);
            }
            Self::ChgFrom(path) | Self::AddRcpt(path) => {
                put_text(output, &path.path);
                if !path.arguments.is_empty() {
                    put_text(output, &path.arguments.join(&b' '));
                }
            }
            Self::DelRcpt(text) | Self::Quarantine(text) => put_text(output, text),
            Self::ReplBody(chunk) => output.extend_from_slice(chunk),
        }
    }

    /// `None` when the code is no edit's.
    pub(crate) fn decode(code: u8, payload: &Bytes) -> Option<Result<Self, DecodeError>> {
        let mut parts = Parts::new(code, payload.clone());
        let decode: fn(&mut Parts) -> Result<Self, DecodeError> = match code {
            b'h' => |parts| take_field(parts).map(Self::AddHeader),
            b'i' => |parts| Ok(Self::InsHeader { index: parts.number()?, field: take_field(parts)? }),
            b'm' => |parts| Ok(Self::ChgHeader { index: parts.number()?, field: take_field(parts)? }),
            b'e' => |parts| take_path(parts).map(Self::ChgFrom),
            b'+' => |parts| parts.text().map(|path| Self::AddRcpt(Path::new(path))),
            b'2' => |parts| take_path(parts).map(Self::AddRcpt),
            b'-' => |parts| parts.text().map(Self::DelRcpt),
            b'b' => |parts| Ok(Self::ReplBody(parts.rest())),
            b'q' => |parts| parts.text().map(Self::Quarantine),
            _ => return None,
        };
        Some(decode(&mut parts).and_then(|edit| parts.end().map(|()| edit)))
    }
}

fn put_field(output: &mut BytesMut, field: &Field) {
    put_text(output, &field.name);
    put_text(output, &field.value);
}

fn take_field(parts: &mut Parts) -> Result<Field, DecodeError> {
    let name = parts.text()?;
    Ok(Field { name, value: parts.text()? })
}

/// A path, and perhaps its arguments as one text, parted by spaces.
fn take_path(parts: &mut Parts) -> Result<Path, DecodeError> {
    let path = parts.text()?;
    if parts.is_empty() {
        return Ok(Path::new(path));
    }
    let text = parts.text()?;
    let words = text.split(|octet| matches!(octet, b' ' | b'\t')).filter(|word| !word.is_empty());
    let arguments: Vec<Bytes> = words.take(MOST_ARGUMENTS + 1).map(|word| text.slice_ref(word)).collect();
    if arguments.len() > MOST_ARGUMENTS {
        return Err(parts.many("arguments", MOST_ARGUMENTS));
    }
    Ok(Path { path, arguments })
}

fn check_index(index: u32) -> Result<u32, EditError> {
    // Filters count with a signed number: -1 comes as 2³²-1.
    if i32::try_from(index).is_ok() { Ok(index) } else { Err(EditError::Index) }
}

fn check_field(field: Field) -> Result<Field, EditError> {
    // RFC 5322 §3.6.8: printable US-ASCII, no colon.
    let sound = field.name.iter().all(|octet| octet.is_ascii_graphic() && *octet != b':');
    if !sound || field.name.is_empty() || field.name.len() > MOST_NAME {
        return Err(EditError::Name);
    }
    Ok(Field { name: field.name, value: check_value(field.value)? })
}

/// RFC 5322 §2.2.3: a line end in a value folds it, so that a space or a tab follows.
fn check_value(value: Bytes) -> Result<Bytes, EditError> {
    if memchr::memchr3(b'\r', b'\n', 0, &value).is_none() {
        return Ok(value);
    }
    let mut lines = value.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let mut checked = Vec::with_capacity(value.len());
    checked.extend_from_slice(lines.next().unwrap_or_default());
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        match line.first() {
            // The value's own end.
            None if lines.peek().is_none() => break,
            Some(b' ' | b'\t') => {
                checked.push(b'\n');
                checked.extend_from_slice(line);
            }
            _ => return Err(EditError::Value),
        }
    }
    if memchr::memchr2(b'\r', 0, &checked).is_some() {
        return Err(EditError::Value);
    }
    Ok(checked.into())
}

fn check_path(path: Path) -> Result<Path, EditError> {
    let octets = path.path.len() + path.arguments.iter().map(|argument| argument.len() + 1).sum::<usize>();
    let sound = !path.path.iter().any(u8::is_ascii_control)
        && path.arguments.iter().all(|argument| argument.iter().all(|octet| *octet > b' ' && *octet != 127));
    if sound && octets <= MOST_PATH { Ok(path) } else { Err(EditError::Path) }
}

#[cfg(test)]
mod tests;
