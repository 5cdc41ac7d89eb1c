//! cidr_table(5): prefixes within prefixes, blocks within blocks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fastrand::Rng;

use super::{Table, lay, one, rarely};

/// A source of so many rules, and so many questions.
pub fn source(rng: &mut Rng, rules: usize, questions: usize) -> Table {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut depth = 0;
    let mut seen = Vec::new();
    while lines.len() < rules {
        let prefix = prefix(rng, &seen);
        seen.push(prefix);
        let written = written(rng, prefix);
        match rng.u32(..20) {
            0 | 1 if depth < 4 => {
                depth += 1;
                let not = one(rng, &["", "", "!", "! "]);
                lines.push((format!("{}{not}{written}", one(rng, &["if ", "IF ", "if  "])), String::new()));
            }
            2 | 3 if depth > 0 => {
                depth -= 1;
                lines.push((one(rng, &["endif", "ENDIF"]).to_owned(), String::new()));
            }
            _ => {
                // It holds for nearly every address of its family.
                let not = if rarely(rng, 40) { one(rng, &["!", "! "]) } else { "" };
                let value = one(rng, &["OK", "REJECT no thanks", "rule", "450 later $1", "[x]:25"]);
                lines.push((format!("{not}{written}"), format!("{value} {}", lines.len())));
            }
        }
    }
    lines.extend((0..depth).map(|_| ("endif".to_owned(), String::new())));
    let text = lay::lines(rng, lines.iter().map(|(begin, rest)| (begin.as_str(), rest.as_str())));
    Table { text, keys: (0..questions).map(|_| question(rng, &seen)).collect() }
}

type Prefix = (IpAddr, u8);

/// A network, half of the time within one that is there.
fn prefix(rng: &mut Rng, seen: &[Prefix]) -> Prefix {
    let within = (!seen.is_empty() && rng.bool()).then(|| seen[rng.usize(..seen.len())]);
    let v4 = within.map_or_else(|| rng.u32(..3) > 0, |(address, _)| address.is_ipv4());
    let width = if v4 { 32 } else { 128 };
    let least = within.map_or(0, |(_, length)| length);
    let length = match rng.u32(..8) {
        0 => width,
        1 if least == 0 && rarely(rng, 4) => 0,
        _ => rng.u8(least.max(1)..=width),
    };
    let address = match within {
        Some((address, length)) => inside(rng, address, length),
        None => anywhere(rng, v4),
    };
    (masked(address, length), length)
}

/// Few first octets, so that networks meet.
fn anywhere(rng: &mut Rng, v4: bool) -> IpAddr {
    if v4 {
        let first = [10, 127, 192, 255, 0][rng.usize(..5)];
        return Ipv4Addr::from(rng.u32(..) & 0x00ff_ffff | first << 24).into();
    }
    let first: u128 = [0x2001_0db8, 0xfe80_0000, 0x0000_0000, 0x2001_0db9][rng.usize(..4)];
    Ipv6Addr::from(rng.u128(..) >> 32 | first << 96).into()
}

/// Any address of a network, its first and its last among them.
fn inside(rng: &mut Rng, network: IpAddr, length: u8) -> IpAddr {
    let (bits, width) = bits(network);
    let hosts = if length >= width { 0 } else { u128::MAX >> (128 - width + length) };
    let host = match rng.u32(..5) {
        0 => 0,
        1 => hosts,
        _ => rng.u128(..) & hosts,
    };
    address(bits | host, width)
}

fn bits(of: IpAddr) -> (u128, u8) {
    match of {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

fn address(bits: u128, width: u8) -> IpAddr {
    match width {
        32 => Ipv4Addr::from(bits as u32).into(),
        _ => Ipv6Addr::from(bits).into(),
    }
}

fn masked(of: IpAddr, length: u8) -> IpAddr {
    let (bits, width) = bits(of);
    let hosts = if length >= width { 0 } else { u128::MAX >> (128 - width + length) };
    address(bits & !hosts, width)
}

fn written(rng: &mut Rng, (address, length): Prefix) -> String {
    let host = length == bits(address).1;
    let address = match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => spelled(rng, address),
    };
    if host && rng.bool() { address } else { format!("{address}/{length}") }
}

/// One of the ways to write an IPv6 address.
fn spelled(rng: &mut Rng, address: Ipv6Addr) -> String {
    match rng.u32(..4) {
        0 => address.to_string().to_uppercase(),
        1 => address.segments().map(|segment| format!("{segment:x}")).join(":"),
        2 => address.segments().map(|segment| format!("{segment:04x}")).join(":"),
        _ => address.to_string(),
    }
}

fn question(rng: &mut Rng, seen: &[Prefix]) -> String {
    let (network, length) = seen[rng.usize(..seen.len())];
    let (first, width) = bits(network);
    let hosts = if length >= width { 0 } else { u128::MAX >> (128 - width + length) };
    let all = u128::MAX >> (128 - width);
    let found = match rng.u32(..8) {
        // Just outside.
        0 => address(first.wrapping_sub(1) & all, width),
        1 => address((first | hosts).wrapping_add(1) & all, width),
        2 => anywhere(rng, width == 32),
        _ => inside(rng, network, length),
    };
    match found {
        _ if rarely(rng, 50) => {
            one(rng, &["localhost", "10.1", "10.0.0.0/8", "::g", "example.org"]).to_owned()
        }
        // How the system writes a mapped address is a difference of its own.
        IpAddr::V6(found) if found.to_ipv4_mapped().is_some() => "::1".to_owned(),
        IpAddr::V6(found) => spelled(rng, found),
        IpAddr::V4(found) => found.to_string(),
    }
}
