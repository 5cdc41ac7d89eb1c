//! Whether each alias of a set comes to an end.

use std::sync::Arc;

use switchyard_smtp::address::Mailbox;

use super::{MapSet, Slot};
use crate::alias;
use crate::fault::{Fault, Faults};
use crate::lookup;
use crate::loops::Loops;
use crate::name::MapName;
use crate::options::MapOptions;

impl MapSet {
    /// Follows each alias to its end.
    pub(super) fn follow_aliases(&self, options: &MapOptions) -> Result<(), Faults> {
        let Slot::Ready(chain) = self.slot(MapName::VirtualAlias) else { return Ok(()) };
        let mut loops = Loops::new(|mailbox: &Mailbox| {
            alias::ask(&chain.asking(), mailbox, &self.rules, &self.words).ok().flatten()?.1
        });
        let mut faults = Faults::default();
        let answers = |local: &str, host: &str| lookup::answers(&chain.asking(), local, host, &self.rules);
        for (exact, member) in chain.exact() {
            // A table that is damaged says so to whoever asks it. Most aliases end where they point: that is
            // seen without making addresses of them, and once for all that point there.
            let leads_on = |number| alias::leads_on(exact.value(number).unwrap_or_default(), answers);
            let leads_on: Vec<bool> = (0..exact.values() as u32).map(leads_on).collect();
            if !leads_on.contains(&true) {
                continue;
            }
            let entries = exact.numbered().flatten();
            let entries = entries.filter(|(_, value, _)| leads_on.get(*value as usize) == Some(&true));
            let mut entries: Vec<(u32, &str)> = entries.map(|(key, _, line)| (line, key)).collect();
            entries.sort_unstable();
            for (line, key) in entries {
                let local_domains = options.origin.iter().chain(&options.local_domains);
                if let Some(message) = loops.follow(key, local_domains) {
                    let (map, file) = (Some(MapName::VirtualAlias), Arc::clone(&member.file));
                    faults.push(Fault { map, file, line, column: 1, message });
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}
