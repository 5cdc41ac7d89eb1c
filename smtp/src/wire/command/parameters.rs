//! The parameters of MAIL and RCPT, each by the RFC that made it.

use crate::envelope::{Body, Notify, Orcpt, Ret};
use crate::extension::from_xtext;
use crate::reply::{Reply, table};

/// A parameter stands once at most (RFC 5321 §4.1.1.11).
#[derive(Default)]
pub(super) struct Seen<'a>(Vec<&'a str>);

impl<'a> Seen<'a> {
    pub(super) fn once(&mut self, key: &'a str) -> Result<(), Reply> {
        if self.0.len() > 10 || self.0.iter().any(|seen| seen.eq_ignore_ascii_case(key)) {
            return Err(table::BAD_ARGUMENTS);
        }
        self.0.push(key);
        Ok(())
    }
}

pub(super) fn body(value: &str) -> Result<Body, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBitMime),
        "BINARYMIME" => Ok(Body::BinaryMime),
        _ => Err(table::BAD_ARGUMENTS),
    }
}

pub(super) fn ret(value: &str) -> Result<Ret, Reply> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Ret::Full),
        "HDRS" => Ok(Ret::Hdrs),
        _ => Err(table::BAD_ARGUMENTS),
    }
}

/// RFC 3461 §4.1: NEVER stands alone.
pub(super) fn notify(value: &str) -> Result<Notify, Reply> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(Notify::NEVER);
    }
    let mut notify = Notify::NEVER;
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(table::BAD_ARGUMENTS),
        }
    }
    Ok(notify)
}

/// RFC 3461 §4.2; up to 500 octets.
pub(super) fn orcpt(value: &str) -> Result<Orcpt, Reply> {
    let (address_type, address) =
        value.split_once(';').filter(|_| value.len() <= 500).ok_or(table::BAD_ARGUMENTS)?;
    let legal = !address_type.is_empty()
        && address_type.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    // RFC 6533 §3: a utf-8 address may come in other encodings than xtext; it is kept as it stands.
    let decoded = if address_type.eq_ignore_ascii_case("utf-8") {
        Some(address.to_owned()).filter(|text| !text.chars().any(char::is_control))
    } else {
        from_xtext(address)
    };
    match decoded {
        Some(address) if legal && !address.is_empty() => {
            Ok(Orcpt { address_type: address_type.into(), address: address.into() })
        }
        _ => Err(table::BAD_ARGUMENTS),
    }
}
