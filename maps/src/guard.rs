//! How much of a set may go or change at once: half a file, or the wrong one, is often good text.
//!
//! A new set is compared with the one in use before it takes its place. Over the [`Budget`] it is refused
//! like any bad set, with the difference to its credit: it is kept, and
//! [`Reloader::accept`](crate::Reloader::accept) takes it after all. A daemon that starts has nothing to
//! compare with.

use crate::artifact::exact::diff::Counts;
use crate::artifact::exact::layered;
use crate::chain::Chain;
use crate::fault::{Fault, Faults};
use crate::name::MapName;
use crate::set::{MapSet, Slot};

/// What one change may do to a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Keys that may go, in per cent of those there are. At first 10.
    pub removed: u8,
    /// Keys that may come to lead elsewhere, likewise. At first 50.
    pub changed: u8,
    /// So many keys may always go or change: a small map changes much at once. At first 100.
    pub least: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { removed: 10, changed: 50, least: 100 }
    }
}

/// What is over the budget in the change from one set to another; nothing when it may be made.
#[must_use]
pub fn over_budget(old: &MapSet, new: &MapSet, budget: Budget) -> Faults {
    let mut faults = Faults::default();
    for map in MapName::ALL {
        // A map that the settings give or take is the settings' change.
        let (Slot::Ready(old), Slot::Ready(new)) = (old.slot(map), new.slot(map)) else { continue };
        if let Some(message) = say(old, new, budget)
            && let Some(member) = new.members.first()
        {
            faults.push(Fault::of_file(Some(map), member.file.clone(), message));
        }
    }
    faults
}

fn say(old: &Chain, new: &Chain, budget: Budget) -> Option<String> {
    // Everything may go and change: a walk through both would find nothing to say.
    if budget.removed >= 100 && budget.changed >= 100 {
        return None;
    }
    let had = old.len() as u64;
    if had > 0 && new.len() == 0 && budget.removed < 100 {
        return Some(format!("all of its {had} keys would be gone at once"));
    }
    let Counts { removed, changed, .. } = differences(old, new);
    let over = |count: u64, percent: u8| {
        count > u64::from(budget.least) && count.saturating_mul(100) > had.saturating_mul(percent.into())
    };
    let share = |count: u64| count.saturating_mul(100) / had.max(1);
    if over(removed, budget.removed) {
        let most = budget.removed;
        return Some(format!(
            "{removed} of its {had} keys would be gone at once ({} %; {most} % may)",
            share(removed)
        ));
    }
    over(changed, budget.changed).then(|| {
        let most = budget.changed;
        format!(
            "{changed} of its {had} keys would lead elsewhere at once ({} %; {most} % may)",
            share(changed)
        )
    })
}

/// Tables are compared with those in their places. Rules have no keys to compare: their number is.
fn differences(old: &Chain, new: &Chain) -> Counts {
    let mut all = Counts::default();
    for (place, member) in old.members.iter().enumerate() {
        let twin = new.members.get(place).map(|twin| &twin.table);
        let counts = match (member.table.exact(), twin.and_then(|twin| twin.exact())) {
            // One that cannot be read says so to whoever asks it.
            (Some(old), Some(new)) => layered::count(old, new).unwrap_or_default(),
            _ => {
                let (had, has) = (member.table.len(), twin.map_or(0, |twin| twin.len()));
                Counts { removed: had.saturating_sub(has) as u64, ..Counts::default() }
            }
        };
        all.removed += counts.removed;
        all.changed += counts.changed;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MapOptions, Verified};

    fn set(keys: std::ops::Range<u32>, nexthop: &str) -> Verified<MapSet> {
        let mut text = "# keys\n".to_owned();
        for key in keys {
            text.push_str(&format!("host{key}.example smtp:[{nexthop}]\n"));
        }
        MapSet::from_texts(&MapOptions::default(), &[(MapName::Transport, &text)]).unwrap()
    }

    fn told(old: &Verified<MapSet>, new: &Verified<MapSet>) -> Vec<String> {
        let faults = over_budget(old.get(), new.get(), Budget::default());
        faults.iter().map(|fault| fault.message.clone()).collect()
    }

    #[test]
    fn what_shrinks_or_changes_too_much_is_told() {
        let old = set(0..2_000, "a.example");
        assert_eq!(told(&old, &old), Vec::<String>::new());
        assert_eq!(told(&old, &set(0..1_800, "a.example")), Vec::<String>::new());
        assert_eq!(told(&old, &set(0..5_000, "a.example")), Vec::<String>::new());
        assert_eq!(
            told(&old, &set(0..1_700, "a.example")),
            ["300 of its 2000 keys would be gone at once (15 %; 10 % may)"]
        );
        assert_eq!(
            told(&old, &set(0..2_000, "b.example")),
            ["2000 of its 2000 keys would lead elsewhere at once (100 %; 50 % may)"]
        );
        assert_eq!(told(&old, &set(0..0, "a.example")), ["all of its 2000 keys would be gone at once"]);
    }

    #[test]
    fn a_small_map_may_change_as_it_likes_but_not_vanish() {
        let old = set(0..50, "a.example");
        assert_eq!(told(&old, &set(40..41, "b.example")), Vec::<String>::new());
        assert_eq!(told(&old, &set(0..0, "a.example")), ["all of its 50 keys would be gone at once"]);
    }
}
