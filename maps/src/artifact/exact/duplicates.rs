//! What is told of keys that stand in a map more than once.

/// A key that stands in a map more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// The key.
    pub key: String,
    /// Where it stands first.
    pub first_line: u32,
    /// Where it stands again.
    pub second_line: u32,
    /// False when the two lines contradict each other.
    pub same_value: bool,
}

/// Keys that stand there more than once: the first in order of their lines, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// At most [`Self::LIMIT`].
    pub kept: Vec<Duplicate>,
    /// With those not kept.
    pub total: u64,
}

impl Duplicates {
    /// A file pasted into itself has a duplicate a line: these are enough to see that.
    pub const LIMIT: usize = 200;

    pub(super) fn push(&mut self, duplicate: Duplicate) {
        self.total += 1;
        self.kept.push(duplicate);
        // Sorted now and then, so that the first lines stay however many there are.
        if self.kept.len() >= 16 * Self::LIMIT {
            self.trim();
        }
    }

    /// The first ones, in order.
    pub(super) fn trim(&mut self) {
        self.kept.sort_by(|one, other| {
            (one.second_line, one.first_line, &one.key).cmp(&(
                other.second_line,
                other.first_line,
                &other.key,
            ))
        });
        self.kept.truncate(Self::LIMIT);
    }
}
