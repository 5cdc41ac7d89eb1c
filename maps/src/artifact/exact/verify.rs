//! Reading all of a map once, so that no question asked of it later meets a surprise.

use super::hash::{MOST_IN_BUCKET, bucket_of, fingerprint};
use super::node::{Bucket, Builder};
use super::{DIRECTORY, ENDS, Exact, MOST_VALUE, RECORDS, VALUES, corrupt};
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
        let (mut builder, mut again) = (Builder::default(), Vec::new());
        for bucket in 0..self.buckets {
            let (octets, start) = self.bucket(bucket)?;
            let wrong = |what| corrupt(RECORDS, start, what);
            if start != next_start {
                return Err(corrupt(DIRECTORY, bucket as usize * 4, "buckets do not lie side by side"));
            }
            next_start = start + octets.len();
            let first = records;
            for record in Bucket::read(octets) {
                let (kept, record) = record.map_err(wrong)?;
                let hash = self.hash.of(record.key);
                if bucket_of(hash, self.buckets) != bucket {
                    return Err(wrong("a key lies in another key's bucket"));
                }
                if last.is_some_and(|last| last >= (hash, record.key)) {
                    return Err(wrong("keys are out of order, or twice there"));
                }
                if kept != fingerprint(hash) {
                    return Err(wrong("a fingerprint is not its key's"));
                }
                if std::str::from_utf8(record.key).is_err() {
                    return Err(wrong("a key is not UTF-8"));
                }
                // Numbers are given at first use, so a new one is always the next.
                if record.value > values {
                    return Err(wrong("a value's number is out of order"));
                }
                values += u32::from(record.value == values);
                records += 1;
                last = Some((hash, record.key));
                builder.push(kept, record);
            }
            if records - first > MOST_IN_BUCKET as u64 {
                return Err(wrong("a bucket of too many keys"));
            }
            again.clear();
            builder.finish(&mut again);
            if again != octets {
                return Err(wrong("a bucket is not as a builder writes it"));
            }
        }
        if next_start != self.records.len() {
            return Err(corrupt(DIRECTORY, self.directory.len(), "the last bucket ends before its section"));
        }
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
