//! The values of a `randmap:` table, one taken by chance.
//!
//! Each lookup takes anew, as in Postfix: two recipients of one message may go two ways, and so may one
//! recipient at two attempts. Chance is handed in, so that a test can say what comes of it.

/// Values with their weights.
#[derive(Debug)]
pub(crate) struct Weighted {
    /// Each value with the sum of the weights up to and with its own.
    values: Vec<(String, u64)>,
}

impl Weighted {
    /// `values` with their weights; a weight of 0 is never taken.
    pub(crate) fn new(values: Vec<(String, u32)>) -> Self {
        let add = |sum: &mut u64, (value, weight): (String, u32)| {
            *sum += u64::from(weight);
            Some((value, *sum))
        };
        Self { values: values.into_iter().scan(0, add).collect() }
    }

    /// How many values it has.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// A value by its place.
    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        self.values.get(number as usize).map(|(value, _)| value.as_str())
    }

    /// The value that a random number takes, with its place among them; empty when there are none.
    pub(crate) fn draw(&self, chance: u64) -> (u32, &str) {
        let sum = self.values.last().map_or(0, |(_, sum)| *sum);
        // The upper half of the product is spread over 0..sum evenly, and is always below it.
        let at = u64::try_from((u128::from(chance) * u128::from(sum)) >> 64).unwrap_or(0);
        let taken = self.values.partition_point(|(_, sum)| *sum <= at);
        let value = self.values.get(taken).map_or("", |(value, _)| value);
        (u32::try_from(taken).unwrap_or(u32::MAX), value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_is_taken_as_often_as_it_weighs() {
        let values = [("a", 1), ("never", 0), ("b", 3)];
        let weighted = Weighted::new(values.map(|(value, weight)| (value.to_owned(), weight)).to_vec());
        // Numbers spread evenly over all there are.
        let drawn: Vec<_> =
            (0..400).map(|step| weighted.draw(step * (u64::MAX / 400) + u64::MAX / 800).1).collect();
        let count = |value| drawn.iter().filter(|drawn| **drawn == value).count();
        assert_eq!((count("a"), count("b"), count("never")), (100, 300, 0));
        assert_eq!((weighted.draw(0), weighted.draw(u64::MAX)), ((0, "a"), (2, "b")));
        assert_eq!(Weighted::new(Vec::new()).draw(7).1, "");
    }

    proptest! {
        #[test]
        fn no_chance_misses(weights in proptest::collection::vec(1_u32.., 1..20), chance: u64) {
            let values = weights.iter().enumerate().map(|(index, weight)| (index.to_string(), *weight)).collect();
            let weighted = Weighted::new(values);
            let (number, value) = weighted.draw(chance);
            prop_assert_eq!(number.to_string(), value);
        }
    }
}
