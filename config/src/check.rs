//! What is wrong, and where: every fault of a settings file at once, for the person who edits it.

use std::fmt;
use std::sync::Arc;

/// Where something stands: a file, a line and a column in characters, both from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named when it was read.
    pub file: Arc<str>,
    /// From 1; 0 stands for the file itself.
    pub line: u32,
    /// From 1; 0 stands for the file itself.
    pub column: u32,
}

impl Place {
    /// The file itself, where no line is to blame.
    #[must_use]
    pub fn whole(file: &str) -> Self {
        Self { file: file.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if self.line > 0 {
            write!(formatter, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// One thing that is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What, in words for an administrator.
    pub message: String,
}

/// `file:line:column: message`, as compilers say it, so that editors jump there.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong, in the order of the files; never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No fault yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A single fault.
    #[must_use]
    pub fn one(place: Place, message: impl Into<String>) -> Self {
        Self(vec![Fault { place, message: message.into() }])
    }

    /// One more.
    pub fn push(&mut self, place: Place, message: impl Into<String>) {
        self.0.push(Fault { place, message: message.into() });
    }

    /// All of another's.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// True when nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Each, in the order of the files once [`Self::or`] has given them out.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// The value if nothing is wrong, else what is, sorted and each said once.
    ///
    /// # Errors
    /// When there is any fault.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
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
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            fault.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

// ---------------------------------------------------------------------------------------------------------

/// The word of `known` that somebody who wrote `word` most likely meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in three letters: beyond that a guess misleads more than it helps.
    let most = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?`, or what is known, or nothing when that would be too long to read.
#[must_use]
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("; did you mean `{near}`?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    match known.len() {
        0 => String::new(),
        1..=32 => format!("; known here: {}", known.join(", ")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["sessions", "recipients", "hops"];
        assert_eq!(nearest("sesions", known), Some("sessions"));
        assert_eq!(nearest("recipient", known), Some("recipients"));
        assert_eq!(nearest("hop", known), Some("hops"));
        assert_eq!(nearest("certificate", known), None);
        assert_eq!(hint("certificate", known), "; known here: sessions, recipients, hops");
    }

    #[test]
    fn faults_are_sorted_and_said_once() {
        let at = |line| Place { file: "a.toml".into(), line, column: 1 };
        let mut faults = Faults::new();
        faults.push(at(3), "third");
        faults.push(at(1), "first");
        faults.push(at(3), "third");
        assert_eq!(faults.or(()).unwrap_err().to_string(), "a.toml:1:1: first\na.toml:3:1: third");
        assert_eq!(Faults::new().or(7), Ok(7));
    }
}
