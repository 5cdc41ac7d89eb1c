//! Numbers in as few octets as they need: seven bits each, the lowest first, the eighth bit set but on the last.

/// Octets of the longest number.
pub(super) const LONGEST: usize = 5;

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The number at the front, and what follows it; none when it does not end or is too large.
#[inline]
pub(super) fn take(octets: &[u8]) -> Option<(u32, &[u8])> {
    match octets {
        [first, rest @ ..] if *first < 0x80 => Some((u32::from(*first), rest)),
        _ => take_long(octets),
    }
}

#[inline]
fn take_long(octets: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0_u64;
    for (index, octet) in octets.iter().take(LONGEST).enumerate() {
        number |= u64::from(octet & 0x7f) << (7 * index);
        if *octet < 0x80 {
            return Some((u32::try_from(number).ok()?, octets.get(index + 1..)?));
        }
    }
    None
}

/// The two numbers at the front, without a branch for each octet where they have four at most. In a question's own
/// code: given back by a call they lie side by side in memory, and whoever takes both at once waits for it.
#[inline(always)]
pub(super) fn take_two(octets: &[u8]) -> Option<(u32, u32)> {
    if let Some(word) = octets.first_chunk() {
        let word = u64::from_le_bytes(*word);
        // The high bits of each number's last octet.
        let ends = !word & HIGHS;
        let first = ends.trailing_zeros();
        let second = (ends & ends.wrapping_sub(1)).trailing_zeros();
        if second < 64 && first < 32 && second - first <= 32 {
            let behind = word >> 1 >> first;
            return Some((packed(word, first), packed(behind, second - first - 1)));
        }
    }
    let (one, rest) = take(octets)?;
    Some((one, take(rest)?.0))
}

/// The number whose last octet ends with this bit, in the lowest octets of a word.
#[inline]
fn packed(word: u64, end: u32) -> u32 {
    let octets = word as u32 & (u32::MAX >> (31 - end));
    let pairs = (octets & 0x007f_007f) | (octets & 0x7f00_7f00) >> 1;
    (pairs & 0x3fff) | (pairs & 0x3fff_0000) >> 2
}

/// The high bit of each octet.
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in (0..70_000).chain((0..32).flat_map(|bit| [(1 << bit) - 1, 1 << bit])).chain([u32::MAX])
        {
            let mut octets = Vec::new();
            put(&mut octets, number);
            octets.push(0x99);
            assert_eq!(take(&octets), Some((number, &[0x99][..])));
        }
    }

    #[test]
    fn two_numbers_come_back() {
        let numbers = || (0..32).flat_map(|bit| [(1_u32 << bit) - 1, 1 << bit]).chain([u32::MAX]);
        for one in numbers() {
            for other in numbers() {
                let mut octets = Vec::new();
                put(&mut octets, one);
                put(&mut octets, other);
                for behind in [0, 1, 8] {
                    let octets = [&*octets, &vec![0xff; behind]].concat();
                    assert_eq!(take_two(&octets), Some((one, other)));
                    assert_eq!(take_two(&octets[..octets.len() - behind - 1]), None);
                }
            }
        }
        assert_eq!(take_two(&[0xff; 16]), None);
        assert_eq!(take_two(&[0; 1]), None);
    }

    #[test]
    fn what_does_not_end_or_is_too_large_is_no_number() {
        assert_eq!(take(&[]), None);
        assert_eq!(take(&[0x80]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0x10, 0]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some((u32::MAX, &[][..])));
    }
}
