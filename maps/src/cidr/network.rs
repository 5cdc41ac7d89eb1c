//! `192.0.2.0/24`, `[2001:db8::]/32`: the pattern of a rule.

use std::net::{IpAddr, Ipv6Addr};

use crate::fault::Wrong;

/// Which addresses a network is of; a rule never matches the other family, negated or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Bits of an address.
    fn width(self) -> u32 {
        match self {
            Self::V4 => u32::BITS,
            Self::V6 => u128::BITS,
        }
    }

    /// The last address there is.
    pub(super) fn last(self) -> u128 {
        u128::MAX >> (u128::BITS - self.width())
    }
}

/// All addresses that share a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) family: Family,
    pub(super) first: u128,
    pub(super) last: u128,
}

impl Network {
    /// Reads a pattern; brackets may stand around it or around its address.
    pub(super) fn read(text: &str) -> Result<Self, Wrong> {
        let (address, length, length_at) = part(text)?;
        let address_at = usize::from(text.starts_with('['));
        let address: IpAddr = address.parse().map_err(|_| {
            Wrong::at(address_at, format!("an IP address or network is expected, not `{text}`"))
        })?;
        let (family, first) = match address {
            IpAddr::V4(address) => (Family::V4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (Family::V6, address.to_bits()),
        };
        let width = family.width();
        let length = match length {
            None => width,
            Some(length) => read_length(length).filter(|length| *length <= width).ok_or_else(|| {
                Wrong::at(length_at, format!("a prefix length from 0 to {width} is expected, not `{length}`"))
            })?,
        };
        // A shift by all bits is none.
        let host = family.last().checked_shr(length).unwrap_or(0);
        if first & host != 0 {
            let network = show(family, first & !host);
            let what = format!("the address has bits behind its prefix: did you mean {network}/{length}?");
            return Err(Wrong::at(address_at, what));
        }
        let network = Self { family, first, last: first | host };
        network.refuse_mapped().map_err(|wrong| Wrong::at(address_at, wrong))?;
        Ok(network)
    }

    /// An IPv4 client on an IPv6 socket is asked for as the IPv4 client it is.
    fn refuse_mapped(self) -> Result<(), String> {
        const MAPPED: u128 = 0xffff << 32;
        let within =
            self.family == Family::V6 && self.first >> 32 == MAPPED >> 32 && self.last >> 32 == MAPPED >> 32;
        if within {
            return Err("IPv4 clients are asked for as IPv4 addresses: write the network as one".to_owned());
        }
        Ok(())
    }
}

/// Address, prefix length, and where the length starts.
fn part(text: &str) -> Result<(&str, Option<&str>, usize), Wrong> {
    let parts = |text| match str::split_once(text, '/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let Some(inner) = text.strip_prefix('[') else {
        let (address, length) = parts(text);
        return Ok((address, length, address.len() + 1));
    };
    let (inner, rest) = inner.split_once(']').ok_or_else(|| Wrong::at(0, "a `[` that nothing closes"))?;
    let after = inner.len() + 2;
    match (parts(inner), rest.strip_prefix('/')) {
        ((address, Some(length)), None) if rest.is_empty() => Ok((address, Some(length), address.len() + 2)),
        ((address, None), None) if rest.is_empty() => Ok((address, None, after)),
        ((address, None), Some(length)) => Ok((address, Some(length), after + 1)),
        _ => Err(Wrong::at(after, "nothing but a prefix length may follow the `]`")),
    }
}

fn read_length(text: &str) -> Option<u32> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// An address as a person writes it.
pub(super) fn show(family: Family, bits: u128) -> IpAddr {
    match (family, u32::try_from(bits)) {
        (Family::V4, Ok(bits)) => IpAddr::V4(bits.into()),
        _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_as_postfix_reads_them() {
        let read = |text| Network::read(text).map(|network| (network.first, network.last)).unwrap();
        assert_eq!(read("10.0.0.0/8"), (0x0a00_0000, 0x0aff_ffff));
        assert_eq!(read("[10.0.0.0]/8"), read("10.0.0.0/8"));
        assert_eq!(read("[10.0.0.0/08]"), read("10.0.0.0/8"));
        assert_eq!(read("192.0.2.1"), (0xc000_0201, 0xc000_0201));
        assert_eq!(read("0.0.0.0/0"), (0, 0xffff_ffff));
        assert_eq!(read("::/0"), (0, u128::MAX));
        assert_eq!(read("[::1]"), (1, 1));
        assert_eq!(read("2001:db8::/32").1, (0x2001_0db8 << 96) | (u128::MAX >> 32));
        assert_eq!(read("::fffe:0:0/95"), (0xfffe << 32, (1 << 48) - 1));
    }

    #[test]
    fn what_postfix_skips_with_a_warning_is_refused() {
        let wrong = |text| Network::read(text).map_err(|wrong| (wrong.at, wrong.what)).unwrap_err();
        assert_eq!(wrong("10.0.0.1/8").1, "the address has bits behind its prefix: did you mean 10.0.0.0/8?");
        assert!(wrong("2001:db8::1/32").1.ends_with("did you mean 2001:db8::/32?"));
        assert_eq!(
            wrong("10.0.0.0/33"),
            (9, "a prefix length from 0 to 32 is expected, not `33`".to_owned())
        );
        assert_eq!(wrong("[::]/129"), (5, "a prefix length from 0 to 128 is expected, not `129`".to_owned()));
        for (text, at) in [
            ("010.0.0.0/8", 0),
            ("10.0.0", 0),
            ("fe80::1%eth0", 0),
            ("iffy", 0),
            ("10.0.0.0/", 9),
            ("10.0.0.0/+8", 9),
            ("10.0.0.0/8/8", 9),
            ("10.0.0.0/99999999999", 9),
            ("[10.0.0.0", 0),
            ("[10.0.0.0]8", 10),
            ("[10.0.0.0/8]/8", 12),
            ("::ffff:192.0.2.0/120", 0),
            ("", 0),
        ] {
            assert_eq!(wrong(text).0, at, "{text}");
        }
    }
}
