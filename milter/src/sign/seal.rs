//! Sealing (RFC 8617): what was verified here, told to those who come after us under our own seal.
//!
//! A chain that passes goes on by one set; where there is none, one begins. One that fails gets a last set that says
//! so, and one that has said so before gets none (§5.1). What the DNS could not say now is left to others.

use mail_auth::arc::{ArcError, ArcSealer, ArcSet, ChainValidation, Results, Seal, Set, Signature};
use mail_auth::common::crypto::SigningKey as _;
use mail_auth::common::headers::{Header, HeaderWriter as _};
use mail_auth::dkim::Canonicalization;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimResult, Error};

use super::Ready;
use crate::draft::Draft;

/// RFC 8617 §4.2.1: a chain has no more sets.
const MOST_SETS: u32 = 50;

/// What a set on top of the others will say of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// They pass, or there are none.
    Continues,
    /// They fail; it has this number.
    Fails(u32),
    /// There is to be none.
    Nothing,
}

/// Puts an ARC set on top of the draft; false when there is to be none, or the key does not sign.
pub(crate) fn seal(
    draft: &mut Draft<'_>,
    ready: &Ready,
    headers: &[String],
    message: &AuthenticatedMessage<'_>,
    arc: &ArcOutput<'_>,
    results: &AuthenticationResults<'_>,
) -> bool {
    let present: Vec<&String> =
        headers.iter().filter(|name| may_be_signed(name) && is_there(message, name)).collect();
    let sealer = ArcSealer::from_key(ready.key.clone())
        .domain(ready.domain.as_str())
        .selector(ready.selector.as_str())
        .headers(present);
    let made = match next(message, arc) {
        Next::Continues => sealer.seal(message, results, arc),
        Next::Fails(instance) => {
            over(instance, |last| sealer.seal(message, results, last)).and_then(|mut set| {
                set.seal.b.clear();
                set.seal.b = ready.key.sign(alone(&set).as_slice())?;
                Ok(set)
            })
        }
        Next::Nothing => return false,
    };
    let set = match made {
        Ok(set) => set,
        Err(error) => {
            tracing::warn!(domain = %ready.domain, selector = %ready.selector, %error, "sealing failed");
            return false;
        }
    };
    for (name, value) in fields(&set.to_header()).iter().rev() {
        draft.prepend(name, value);
    }
    true
}

/// What comes on top of the chain that was verified.
fn next(message: &AuthenticatedMessage<'_>, arc: &ArcOutput<'_>) -> Next {
    let newest = message.as_headers.iter().map(|seal| &seal.header).max_by_key(|seal| seal.i);
    let instances = [
        newest.map_or(0, |seal| seal.i),
        message.ams_headers.iter().map(|signature| signature.header.i).max().unwrap_or(0),
        message.aar_headers.iter().map(|results| results.header.i).max().unwrap_or(0),
    ];
    let highest = instances.into_iter().max().unwrap_or(0);
    // RFC 8617 §5.1: the newest seal says that the chain has failed: nothing is added.
    if highest >= MOST_SETS || newest.is_some_and(|seal| seal.cv == ChainValidation::Fail) {
        return Next::Nothing;
    }
    match arc.result() {
        DkimResult::None | DkimResult::Pass => Next::Continues,
        DkimResult::Fail(_) | DkimResult::Neutral(_) | DkimResult::PermError(_) => Next::Fails(highest + 1),
        DkimResult::TempError(_) => Next::Nothing,
    }
}

/// What `make` makes of a failed chain whose next set has this number.
fn over<T>(instance: u32, make: impl FnOnce(&ArcOutput<'_>) -> T) -> T {
    let (seal, signature) = (Seal { i: instance - 1, ..Seal::default() }, Signature::default());
    let results = Results { i: instance - 1 };
    let last = Set {
        signature: Header::new(b"", b"", &signature),
        seal: Header::new(b"", b"", &seal),
        results: Header::new(b"", b"", &results),
    };
    make(
        &ArcOutput::default().with_result(DkimResult::Fail(Error::Arc(ArcError::BrokenChain))).with_set(last),
    )
}

/// RFC 8617 §5.1.2: the seal of a failed chain covers its own set alone, as if it were the only one.
fn alone(set: &ArcSet<'_>) -> Vec<u8> {
    let mut fields = fields(&set.to_header());
    // RFC 8617 §5.1.1: the verdict, the signature, the seal; they are written the other way round.
    fields.reverse();
    for (_, value) in &mut fields {
        value.push_str("\r\n");
    }
    let octets = fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let mut signed = Vec::new();
    Canonicalization::Relaxed.canonicalize_headers(octets, &mut signed);
    // RFC 6376 §3.7: the last field goes without its line end.
    signed.truncate(signed.trim_ascii_end().len());
    signed
}

/// The fields of a header, their lines parted by CR LF.
fn fields(header: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in header.split_terminator("\r\n") {
        match (line.split_once(':'), fields.last_mut()) {
            (Some((name, value)), _) if line.starts_with("ARC-") => {
                fields.push((name.to_owned(), value.to_owned()));
            }
            (_, Some((_, value))) => {
                value.push_str("\r\n");
                value.push_str(line);
            }
            (_, None) => {}
        }
    }
    fields
}

/// RFC 8617 §4.1.2: neither sets of others nor verdicts are part of what a set signs.
fn may_be_signed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with("arc-") && name != "authentication-results"
}

fn is_there(message: &AuthenticatedMessage<'_>, name: &str) -> bool {
    message.raw_parsed_headers().iter().any(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
}
