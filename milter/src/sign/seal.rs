//! Sealing (RFC 8617): what was verified here, told to those who come after us under our own seal.

use mail_auth::arc::ArcSealer;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults};

use super::Ready;
use crate::draft::Draft;

/// Puts an ARC set on top of the draft; false when the chain must not be continued, or the key does not sign.
pub(crate) fn seal(
    draft: &mut Draft<'_>,
    ready: &Ready,
    headers: &[String],
    message: &AuthenticatedMessage<'_>,
    arc: &ArcOutput<'_>,
    results: &AuthenticationResults<'_>,
) -> bool {
    // RFC 8617 §5.1.2: a chain that has failed is not continued.
    if !arc.can_be_sealed() {
        return false;
    }
    // RFC 8617 §4.1.2: other seals are no part of what this one signs.
    let sealed = headers.iter().filter(|name| !name.to_ascii_lowercase().starts_with("arc-"));
    let present: Vec<&String> = sealed.filter(|name| is_there(message, name)).collect();
    let sealer = ArcSealer::from_key(ready.key.clone())
        .domain(ready.domain.as_str())
        .selector(ready.selector.as_str())
        .headers(present);
    let set = match sealer.seal(message, results, arc) {
        Ok(set) => set.to_header(),
        Err(error) => {
            tracing::warn!(domain = %ready.domain, selector = %ready.selector, %error, "sealing failed");
            return false;
        }
    };
    // Three fields, each name at the start of a line; they go on top from the last to the first.
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in set.split_terminator("\r\n") {
        match (line.split_once(':'), fields.last_mut()) {
            (Some((name, value)), _) if line.starts_with("ARC-") => fields.push((name, value.to_owned())),
            (_, Some((_, value))) => {
                value.push_str("\r\n");
                value.push_str(line);
            }
            (_, None) => return false,
        }
    }
    for (name, value) in fields.iter().rev() {
        draft.prepend(name, value);
    }
    true
}

fn is_there(message: &AuthenticatedMessage<'_>, name: &str) -> bool {
    message.raw_parsed_headers().iter().any(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
}
