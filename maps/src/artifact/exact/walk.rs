//! All records of a map, in the order of the file: by hash, and by key where hashes are the same.

use super::Exact;
use super::cell::{self, Record};
use super::hash::room_of;
use crate::artifact::container::Corrupt;

/// Key, value and line of every record; ends at the first one that cannot be read.
#[derive(Debug)]
pub struct Records<'a> {
    walk: Walk<'a>,
}

impl Exact {
    /// Every record, in the order of the file, which is none a person would choose.
    #[must_use]
    pub fn iter(&self) -> Records<'_> {
        Records { walk: self.walk() }
    }

    /// The same with the values' numbers in place of their texts.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = Result<(&str, u32, u32), Corrupt>> {
        self.walk().map(|record| {
            let Record { key, value, line } = record?;
            Ok((self.text_of(key)?, value, line))
        })
    }

    /// The hashes of all keys, in order, and what the keys are reckoned to take.
    pub(super) fn hashes(&self) -> Result<(Vec<u64>, u64), Corrupt> {
        // The head's count is only a claim: it must not decide how much memory is taken.
        let records = usize::try_from(self.len()).unwrap_or(0).min(self.most_records());
        let mut hashes = Vec::with_capacity(records);
        let mut room = 0;
        for record in self.walk() {
            let Record { key, .. } = record?;
            hashes.push(self.hash.of(key));
            room += room_of(key);
        }
        Ok((hashes, room))
    }

    pub(super) fn walk(&self) -> Walk<'_> {
        Walk { map: self, next: 0, bucket: None }
    }
}

impl<'a> IntoIterator for &'a Exact {
    type Item = Result<(&'a str, &'a str, u32), Corrupt>;
    type IntoIter = Records<'a>;
    fn into_iter(self) -> Records<'a> {
        self.iter()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(&'a str, &'a str, u32), Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = match self.walk.next()? {
            Ok(record) => record,
            Err(error) => return Some(Err(error)),
        };
        let map = self.walk.map;
        let key = std::str::from_utf8(record.key).map_err(|_| self.walk.wrong("a key is not UTF-8"));
        let whole = key.and_then(|key| Ok((key, map.value(record.value)?, record.line)));
        if whole.is_err() {
            self.walk.end();
        }
        Some(whole)
    }
}

/// The same with octets and numbers.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    map: &'a Exact,
    /// The number of the next bucket.
    next: u64,
    /// What is left of the one before.
    bucket: Option<cell::Records<'a>>,
}

impl<'a> Walk<'a> {
    /// Nothing more comes.
    fn end(&mut self) {
        self.next = self.map.buckets;
        self.bucket = None;
    }

    fn wrong(&self, what: &'static str) -> Corrupt {
        self.map.wrong(self.next.saturating_sub(1), what)
    }

    fn record(&mut self) -> Result<Option<Record<'a>>, Corrupt> {
        loop {
            if let Some(record) = self.bucket.as_mut().and_then(Iterator::next) {
                return record.map(Some).map_err(|what| self.wrong(what));
            }
            if self.next >= self.map.buckets {
                return Ok(None);
            }
            self.bucket = Some(self.map.bucket(self.next)?.records());
            self.next += 1;
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Record<'a>, Corrupt>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.record();
        if record.is_err() {
            self.end();
        }
        record.transpose()
    }
}
