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
    fn what_does_not_end_or_is_too_large_is_no_number() {
        assert_eq!(take(&[]), None);
        assert_eq!(take(&[0x80]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0x10, 0]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(take(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Some((u32::MAX, &[][..])));
    }
}
