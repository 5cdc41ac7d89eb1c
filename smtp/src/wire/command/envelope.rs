//! MAIL and RCPT: a path, then parameters (RFC 5321 §4.1.1.2, §4.1.1.3).

use super::Command;
use super::parameters::{Seen, body, notify, orcpt, ret};
use crate::address::{AddressError, ForwardPath, ReversePath};
use crate::envelope::{Recipient, Sender};
use crate::extension::from_xtext;
use crate::reply::{Reply, table};

pub(super) fn mail(rest: &[u8]) -> Result<Command, Reply> {
    let (path, parameters) = path_and_parameters(rest, "FROM:", &table::BAD_SENDER)?;
    let reverse_path = ReversePath::parse(path).map_err(|error| address_reply(error, &table::BAD_SENDER))?;
    let mut sender = Sender::new(reverse_path);
    let mut seen = Seen::default();
    for (key, value) in parameters {
        seen.once(key)?;
        match (key.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => {
                // RFC 1870 §3: up to 20 digits; more octets than 64 bits can count are too many.
                if value.is_empty() || value.len() > 20 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(table::BAD_ARGUMENTS);
                }
                sender.size = Some(value.parse().unwrap_or(u64::MAX));
            }
            ("BODY", Some(value)) => sender.body = body(value)?,
            ("SMTPUTF8", None) => sender.smtputf8 = true,
            ("RET", Some(value)) => sender.ret = Some(ret(value)?),
            ("ENVID", Some(value)) => {
                let limit = if value.len() > 100 { None } else { from_xtext(value) };
                sender.envid = Some(limit.ok_or(table::BAD_ARGUMENTS)?.into());
            }
            // RFC 6710 §3.
            ("MT-PRIORITY", Some(value)) => {
                sender.priority = Some(value.parse().map_err(|_| table::BAD_ARGUMENTS)?);
            }
            ("XTXN", Some(value)) => {
                sender.transaction = Some(value.parse().map_err(|_| table::BAD_ARGUMENTS)?);
            }
            ("XHOLD", Some(value)) => {
                sender.hold = Some(from_xtext(value).ok_or(table::BAD_ARGUMENTS)?.into());
            }
            _ => return Err(table::BAD_PARAMETER),
        }
    }
    if !path.is_ascii() && !sender.smtputf8 {
        return Err(table::NEEDS_SMTPUTF8);
    }
    Ok(Command::Mail(Box::new(sender)))
}

pub(super) fn rcpt(rest: &[u8]) -> Result<Command, Reply> {
    let (path, parameters) = path_and_parameters(rest, "TO:", &table::BAD_RECIPIENT)?;
    let forward_path =
        ForwardPath::parse(path).map_err(|error| address_reply(error, &table::BAD_RECIPIENT))?;
    let mut recipient = Recipient::new(forward_path);
    let mut seen = Seen::default();
    for (key, value) in parameters {
        seen.once(key)?;
        match (key.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => recipient.notify = Some(notify(value)?),
            ("ORCPT", Some(value)) => recipient.orcpt = Some(orcpt(value)?),
            _ => return Err(table::BAD_PARAMETER),
        }
    }
    Ok(Command::Rcpt(Box::new(recipient)))
}

fn address_reply(error: AddressError, syntax: &Reply) -> Reply {
    match error {
        AddressError::LocalPartTooLong | AddressError::DomainTooLong | AddressError::PathTooLong => {
            syntax.clone().with_text(error.to_string())
        }
        AddressError::NotUtf8 => table::ADDRESS_NOT_UTF8,
        _ => syntax.clone(),
    }
}

type Parameter<'a> = (&'a str, Option<&'a str>);

/// `FROM:<path> KEY=value KEY` → the path with its brackets, and the parameters (RFC 5321 §4.1.2).
fn path_and_parameters<'a>(
    rest: &'a [u8],
    tag: &str,
    syntax: &Reply,
) -> Result<(&'a str, impl Iterator<Item = Parameter<'a>> + use<'a>), Reply> {
    let text = std::str::from_utf8(rest).map_err(|_| table::ADDRESS_NOT_UTF8)?;
    let head =
        text.get(..tag.len()).filter(|head| head.eq_ignore_ascii_case(tag)).ok_or_else(|| syntax.clone())?;
    // A space after the colon is no grammar, but common and without danger.
    let text = text[head.len()..].trim_start_matches(' ');
    let end = end_of_path(text).ok_or_else(|| syntax.clone())?;
    let (path, parameters) = text.split_at(end);
    if !parameters.is_empty() && !parameters.starts_with(' ') {
        return Err(syntax.clone());
    }
    let parameters =
        parameters.split(' ').filter(|word| !word.is_empty()).map(|word| match word.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (word, None),
        });
    Ok((path, parameters))
}

/// After the `>` that closes the path; one inside quotes doesn't.
fn end_of_path(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' if at == 0 => {}
            _ if at == 0 => return None,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}
