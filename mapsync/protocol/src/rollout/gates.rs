//! What a step must pass, by numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::watch::{Mail, Watched};

/// What a step must pass. The defaults are what is written here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gates {
    /// How long every host of a step must stay well: 60 s. It is longer than [`Self::silence`], or a host that ends
    /// right after its flip is found out too late.
    pub bake: Duration,
    /// From when on a host is silent: 30 s, three of its words.
    pub silence: Duration,
    /// How long a step may be held before it halts: 15 minutes.
    pub patience: Duration,
    /// How many hosts may refuse it or go back: none.
    pub refusals: usize,
    /// How often daemons may die on a host that has it: never.
    pub deaths: u64,
    /// How many answers of it may differ on a host where it waits, by no line that changed: none.
    pub differing: u64,
    /// From how many messages on the share of bad ones is looked at: 50, of the new set and of the one of before.
    pub sample: u64,
    /// By how many of a thousand messages the share of bad ones may be larger: 10. What is more must be no chance either.
    pub margin: u16,
}

/// How many standard errors are no chance. The shares are looked at again and again, so it takes more than for one look.
const ERRORS: f64 = 4.0;

impl Default for Gates {
    fn default() -> Self {
        Self {
            bake: Duration::from_secs(60),
            silence: Duration::from_secs(30),
            patience: Duration::from_secs(900),
            refusals: 0,
            deaths: 0,
            differing: 0,
            sample: 50,
            margin: 10,
        }
    }
}

impl Gates {
    /// For a change that must be quick: a step bakes for a third of the time, and a host is silent after half of it, so
    /// that one which ends right after its flip is found out all the same.
    #[must_use]
    pub fn express(self) -> Self {
        Self { bake: self.bake / 3, silence: self.silence / 2, ..self }
    }

    /// Where the new set has a larger share of bad messages than the one of before, for hosts of one role.
    pub(super) fn worse<'a>(&self, hosts: impl Iterator<Item = &'a Watched>) -> Option<String> {
        let mut roles: BTreeMap<&str, (Mail, Mail)> = BTreeMap::new();
        for host in hosts {
            let (old, new) = roles.entry(&host.role).or_default();
            (*old, *new) = (old.and(host.old), new.and(host.new));
        }
        type Bad = (&'static str, fn(&Mail) -> u64);
        let kinds: [Bad; 3] = [
            ("refused", |mail| mail.rejected),
            ("put off", |mail| mail.deferred),
            ("bounced", |mail| mail.bounced),
        ];
        roles.iter().find_map(|(role, (old, new))| {
            let (what, bad) =
                kinds.iter().find(|(_, bad)| self.more((bad(new), new.all()), (bad(old), old.all())))?;
            let (new, old) = ((bad(new), new.all()), (bad(old), old.all()));
            Some(format!(
                "hosts of role {role} {what} {} of {} messages with it, and {} of {} without",
                new.0, new.1, old.0, old.1
            ))
        })
    }

    /// Whether the first share is larger, by more than the margin and by more than chance makes it.
    fn more(&self, (bad, all): (u64, u64), (bad_before, all_before): (u64, u64)) -> bool {
        if all < self.sample.max(1) || all_before < self.sample.max(1) {
            return false;
        }
        let (bad, all) = (float(bad), float(all));
        let (bad_before, all_before) = (float(bad_before), float(all_before));
        let difference = bad / all - bad_before / all_before;
        let share = (bad + bad_before) / (all + all_before);
        let error = (share * (1.0 - share) * (1.0 / all + 1.0 / all_before)).sqrt();
        difference > f64::from(self.margin) / 1000.0 && difference > ERRORS * error
    }

    /// Whether one side of a role, the hosts that have the new set or those that do not, has had too little mail in this step
    /// for what the other had: what is not counted is not good.
    pub(super) fn too_little<'a>(&self, hosts: impl Iterator<Item = &'a Watched>) -> Option<String> {
        let mut roles: BTreeMap<&str, [(u64, u64); 2]> = BTreeMap::new();
        // Who is silent has no mail for another reason.
        for host in hosts.filter(|host| host.is_heard) {
            let [old, new] = roles.entry(&host.role).or_default();
            let (hosts, mail) = if host.is_new { new } else { old };
            (*hosts, *mail) = (*hosts + 1, mail.saturating_add(host.here));
        }
        let is_little = |(hosts, mail): (u64, u64), (others, theirs): (u64, u64)| {
            // As many as the others would have had on so many hosts.
            let expected = u128::from(theirs) * u128::from(hosts) / u128::from(others.max(1));
            mail < self.sample && expected >= u128::from(self.sample)
        };
        roles.into_iter().find_map(|(role, [old, new])| {
            let (side, (_, mail)) = match () {
                () if is_little(new, old) => ("with", new),
                () if is_little(old, new) => ("without", old),
                () => return None,
            };
            Some(format!("hosts of role {role} have had {mail} messages {side} it, too few to tell"))
        })
    }
}

/// Near enough: what is asked are shares, to a few digits.
fn float(number: u64) -> f64 {
    number as f64
}
