//! The whole machine's time, from `/proc/stat`.

use std::fs;
use std::time::Duration;

/// Linux counts in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

/// Time since the start of the machine, over all its cores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    busy: u64,
    idle: u64,
    steal: u64,
}

impl Snapshot {
    /// As it is now.
    pub(crate) fn take() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        // cpu user nice system idle iowait irq softirq steal
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = line.split_whitespace().skip(1).map(|word| word.parse().unwrap_or(0)).collect();
        let sum = |fields: &[usize]| fields.iter().filter_map(|field| ticks.get(*field)).sum();
        Self { busy: sum(&[0, 1, 2, 5, 6]), idle: sum(&[3, 4]), steal: sum(&[7]) }
    }

    /// Work done since an earlier one.
    pub(crate) fn busy_since(&self, earlier: &Self) -> Duration {
        Duration::from_secs_f64((self.busy - earlier.busy) as f64 / TICKS_A_SECOND)
    }

    /// The share of all time since an earlier one that went to other machines on the same host.
    pub(crate) fn steal_since(&self, earlier: &Self) -> f64 {
        let all = |snapshot: &Self| snapshot.busy + snapshot.idle + snapshot.steal;
        let time = (all(self) - all(earlier)).max(1);
        (self.steal - earlier.steal) as f64 / time as f64
    }
}
