//! Reading all of a map once, so that no question asked of it later meets a surprise.

use super::cell::Builder;
use super::hash::{MOST_IN_BUCKET, bucket_of};
use super::{BEHIND, CELLS, ENDS, Exact, MOST_KEY, MOST_VALUE, VALUES, corrupt};
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
        // What each bucket's records make, compared with what is there.
        let (mut builder, mut again, mut end) = (Builder::default(), Vec::new(), 0);
        for number in 0..self.buckets {
            let wrong = |what| self.wrong(number, what);
            let bucket = self.bucket(number)?;
            let first = records;
            for record in bucket.records() {
                let record = record.map_err(wrong)?;
                let hash = self.hash.of(record.key);
                if bucket_of(hash, self.buckets) != number {
                    return Err(wrong("a key lies in another key's bucket"));
                }
                if last.is_some_and(|last| last >= (hash, record.key)) {
                    return Err(wrong("keys are out of order, or twice there"));
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
                builder.push(hash, record);
            }
            if records - first > MOST_IN_BUCKET as u64 {
                return Err(wrong("a bucket of too many keys"));
            }
            again.clear();
            let cell = builder.finish(end, &mut again);
            let behind = self.part(&self.behind).get(end..).and_then(|behind| behind.get(..again.len()));
            if cell.as_ref() != Some(bucket.cell) || behind != Some(&again) {
                return Err(wrong("a bucket is not as a builder writes it"));
            }
            end += again.len();
        }
        if end != self.behind.len() {
            return Err(corrupt(BEHIND, end, "records of no bucket"));
        }
        if records != self.len() {
            return Err(corrupt(CELLS, 0, "the head counts another number of records"));
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
