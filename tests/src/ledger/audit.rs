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
    /// Deliveries to somebody who had a copy already.
    pub doubled: u64,
    /// Of these, how many came although the sink's 250 for the earlier one had been read and acted on.
    pub without_excuse: u64,
    /// Recipients with a copy, though no 250 was read for them: allowed.
    pub unacknowledged: u64,
}

impl Ledger {
    /// Compares what was acknowledged with what arrived.
    #[must_use]
    pub fn audit(&self, copies: &[Delivered]) -> Audit {
        let pages = self.pages();
        let mut audit = Audit::default();
        // For each message and recipient, whether its last copy was settled.
        let mut arrived: HashMap<(u64, &str), bool> = HashMap::new();
        for copy in copies {
            let Some((id, entry)) = copy.id.and_then(|id| Some((id, pages.entries.get(&id)?))) else {
                audit.strange += 1;
                continue;
            };
            audit.torn += u64::from(copy.digest != entry.digest);
            audit.strange += u64::from(copy.recipients.iter().any(|recipient| !entry.knows(recipient)));
            let earlier: Vec<bool> = copy
                .recipients
                .iter()
                .filter_map(|recipient| arrived.insert((id, recipient), copy.settled))
                .collect();
            audit.doubled += u64::from(!earlier.is_empty());
            audit.without_excuse += u64::from(earlier.contains(&true));
        }
        for (id, entry) in &pages.entries {
            for (recipient, acknowledged) in &entry.recipients {
                let has_copy = arrived.contains_key(&(*id, recipient.as_str()));
                audit.acknowledged += u64::from(*acknowledged);
                audit.lost += u64::from(*acknowledged && !has_copy);
                audit.unacknowledged += u64::from(!*acknowledged && has_copy);
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
