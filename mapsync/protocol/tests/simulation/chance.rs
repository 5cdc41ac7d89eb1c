//! Chance, and what was seen.

/// Chance, the same for the same seed.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) flips: u64,
    pub(crate) back: u64,
    pub(crate) crashes: u64,
    pub(crate) refusals: u64,
    pub(crate) forks: u64,
    pub(crate) rests: u64,
}

impl Seen {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            flips: self.flips + other.flips,
            back: self.back + other.back,
            crashes: self.crashes + other.crashes,
            refusals: self.refusals + other.refusals,
            forks: self.forks + other.forks,
            rests: self.rests + other.rests,
        }
    }
}
