//! The maps of a site, as one person would write them, and whole addresses to ask them.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::{one, rarely};

/// Maps that go together, as texts that Postfix reads as well.
#[derive(Debug, Clone)]
pub struct Site {
    /// transport(5).
    pub transport: String,
    /// The keys are domains.
    pub relay_domains: String,
    /// virtual(5), without loops.
    pub virtual_alias: String,
    /// canonical(5).
    pub canonical: String,
    /// What to ask.
    pub addresses: Vec<String>,
}

/// The domain that a name without one belongs to.
pub const ORIGIN: &str = "here.example";

const DOMAINS: &[&str] = &[
    "example.org",
    "a.example.org",
    "b.a.example.org",
    "b.example.org",
    "example.net",
    "a.example.net",
    "org",
    "deep.b.a.example.org",
    "notexample.org",
    "xn--bcher-kva.example",
    "single",
];
const USERS: &[&str] =
    &["joe", "jane", "j.doe", "owner-list", "list-request", "u", "a-b", "x+y+z", "\"joe user\""];
const EXTENSIONS: &[&str] = &["", "", "+ext", "+other", "+"];
/// Domains of aliases: a target's is further down, so that there is an end.
const LEVELS: &[&str] = &[ORIGIN, "v0.example", "v1.example", "sub.v1.example", "v2.example"];
const ENDS: &[&str] = &["end.example", "far.end.example"];

impl Site {
    /// A site, and so many addresses.
    #[must_use]
    pub fn new(rng: &mut Rng, addresses: usize) -> Self {
        let canonical = canonical(rng);
        Self {
            transport: transport(rng),
            relay_domains: relay_domains(rng),
            virtual_alias: virtual_alias(rng),
            canonical,
            addresses: (0..addresses).map(|_| address(rng)).collect(),
        }
    }
}

/// An address that the maps may know, in any case.
fn address(rng: &mut Rng) -> String {
    let domain = match rng.u32(..8) {
        0..3 => one(rng, DOMAINS),
        3..7 => one(rng, LEVELS),
        _ => one(rng, ENDS),
    };
    let below = if rarely(rng, 4) { one(rng, &["sub.", "a.", "x.y."]) } else { "" };
    let domain = if rarely(rng, 40) { "[192.0.2.1]".to_owned() } else { format!("{below}{domain}") };
    let address = format!("{}@{domain}", user(rng));
    if rarely(rng, 4) { address.to_uppercase() } else { address }
}

fn user(rng: &mut Rng) -> String {
    let (user, extension) = (one(rng, USERS), one(rng, EXTENSIONS));
    match user.strip_suffix('"') {
        Some(quoted) => format!("{quoted}{extension}\""),
        None => format!("{user}{extension}"),
    }
}

fn text(entries: &BTreeMap<String, String>) -> String {
    entries.iter().map(|(key, value)| format!("{key}  {value}\n")).collect()
}

fn transport(rng: &mut Rng) -> String {
    const ROUTES: &[&str] = &[
        "smtp:[gw.example.net]:2525",
        "lmtp:[in.example.net]",
        "relay:[out.example.net]",
        "relay:",
        "smtp:",
        ":",
        ":[only.example.net]",
        "error:5.1.6 moved away",
        "discard:quietly",
        "retry:4.3.0 later",
    ];
    let mut entries = BTreeMap::new();
    for _ in 0..rng.usize(4..18) {
        let domain = one(rng, DOMAINS);
        let key = match rng.u32(..6) {
            0 => format!("{}@{domain}", user(rng)),
            1 => format!("{}@{domain}", one(rng, USERS)),
            2 | 3 => format!(".{domain}"),
            _ => domain.to_owned(),
        };
        entries.insert(key, one(rng, ROUTES).to_owned());
    }
    if rng.bool() {
        entries.insert("*".to_owned(), one(rng, ROUTES).to_owned());
    }
    text(&entries)
}

fn relay_domains(rng: &mut Rng) -> String {
    let mut entries = BTreeMap::new();
    for _ in 0..rng.usize(2..8) {
        let dot = one(rng, &["", "", "."]);
        entries.insert(format!("{dot}{}", one(rng, DOMAINS)), "OK".to_owned());
    }
    text(&entries)
}

fn virtual_alias(rng: &mut Rng) -> String {
    let mut entries = BTreeMap::new();
    for (level, domain) in LEVELS.iter().enumerate() {
        if rng.bool() && level > 0 {
            entries.insert((*domain).to_owned(), "anything".to_owned());
        }
        // What has no domain is at the origin: for all there to lead on would be a loop.
        if level > 0 && rarely(rng, 3) {
            let target = if rng.bool() { format!("@{}", further(rng, level)) } else { target(rng, level) };
            entries.insert(format!("@{domain}"), target);
        }
        for _ in 0..rng.usize(6..16) {
            let user = user(rng);
            let key = if level == 0 && rng.bool() { user.clone() } else { format!("{user}@{domain}") };
            let mut targets: Vec<String> = (0..rng.usize(1..4)).map(|_| target(rng, level)).collect();
            // A copy is kept: an address that stands among its own targets.
            if key.contains('@') && rarely(rng, 4) {
                targets.push(key.clone());
            }
            entries.insert(key, targets.join(one(rng, &[", ", ",", " , "])));
        }
    }
    text(&entries)
}

fn target(rng: &mut Rng, level: usize) -> String {
    match rng.u32(..12) {
        // Nobody's alias, at the origin.
        0 => one(rng, &["nobody", "ops"]).to_owned(),
        _ => format!("{}@{}", user(rng), further(rng, level)),
    }
}

fn further<'a>(rng: &mut Rng, level: usize) -> &'a str {
    match LEVELS.get(level + 1..) {
        Some(rest @ [_, ..]) if rng.bool() => one(rng, rest),
        _ => one(rng, ENDS),
    }
}

/// Each leads to a domain that no key has: a second pass would find nothing.
fn canonical(rng: &mut Rng) -> String {
    let mut entries = BTreeMap::new();
    for _ in 0..rng.usize(30..60) {
        let domain = one(rng, DOMAINS);
        let key = match rng.u32(..4) {
            0 => format!("@{domain}"),
            1 => one(rng, USERS).to_owned(),
            2 => format!("{}@{domain}", one(rng, USERS)),
            _ => format!("{}@{domain}", user(rng)),
        };
        let value = if key.starts_with('@') && rng.bool() {
            "@new.example".to_owned()
        } else {
            format!("{}@{}", user(rng), one(rng, &["new.example", "other.new.example"]))
        };
        entries.insert(key, value);
    }
    text(&entries)
}
