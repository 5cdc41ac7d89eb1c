//! The chain of ARC sets of a message: it passes, it fails, or there is none (RFC 8617 §4.4).
//!
//! mail-auth has the words of DKIM for it, which has more of them; here they become these three, and a fourth that is
//! told to nobody: the DNS cannot say now.

use mail_auth::arc::ArcError;
use mail_auth::{ArcOutput, AuthenticatedMessage, DkimResult, Error, MessageAuthenticator};
use tokio::time::{Instant, timeout_at};

use super::late;

/// Verifies the chain.
pub(super) async fn chain<'x>(
    dns: &MessageAuthenticator,
    message: &'x AuthenticatedMessage<'x>,
    deadline: Instant,
) -> ArcOutput<'x> {
    let output = match timeout_at(deadline, dns.verify_arc(message)).await {
        Ok(output) => output,
        Err(_elapsed) => return ArcOutput::default().with_result(DkimResult::TempError(late())),
    };
    let failed = match output.result() {
        // What cannot be read, a body that is another, a key that is not there: all of them are a fail.
        DkimResult::Neutral(why) | DkimResult::PermError(why) => why.clone(),
        // RFC 8617 §5.2: parts of a set are no set.
        DkimResult::None if !message.as_headers.is_empty() || !message.aar_headers.is_empty() => {
            Error::Arc(ArcError::BrokenChain)
        }
        DkimResult::Pass | DkimResult::Fail(_) | DkimResult::TempError(_) | DkimResult::None => {
            return output;
        }
    };
    output.with_result(DkimResult::Fail(failed))
}
