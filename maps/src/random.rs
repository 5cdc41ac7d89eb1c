//! interim
#[derive(Debug)]
pub(crate) struct Weighted {
    values: Vec<(String, u64)>,
}
impl Weighted {
    pub(crate) fn new(values: Vec<(String, u32)>) -> Self {
        let mut sum = 0;
        Self {
            values: values
                .into_iter()
                .map(|(value, weight)| {
                    sum += u64::from(weight);
                    (value, sum)
                })
                .collect(),
        }
    }
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
    pub(crate) fn draw(&self, chance: u64) -> (u32, &str) {
        let all = self.values.last().map_or(1, |(_, sum)| *sum);
        let at = self.values.partition_point(|(_, sum)| *sum <= chance % all);
        let (value, _) = &self.values[at.min(self.values.len() - 1)];
        (at as u32, value)
    }
}
