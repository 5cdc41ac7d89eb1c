//! What lies between two tables. Where they share a file, only what changed since it was made is looked at.

use super::super::diff::{Counts, Difference, Side, diff};
use super::Layered;
use crate::artifact::container::Corrupt;

/// Gives each difference of two tables, in no order that a person would choose.
///
/// # Errors
/// An entry cannot be read.
pub fn differences<'a>(
    old: &'a Layered,
    new: &'a Layered,
    mut each: impl FnMut(Difference<'a>),
) -> Result<(), Corrupt> {
    let shared = old.base.container().identity() == new.base.container().identity();
    if !shared && old.changes.is_none() && new.changes.is_none() {
        return diff(&old.base, &new.base).try_for_each(|difference| difference.map(&mut each));
    }
    let mut compare = |key: &'a str| {
        let difference = match (side(old, key)?, side(new, key)?) {
            (Some(old), Some(new)) if old.value == new.value => None,
            (Some(old), Some(new)) => Some(Difference::Changed(old, new)),
            (Some(old), None) => Some(Difference::Removed(old)),
            (None, Some(new)) => Some(Difference::Added(new)),
            (None, None) => None,
        };
        difference.into_iter().for_each(&mut each);
        Ok(())
    };
    if shared {
        changed_keys(old).try_for_each(|key| compare(key?))?;
        changed_keys(new).try_for_each(|key| match key {
            // It was among those.
            Ok(key) if old.changes.as_ref().is_some_and(|changes| changes.has(key)) => Ok(()),
            key => compare(key?),
        })
    } else {
        old.numbered().try_for_each(|entry| compare(entry?.0))?;
        new.numbered().try_for_each(|entry| {
            let (key, ..) = entry?;
            if old.find(key)?.is_none() { compare(key) } else { Ok(()) }
        })
    }
}

/// Counts the differences of two tables.
///
/// # Errors
/// An entry cannot be read.
pub fn count(old: &Layered, new: &Layered) -> Result<Counts, Corrupt> {
    let mut counts = Counts::default();
    differences(old, new, |difference| match difference {
        Difference::Added(_) => counts.added += 1,
        Difference::Removed(_) => counts.removed += 1,
        Difference::Changed(..) => counts.changed += 1,
    })?;
    Ok(counts)
}

fn side<'a>(table: &'a Layered, key: &'a str) -> Result<Option<Side<'a>>, Corrupt> {
    let Some(found) = table.find(key)? else { return Ok(None) };
    Ok(Some(Side { key, value: table.value(found.value)?, line: found.line }))
}

/// Keys that are other than in the base, or gone.
fn changed_keys(table: &Layered) -> impl Iterator<Item = Result<&str, Corrupt>> {
    table.changes.iter().flat_map(|changes| changes.keys())
}
