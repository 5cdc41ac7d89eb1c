//! What is wrong with a map, and where: all of it at once, for the person who edits the file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::name::MapName;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The map; none for a table that is asked by itself.
    pub map: Option<MapName>,
    /// Its file.
    pub file: Arc<Path>,
    /// From 1; 0 when it is the file itself.
    pub line: u32,
    /// From 1, in characters; 0 when it is the file itself.
    pub column: u32,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Fault {
    /// What is wrong with a file as a whole.
    pub(crate) fn of_file(map: Option<MapName>, file: Arc<Path>, message: String) -> Self {
        Self { map, file, line: 0, column: 0, message }
    }

    /// Whether it is a name, of a pool or a filter, that the settings by which it was read do not have.
    pub(crate) fn is_unknown_name(&self) -> bool {
        self.message.contains(SETTINGS_NAME)
    }
}

/// What the message of such a fault says, and no other.
pub(crate) const SETTINGS_NAME: &str = "the settings name";

/// `file:line:column: message`, as compilers say it.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(formatter, "{}:{}:", self.line, self.column)?;
        }
        write!(formatter, " {}", self.message)
    }
}

/// Everything that is wrong with a set; never empty as the error of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    kept: Vec<Fault>,
    more: usize,
}

impl Faults {
    /// A file of the wrong kind is wrong in each line: these are enough to see that.
    pub const LIMIT: usize = 200;

    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// How many there are, with those over [`Self::LIMIT`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len() + self.more
    }

    /// The first of them, in the order of the files.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.kept.iter()
    }

    pub(crate) fn push(&mut self, fault: Fault) {
        if self.kept.len() < Self::LIMIT {
            self.kept.push(fault);
        } else {
            self.more += 1;
        }
    }

    /// Counts faults that nobody kept.
    pub(crate) fn count(&mut self, more: u64) {
        self.more = self.more.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.more += other.more;
        other.kept.into_iter().for_each(|fault| self.push(fault));
    }

    /// In the order a person reads the file.
    pub(crate) fn sort(&mut self) {
        self.kept.sort_by_key(|fault| (fault.line, fault.column));
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { kept: vec![fault], more: 0 }
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.kept.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            fault.fmt(formatter)?;
        }
        if self.more > 0 {
            write!(formatter, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

// ---------------------------------------------------------------------------------------------------------

/// What is wrong at an offset of a key or a value; the compiler knows the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// In octets from the start of the text that was read.
    pub(crate) at: usize,
    pub(crate) what: String,
}

impl Wrong {
    pub(crate) fn at(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self::at(0, what)
    }

    /// The same, seen from a text that this one is a part of.
    pub(crate) fn moved(self, by: usize) -> Self {
        Self { at: self.at + by, ..self }
    }
}

/// Where a part of a text starts in it.
pub(crate) fn offset(part: &str, whole: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

#[cfg(test)]
mod tests {
    use crate::name::MapName;
    use crate::options::MapOptions;
    use crate::set::MapSet;

    #[test]
    fn a_name_that_the_settings_do_not_have_is_told_from_what_is_bad() {
        let is_name = |map, text| {
            let faults = MapSet::from_texts(&MapOptions::default(), &[(map, text)]).unwrap_err();
            faults.iter().all(super::Fault::is_unknown_name)
        };
        assert!(is_name(MapName::Transport, "a.example smtp:@nowhere\n"));
        assert!(is_name(MapName::ClientAccess, "192.0.2.1 MILTERS sign\n"));
        assert!(!is_name(MapName::Transport, "a.example smtp:@nowhere\nb.example nonsense:\n"));
    }
}
