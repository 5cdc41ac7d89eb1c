//! Keys as they are: an interim table in memory.

use std::collections::HashMap;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) value: u32,
    pub(crate) line: u32,
}
#[derive(Debug, Clone, Copy)]
pub(crate) struct Corrupt;
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the map is too large")]
pub(crate) struct TooLarge;
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) key: String,
    pub(crate) first_line: u32,
    pub(crate) second_line: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Exact {
    keys: HashMap<Box<str>, Found>,
    values: Vec<Box<str>>,
}
#[derive(Debug, Default)]
pub(crate) struct ExactBuilder {
    exact: Exact,
    numbers: HashMap<Box<str>, u32>,
    duplicates: Vec<Duplicate>,
}

impl ExactBuilder {
    pub(crate) fn push(&mut self, key: &str, value: &str, line: u32) -> Result<(), TooLarge> {
        let number = match self.numbers.get(value) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.exact.values.len()).map_err(|_| TooLarge)?;
                self.exact.values.push(value.into());
                self.numbers.insert(value.into(), number);
                number
            }
        };
        match self.exact.keys.get(key) {
            Some(found) if found.value == number => {}
            Some(found) => self.duplicates.push(Duplicate {
                key: key.to_owned(),
                first_line: found.line,
                second_line: line,
            }),
            None => {
                self.exact.keys.insert(key.into(), Found { value: number, line });
            }
        }
        Ok(())
    }
    pub(crate) fn finish(self) -> Result<Exact, Vec<Duplicate>> {
        if self.duplicates.is_empty() { Ok(self.exact) } else { Err(self.duplicates) }
    }
}

impl Exact {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
    pub(crate) fn values(&self) -> usize {
        self.values.len()
    }
    #[allow(clippy::unnecessary_wraps)]
    pub(crate) fn find(&self, key: &str) -> Result<Option<Found>, Corrupt> {
        Ok(self.keys.get(key).copied())
    }
    pub(crate) fn value(&self, number: u32) -> Result<&str, Corrupt> {
        self.values.get(number as usize).map(|value| &**value).ok_or(Corrupt)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = Result<(&str, &str, u32), Corrupt>> {
        self.keys.iter().map(|(key, found)| Ok((&**key, self.value(found.value)?, found.line)))
    }
}
