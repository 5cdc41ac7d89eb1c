//! Reading all of a map once, so that no question asked of it later meets a surprise.

use super::group::{Group, UNIT};
use super::hash::{bucket_of, fingerprint};
use super::{DIRECTORY, ENDS, Exact, MOST_KEY, MOST_VALUE, NO_COUNT, RECORDS, VALUES, corrupt};
use crate::artifact::container::{BadArtifact, Corrupt};

impl Exact {
    /// Checks every octet: hashes of the sections, every offset, that each key lies in its bucket, once, in
    /// order and as UTF-8, every value, and all counts. After it, no question fails.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn verify(&self) -> Result<(), BadArtifact> {
        self.container.verify()?;
        self.verify_content()?;
        Ok(())
    }

    /// The same without the hashes.
    pub(super) fn verify_content(&self) -> Result<(), Corrupt> {
        let used = self.verify_records()?;
        self.verify_values(used)
    }

    /// Gives how many values the records use.
    fn verify_records(&self) -> Result<usize, Corrupt> {
        let mut records = 0_u64;
        let mut values = 0_u32;
        let mut last: Option<(u64, &[u8])> = None;
        let mut next_start = 0;
        for bucket in 0..self.buckets {
            let (octets, start) = self.bucket(bucket)?;
            let wrong = |what| corrupt(RECORDS, start, what);
            if start != next_start {
                return Err(corrupt(DIRECTORY, bucket as usize * 4, "buckets do not lie side by side"));
            }
            next_start = start + octets.len();
            let group = Group::read(octets).ok_or_else(|| wrong(NO_COUNT))?;
            for number in 0..group.count {
                let (record, _) = group.record(number).ok_or_else(|| wrong("a record is cut off"))?;
                let hash = self.hash.of(record.key);
                if bucket_of(hash, self.buckets) != bucket {
                    return Err(wrong("a key lies in another key's bucket"));
                }
                if last.is_some_and(|last| last >= (hash, record.key)) {
                    return Err(wrong("keys are out of order, or twice there"));
                }
                if group.fingerprints().and_then(|all| all.get(number)) != Some(&fingerprint(hash)) {
                    return Err(wrong("a fingerprint is not its key's"));
                }
                if record.key.len() > MOST_KEY || std::str::from_utf8(record.key).is_err() {
                    return Err(wrong("a key is too long or not UTF-8"));
                }
                // Numbers are given at first use, so a new one is always the next.
                if record.value > values {
                    return Err(wrong("a value's number is out of order"));
                }
                values += u32::from(record.value == values);
                records += 1;
                last = Some((hash, record.key));
            }
            if !group.is_canonical() {
                return Err(wrong("a group is not as a builder writes it"));
            }
        }
        if next_start != self.records.len() {
            return Err(corrupt(DIRECTORY, self.directory.len(), "the last bucket ends before its section"));
        }
        debug_assert!(next_start.is_multiple_of(UNIT));
        if records != self.len() {
            return Err(corrupt(RECORDS, next_start, "the head counts another number of records"));
        }
        Ok(values as usize)
    }

    fn verify_values(&self, used: usize) -> Result<(), Corrupt> {
        if used != self.values() {
            return Err(corrupt(ENDS, self.ends.len(), "there are values that no record uses, or too few"));
        }
        let mut last = 0;
        for number in 0..used {
            let end = self.end(number).filter(|end| *end >= last && end - last <= MOST_VALUE);
            last =
                end.ok_or_else(|| corrupt(ENDS, number, "a value ends before it starts, or is too long"))?;
            self.value(number as u32)?;
        }
        if last != self.values.len() {
            return Err(corrupt(VALUES, last, "the last value ends before its section"));
        }
        Ok(())
    }
}
