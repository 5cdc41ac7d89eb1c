//! What lies between two tables. Where they share a file, only what changed since it was made is looked at.

use std::ops::ControlFlow;

use super::super::diff::{Counts, Difference, Side, diff};
use super::Layered;
use crate::artifact::container::Corrupt;

/// Gives each difference of two tables until it is enough, in no order that a person would choose.
///
/// # Errors
/// An entry cannot be read.
pub fn differences<'a>(
    old: &'a Layered,
    new: &'a Layered,
    each: impl FnMut(Difference<'a>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Corrupt> {
    let shared = old.base.container().identity() == new.base.container().identity();
    if !shared && old.changes.is_none() && new.changes.is_none() {
        return give(diff(&old.base, &new.base), each);
    }
    let compare = |key: Result<&'a str, Corrupt>| {
        let difference = key.and_then(|key| compare(old, new, key));
        difference.transpose()
    };
    if shared {
        let of_old = |key: &str| old.changes.as_ref().is_some_and(|changes| changes.has(key));
        let only_new = changed_keys(new).filter(|key| !key.is_ok_and(of_old));
        give(changed_keys(old).chain(only_new).filter_map(compare), each)
    } else {
        let of_old = |key: &str| matches!(old.find(key), Ok(Some(_)));
        let only_new = keys(new).filter(|key| !key.is_ok_and(of_old));
        give(keys(old).chain(only_new).filter_map(compare), each)
    }
}

/// Counts the differences of two tables.
///
/// # Errors
/// An entry cannot be read.
pub fn count(old: &Layered, new: &Layered) -> Result<Counts, Corrupt> {
    let mut counts = Counts::default();
    let _to_the_end = differences(old, new, |difference| {
        match difference {
            Difference::Added(_) => counts.added += 1,
            Difference::Removed(_) => counts.removed += 1,
            Difference::Changed(..) => counts.changed += 1,
        }
        ControlFlow::Continue(())
    })?;
    Ok(counts)
}

fn give<'a>(
    differences: impl Iterator<Item = Result<Difference<'a>, Corrupt>>,
    mut each: impl FnMut(Difference<'a>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Corrupt> {
    for difference in differences {
        if each(difference?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// What lies between the tables at a key.
fn compare<'a>(old: &'a Layered, new: &'a Layered, key: &'a str) -> Result<Option<Difference<'a>>, Corrupt> {
    Ok(match (side(old, key)?, side(new, key)?) {
        (Some(old), Some(new)) if old.value == new.value => None,
        (Some(old), Some(new)) => Some(Difference::Changed(old, new)),
        (Some(old), None) => Some(Difference::Removed(old)),
        (None, Some(new)) => Some(Difference::Added(new)),
        (None, None) => None,
    })
}

fn side<'a>(table: &'a Layered, key: &'a str) -> Result<Option<Side<'a>>, Corrupt> {
    let Some(found) = table.find(key)? else { return Ok(None) };
    Ok(Some(Side { key, value: table.value(found.value)?, line: found.line }))
}

/// Keys that are other than in the base, or gone.
fn changed_keys(table: &Layered) -> impl Iterator<Item = Result<&str, Corrupt>> {
    table.changes.iter().flat_map(|changes| changes.keys())
}

fn keys(table: &Layered) -> impl Iterator<Item = Result<&str, Corrupt>> {
    table.numbered().map(|entry| entry.map(|(key, ..)| key))
}
