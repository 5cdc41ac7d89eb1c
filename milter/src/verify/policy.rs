//! What a domain's DMARC policy leads to, by how much of it the settings obey.

use mail_auth::dmarc::Policy;
use mail_auth::{DmarcOutput, DmarcResult};

/// How much of a policy is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Obeyed {
    /// It is told, and nothing else.
    Nothing,
    /// Quarantine at most.
    Quarantine,
    /// All that it asks for.
    All,
}

/// What becomes of a message by its author's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// It goes on.
    Pass,
    /// It waits for the operator.
    Quarantine,
    /// It is refused.
    Reject,
}

/// Decides. Only a plain fail leads anywhere: what could not be known is no reason to lose mail.
pub(crate) fn disposition(dmarc: &DmarcOutput, obeyed: Obeyed) -> Disposition {
    if !matches!(dmarc.result(), DmarcResult::Fail(_)) {
        return Disposition::Pass;
    }
    match (dmarc.policy(), obeyed) {
        (_, Obeyed::Nothing) | (Policy::None | Policy::Unspecified, _) => Disposition::Pass,
        (Policy::Quarantine, _) | (Policy::Reject, Obeyed::Quarantine) => Disposition::Quarantine,
        (Policy::Reject, Obeyed::All) => Disposition::Reject,
    }
}
