//! Whether each alias of a set comes to an end.

mod changed;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use switchyard_smtp::address::Mailbox;

pub(crate) use self::changed::{Earlier, EarlierTable};
use super::{MapSet, Slot};
use crate::alias;
use crate::artifact::Layered;
use crate::chain::{Chain, Table};
use crate::fault::{Fault, Faults};
use crate::installed::{LAYOUT, hex};
use crate::lookup;
use crate::loops::Loops;
use crate::name::MapName;
use crate::options::MapOptions;

/// What came of following the aliases of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// BLAKE3 of what was followed: the tables, and what the settings say about asking them. In hexadecimal.
    pub of: String,
    /// No alias leads on for more steps.
    pub deepest: usize,
    /// True when it was seen that no key and no target has what the settings take for an extension.
    pub plain: bool,
}

/// How it was found that each alias of a set comes to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followed {
    /// Each was followed.
    All,
    /// Only what changed was followed: an earlier set is proved.
    Changed,
}

/// What is known of a set before.
#[derive(Debug)]
pub(crate) enum Known {
    /// The digest of one that is proved: what answers like that is so, too.
    Digest([u8; 32]),
    /// What was proved of one that came before.
    Earlier(Earlier),
}

impl MapSet {
    /// Sees that each alias comes to an end. Tells nothing where there is none, or all is known.
    pub(super) fn follow_aliases(
        &self,
        options: &MapOptions,
        known: Option<&Known>,
    ) -> Result<Option<(Proof, Followed)>, Faults> {
        let Slot::Ready(chain) = self.slot(MapName::VirtualAlias) else { return Ok(None) };
        if matches!(known, Some(Known::Digest(proven)) if *proven == self.digest) {
            return Ok(None);
        }
        // Of few values it is soon seen that none leads on: sooner than what changed is found.
        let leading = is_of_few_values(chain).then(|| self.leading(chain));
        let is_seen =
            leading.as_ref().is_some_and(|tables| !tables.iter().flatten().any(|leads_on| *leads_on));
        if !is_seen
            && let Some(Known::Earlier(earlier)) = known
            && let Some(proof) = self.follow_changed(chain, options, earlier)
        {
            return Ok(Some((proof, Followed::Changed)));
        }
        let leading = leading.unwrap_or_else(|| self.leading(chain));
        let deepest = self.follow_all(chain, options, &leading)?;
        let plain = self.rules.parts_nothing() || (!is_seen && self.is_plain(chain));
        Ok(Some((Proof { of: self.followed(chain, options), deepest, plain }, Followed::All)))
    }

    /// Which values of each table of whole keys can lead on. Most aliases end where they point: that is seen without
    /// making addresses of them, and once for all that point there.
    fn leading(&self, chain: &Chain) -> Vec<Vec<bool>> {
        // A table that is damaged says so to whoever asks it.
        let leads_on =
            |exact: &Layered, number| self.leads_on(chain, exact.value(number).unwrap_or_default());
        let of_table =
            |exact: &Layered| (0..exact.values() as u32).map(|number| leads_on(exact, number)).collect();
        chain.exact().map(|(exact, _)| of_table(exact)).collect()
    }

    /// Follows each alias to its end; how many steps it is to the farthest.
    fn follow_all(
        &self,
        chain: &Chain,
        options: &MapOptions,
        leading: &[Vec<bool>],
    ) -> Result<usize, Faults> {
        let mut loops = Loops::new(|mailbox: &Mailbox| self.targets(chain, mailbox));
        let mut faults = Faults::default();
        // An entry that does not lead on is one step.
        let mut deepest = 1;
        for ((exact, member), leads_on) in chain.exact().zip(leading) {
            if !leads_on.contains(&true) {
                continue;
            }
            let entries = exact.numbered().flatten();
            let entries = entries.filter(|(_, value, _)| leads_on.get(*value as usize) == Some(&true));
            let mut entries: Vec<(u32, &str)> = entries.map(|(key, _, line)| (line, key)).collect();
            entries.sort_unstable();
            for (line, key) in entries {
                let local_domains = options.origin.iter().chain(&options.local_domains);
                match loops.follow(key, local_domains) {
                    Ok(steps) => deepest = deepest.max(steps),
                    Err(message) => {
                        let (map, file) = (Some(MapName::VirtualAlias), Arc::clone(&member.file));
                        faults.push(Fault { map, file, line, column: 1, message });
                    }
                }
            }
        }
        if faults.is_empty() { Ok(deepest) } else { Err(faults) }
    }

    /// What an address stands for, if the map has it.
    fn targets(&self, chain: &Chain, mailbox: &Mailbox) -> Option<Vec<Mailbox>> {
        alias::ask(&chain.asking(), mailbox, &self.rules, &self.words).ok().flatten()?.1
    }

    /// Whether following a value can lead to another line. It may say yes for one that does not.
    fn leads_on(&self, chain: &Chain, value: &str) -> bool {
        alias::leads_on(value, |local, host| lookup::answers(&chain.asking(), local, host, &self.rules))
    }

    /// Whether there is no extension in any table of whole keys.
    fn is_plain(&self, chain: &Chain) -> bool {
        let never_parts = |text| self.rules.never_parts(text);
        self.rules.parts_nothing()
            || chain.exact().all(|(exact, _)| {
                (0..exact.values() as u32).all(|number| exact.value(number).is_ok_and(never_parts))
                    && exact.numbered().all(|entry| entry.is_ok_and(|(key, ..)| never_parts(key)))
            })
    }

    /// What a proof is of.
    fn followed(&self, chain: &Chain, options: &MapOptions) -> String {
        let tables = chain.members.iter().map(|member| (&*member.spec, identity(&member.table)));
        self.followed_of(tables, options)
    }

    /// The same of tables by their names and identities.
    fn followed_of<'a>(
        &self,
        tables: impl Iterator<Item = (&'a str, String)>,
        options: &MapOptions,
    ) -> String {
        let mut hasher = blake3::Hasher::new();
        let settings = (&self.rules, &options.origin, &options.local_domains);
        let mut add = |part: &str| {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        };
        // A program that follows in another way, or keeps other tables, has another layout.
        add(&format!("{LAYOUT:x} {settings:?}"));
        tables.for_each(|(spec, identity)| [spec, &*identity].into_iter().for_each(&mut add));
        hasher.finalize().to_hex().to_string()
    }
}

/// Of all files that a table is asked in, in hexadecimal.
fn identity(table: &Table) -> String {
    table.containers().map(|container| hex(&container.identity())).collect()
}

/// Whether most keys lead where many others do.
fn is_of_few_values(chain: &Chain) -> bool {
    let values: usize = chain.exact().map(|(exact, _)| exact.values()).sum();
    values.saturating_mul(KEYS_A_VALUE) <= chain.len()
}

/// To look at a value takes as long as to compare some keys.
const KEYS_A_VALUE: usize = 8;
