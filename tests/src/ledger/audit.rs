//! Holding the client's book against the sink's.

use std::collections::HashMap;
use std::fmt;

use super::Ledger;
use super::sink::Delivered;

/// What came of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audit {
    /// Recipients of messages for which a 250 was read.
    pub acknowledged: u64,
    /// Of these, how many never got a copy.
    pub lost: u64,
    /// Copies that are not what was sent, octet for octet.
    pub torn: u64,
    /// Copies of something nobody sent, or to somebody it was not sent to.
    pub strange: u64,
    /// Copies beyond the first to one recipient.
    pub doubled: u64,
    /// Of these, how many came although the sink's 250 for an earlier one had been read and acted on.
    pub without_excuse: u64,
    /// Copies to recipients for whom no 250 was read; there may be one each.
    pub unacknowledged: u64,
}

impl Ledger {
    /// Compares what was acknowledged with what arrived.
    #[must_use]
    pub fn audit(&self, copies: &[Delivered]) -> Audit {
        let pages = self.pages();
        let mut audit = Audit::default();
        // For each message and recipient: copies, and how many of these were settled.
        let mut arrived: HashMap<(u64, &str), (u64, u64)> = HashMap::new();
        for copy in copies {
            let Some((id, entry)) = copy.id.and_then(|id| Some((id, pages.entries.get(&id)?))) else {
                audit.strange += 1;
                continue;
            };
            audit.torn += u64::from(copy.digest != entry.digest);
            for recipient in &copy.recipients {
                if entry.recipients.iter().any(|(known, _)| known == recipient) {
                    let (copies, settled) = arrived.entry((id, recipient)).or_default();
                    *copies += 1;
                    *settled += u64::from(copy.settled);
                } else {
                    audit.strange += 1;
                }
            }
        }
        for (id, entry) in &pages.entries {
            for (recipient, acknowledged) in &entry.recipients {
                let (copies, settled) = arrived.get(&(*id, recipient.as_str())).copied().unwrap_or_default();
                audit.acknowledged += u64::from(*acknowledged);
                audit.lost += u64::from(*acknowledged && copies == 0);
                audit.doubled += copies.saturating_sub(1);
                audit.without_excuse += settled.saturating_sub(1);
                audit.unacknowledged += u64::from(!*acknowledged && copies > 0);
            }
        }
        audit
    }
}

impl Audit {
    /// Demands that nothing is lost, torn or strange, and nothing doubled beyond what was under way when
    /// something was killed.
    ///
    /// # Panics
    /// When it is.
    pub fn demand(&self, under_way: u64) {
        assert_eq!((self.lost, self.torn, self.strange), (0, 0, 0), "{self}");
        assert!(self.doubled <= under_way, "{self}; {under_way} under way");
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, torn, strange, doubled, without_excuse, unacknowledged } = self;
        write!(
            formatter,
            "acknowledged {acknowledged}, lost {lost}, torn {torn}, strange {strange}, doubled {doubled} \
             ({without_excuse} after a settled copy), arrived unacknowledged {unacknowledged}"
        )
    }
}
