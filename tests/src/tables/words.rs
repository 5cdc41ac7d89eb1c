//! Domains, users and addresses from few words; and those that are nearly the same.

use fastrand::Rng;

use super::{one, rarely};

const LABELS: &[&str] =
    &["example", "org", "net", "mail", "lists", "sub", "a", "b", "x-1", "xn--bcher-kva", "bücher", "почта"];
const USERS: &[&str] = &[
    "joe",
    "jane.doe",
    "postmaster",
    "owner-list",
    "list-request",
    "o'brien",
    "a=b",
    "x--y",
    "user",
    "u",
    "élan",
    "#hash",
    "{brace}",
    "per%cent",
];
const QUOTED: &[&str] = &["\"joe user\"", "\"a@b\"", "\"a \\\" b\"", "\"tab,comma\"", "\"\"", "\"plain\""];
const ODD: &[&str] =
    &["*", ".", "@", "+", "a+", "+b", "..", "a@b@c", "[192.0.2.1]", "0", "smtp:", "\"q\"\"r s\"x"];

/// `mail.example.org`.
pub fn domain(rng: &mut Rng) -> String {
    let labels: Vec<&str> = (0..rng.usize(1..5)).map(|_| one(rng, LABELS)).collect();
    labels.join(".")
}

/// `joe+ext`, `"joe user"`.
pub fn local(rng: &mut Rng) -> String {
    match rng.u32(..10) {
        0 => one(rng, QUOTED).to_owned(),
        1 | 2 => format!("{}+{}", one(rng, USERS), one(rng, USERS)),
        3 => format!("{}{}", one(rng, USERS), rng.u32(..50)),
        _ => one(rng, USERS).to_owned(),
    }
}

/// A key of a table: an address, a domain, a user, or what nobody would think of.
pub fn key(rng: &mut Rng) -> String {
    match rng.u32(..12) {
        0..6 => format!("{}@{}", local(rng), domain(rng)),
        6 => format!("@{}", domain(rng)),
        7 => format!(".{}", domain(rng)),
        8 => domain(rng),
        9 | 10 => local(rng),
        _ => one(rng, ODD).to_owned(),
    }
}

/// The same in other case. Letters whose cases differ from script to script are not among the words.
pub fn cased(rng: &mut Rng, text: &str) -> String {
    match rng.u32(..4) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 => text.to_owned(),
        _ => text
            .chars()
            .flat_map(|letter| {
                let upper = rng.bool();
                let other: Vec<char> =
                    if upper { letter.to_uppercase().collect() } else { letter.to_lowercase().collect() };
                other
            })
            .collect(),
    }
}

/// Nearly the same: what a lookup must tell apart.
pub fn near(rng: &mut Rng, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = rng.usize(..=characters.len());
    let (head, tail): (String, String) =
        (characters[..at].iter().collect(), characters[at..].iter().collect());
    match rng.u32(..8) {
        0 => format!("{text}x"),
        1 => format!(".{text}"),
        2 => text.split_once('.').map_or_else(|| format!("{text}."), |(_, parent)| parent.to_owned()),
        3 => text.replacen('@', "+ext@", 1),
        4 => text.replace('"', ""),
        5 => tail,
        6 => head,
        _ => format!("{head}{}{tail}", one(rng, &["a", "@", ".", " ", "-", "é"])),
    }
}

/// A question about a table with these keys; never empty, and a line of its own.
pub fn question(rng: &mut Rng, keys: &[String]) -> String {
    let known = if keys.is_empty() { key(rng) } else { keys[rng.usize(..keys.len())].clone() };
    let asked = match rng.u32(..10) {
        0..5 => cased(rng, &known),
        5..8 => near(rng, &known),
        _ => key(rng),
    };
    if asked.is_empty() { "x".to_owned() } else { asked }
}

/// A value: what a map may hold, and some text that only looks like syntax.
pub fn value(rng: &mut Rng) -> String {
    const VALUES: &[&str] = &[
        "OK",
        "smtp:[gw.example]:25",
        "joe@example.org, jane@example.net",
        "REJECT go away # not a comment",
        "\"quoted, value\"",
        "two  blanks",
        "key: value",
        "größe",
        "a=b {c}",
        "$1 ${x} \\n",
        "| pipe /file",
        "[::1]:25 ; more",
    ];
    if rarely(rng, 3) {
        format!("{} {}", one(rng, VALUES), rng.u32(..100))
    } else {
        one(rng, VALUES).to_owned()
    }
}
