//! The day on which an address was rewritten, as it stands in the address.

use std::time::SystemTime;

/// Days are counted in two digits of base 32.
pub(super) const DAYS: u64 = 32 * 32;
pub(super) const DAY: u64 = 24 * 60 * 60;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(super) fn today(now: SystemTime) -> u64 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY % DAYS)
}

pub(super) fn write_day(day: u64) -> String {
    [5, 0].map(|shift| char::from(BASE32[(day >> shift) as usize & 31])).iter().collect()
}

pub(super) fn read_day(text: &str) -> Option<u64> {
    if text.len() != 2 {
        return None;
    }
    text.bytes().try_fold(0, |day, byte| {
        let digit = BASE32.iter().position(|digit| *digit == byte.to_ascii_uppercase())?;
        Some(day * 32 + digit as u64)
    })
}
