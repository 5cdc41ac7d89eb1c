//! Which keys are asked for an address, a name or a client, in Postfix's order. No I/O and no clock.
//!
//! | map | keys, in order |
//! |---|---|
//! | transport | user+ext@domain, user@domain, domain, .parent and its parents, `*` |
//! | recipients, aliases, canonical, relocated, sender route | user+ext@domain, user@domain, user+ext and user (local domains only), @domain |
//! | relay domains, helo access | domain, .parent and its parents |
//! | client access | the name and its parents, the address, and the octets it starts with |
//! | sender and recipient access | user+ext@domain, user@domain, domain, .parent and its parents, user+ext@, user@ |
//! | backend | user+ext@domain, user@domain, the longest prefix*@domain, @domain |
//!
//! A table of patterns is asked the first of these, the whole key, and never a part of it; and `*`, as it stands.

mod asked;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::iter;
use std::net::IpAddr;

use switchyard_smtp::address::{LocalPart, Mailbox};

use self::asked::Asked;
use crate::chain::{Asking, Found, Hit};
use crate::key::{self, MAX_PREFIX};
use crate::name::MapName;
use crate::options::MapOptions;

/// What the settings say about asking.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    delimiter: Box<str>,
    local: BTreeSet<Box<str>>,
    parents_match: BTreeSet<MapName>,
    /// See [`MapOptions::propagate_unmatched_extensions`].
    pub(crate) propagate: bool,
}

impl Rules {
    pub(crate) fn new(options: &MapOptions) -> Self {
        let local = options.local_domains.iter().chain(&options.origin);
        Self {
            delimiter: options.recipient_delimiter.as_str().into(),
            local: local.map(|domain| domain.as_str().into()).collect(),
            parents_match: options.parent_domain_matches_subdomains.clone(),
            propagate: options.propagate_unmatched_extensions,
        }
    }

    /// `+ext`, delimiter and all; none when the address has none or is one that is never parted.
    pub(crate) fn extension<'a>(&self, local: &'a str) -> Option<&'a str> {
        local_extension(local, &self.delimiter)
    }

    /// Whether no address has an extension.
    pub(crate) fn parts_nothing(&self) -> bool {
        self.delimiter.is_empty()
    }

    /// Whether neither a key nor one of the targets that stand in lines has an extension. It may say no where none has.
    pub(crate) fn never_parts(&self, text: &str) -> bool {
        // Signs stay what they are when case is folded.
        let are_signs = self.delimiter.bytes().all(|octet| octet.is_ascii_punctuation());
        let is_parted = |line: &str| {
            let local = line.rsplit_once('@').map_or(line, |(local, _)| local);
            local.contains(|letter| self.delimiter.contains(letter))
        };
        are_signs && !text.lines().any(is_parted)
    }

    fn is_local(&self, host: &str) -> bool {
        self.local.contains(host)
    }
}

/// As Postfix's `split_addr`: at the first delimiter, unless that leaves no user; the extension may be empty.
fn local_extension<'a>(local: &'a str, delimiter: &str) -> Option<&'a str> {
    let reserved = ["postmaster", "mailer-daemon", "double-bounce"];
    if delimiter.is_empty() || reserved.iter().any(|word| local.eq_ignore_ascii_case(word)) {
        return None;
    }
    // Mailing lists came before address extensions (Postfix's `owner_request_special`).
    if delimiter.contains('-') {
        let lower = local.to_ascii_lowercase();
        if lower.starts_with("owner-") || (lower.len() > 8 && lower.ends_with("-request")) {
            return None;
        }
    }
    let at = local.find(|character| delimiter.contains(character)).filter(|at| *at > 0)?;
    local.get(at..)
}

/// How much of an address a key stood for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    /// The extension was in the key, or there was none.
    Whole,
    /// The key left the extension out.
    WithoutExtension,
    /// `@domain`.
    Domain,
}

/// The order of recipients, aliases and most others that are asked for an address.
pub(crate) fn address<'a>(
    tables: &Asking<'a, '_>,
    mailbox: &Mailbox,
    rules: &Rules,
) -> Found<Option<(Hit<'a>, Matched)>> {
    find_address(tables, &Asked::new(mailbox, rules), rules)
}

/// Whether the parts of an address lead to a line: the local part without quotes, the host in lower case.
pub(crate) fn answers(tables: &Asking<'_, '_>, local: &str, host: &str, rules: &Rules) -> bool {
    // A table that can't say may well lead on.
    !matches!(find_address(tables, &Asked::of(local, host, rules), rules), Ok(None))
}

fn find_address<'a>(
    tables: &Asking<'a, '_>,
    asked: &Asked,
    rules: &Rules,
) -> Found<Option<(Hit<'a>, Matched)>> {
    let tables = &tables.about(asked.users_keys().chain([asked.at_domain()]));
    if let Some(found) = asked.users(tables)? {
        return Ok(Some(found));
    }
    // `"joe@other.example"@here` must not be taken for joe@other.example.
    if rules.is_local(asked.host())
        && !asked.local().contains('@')
        && let Some(found) = asked.users_before(tables, "")?
    {
        return Ok(Some(found));
    }
    Ok(tables.part(asked.at_domain())?.map(|hit| (hit, Matched::Domain)))
}

/// The order of transport maps.
pub(crate) fn transport<'a>(
    tables: &Asking<'a, '_>,
    mailbox: &Mailbox,
    rules: &Rules,
) -> Found<Option<Hit<'a>>> {
    let asked = Asked::new(mailbox, rules);
    let names = iter::once(asked.host()).chain(parents_of(asked.host(), rules, MapName::Transport));
    let tables = &tables.about(asked.users_keys().chain(names));
    if let Some((hit, _)) = asked.users(tables)? {
        return Ok(Some(hit));
    }
    match parents(tables, asked.host(), rules, MapName::Transport, Asking::part)? {
        Some(hit) => Ok(Some(hit)),
        // Postfix asks patterns for this one too: it is no part of the address.
        None => tables.whole("*", "*"),
    }
}

/// The order of the map that says which server a user's mailbox is on.
pub(crate) fn backend<'a>(
    tables: &Asking<'a, '_>,
    mailbox: &Mailbox,
    rules: &Rules,
) -> Found<Option<Hit<'a>>> {
    let asked = Asked::new(mailbox, rules);
    if let Some((hit, _)) = asked.users(tables)? {
        return Ok(Some(hit));
    }
    let ends = asked.local().char_indices().map(|(at, letter)| at + letter.len_utf8());
    let ends: Vec<usize> = ends.take(MAX_PREFIX).collect();
    for end in ends.into_iter().rev() {
        let key = format!("{}*{}", &asked.local()[..end], asked.at_domain());
        if let Some(hit) = tables.part(&key)? {
            return Ok(Some(hit));
        }
    }
    tables.part(asked.at_domain())
}

/// A domain and its parents.
pub(crate) fn domain<'a>(
    tables: &Asking<'a, '_>,
    name: &str,
    rules: &Rules,
    map: MapName,
) -> Found<Option<Hit<'a>>> {
    parents(tables, name, rules, map, |tables, name| tables.whole(name, name))
}

/// `first` asks for the name itself; its parents are parts of it.
fn parents<'a, 'k>(
    tables: &Asking<'a, 'k>,
    name: &str,
    rules: &Rules,
    map: MapName,
    first: impl FnOnce(&Asking<'a, 'k>, &str) -> Found<Option<Hit<'a>>>,
) -> Found<Option<Hit<'a>>> {
    if let Some(hit) = first(tables, name)? {
        return Ok(Some(hit));
    }
    if name.starts_with('[') {
        return Ok(None);
    }
    for parent in parents_of(name, rules, map) {
        if let Some(hit) = tables.part(parent)? {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

/// `.parent` and its parents, or without the dot where the settings say so.
fn parents_of<'n>(name: &'n str, rules: &Rules, map: MapName) -> impl Iterator<Item = &'n str> {
    let dot = usize::from(rules.parents_match.contains(&map));
    memchr::memchr_iter(b'.', name.as_bytes()).map(move |at| &name[at + dot..])
}

/// The order of client access: the name that is known for the client, then its address.
pub(crate) fn client<'a>(
    tables: &Asking<'a, '_>,
    name: Option<&str>,
    address: IpAddr,
    rules: &Rules,
) -> Found<Option<Hit<'a>>> {
    if let Some(name) = name
        && let Some(hit) = domain(tables, &key::fold(name), rules, MapName::ClientAccess)?
    {
        return Ok(Some(hit));
    }
    let address = address.to_canonical().to_string();
    if let Some(hit) = tables.whole(&address, &address)? {
        return Ok(Some(hit));
    }
    // access(5): 192.0.2.1, then 192.0.2, 192.0, 192; groups of an IPv6 address likewise.
    let sign = if address.contains(':') { ':' } else { '.' };
    let mut rest = address.as_str();
    while let Some((before, _)) = rest.rsplit_once(sign) {
        rest = before;
        if !rest.is_empty()
            && let Some(hit) = tables.part(rest)?
        {
            return Ok(Some(hit));
        }
    }
    Ok(None)
}

/// The order of sender and recipient access.
pub(crate) fn mail_access<'a>(
    tables: &Asking<'a, '_>,
    mailbox: &Mailbox,
    rules: &Rules,
    map: MapName,
) -> Found<Option<Hit<'a>>> {
    let asked = Asked::new(mailbox, rules);
    if let Some((hit, _)) = asked.users(tables)? {
        return Ok(Some(hit));
    }
    if let Some(hit) = parents(tables, asked.host(), rules, map, Asking::part)? {
        return Ok(Some(hit));
    }
    Ok(asked.users_before(tables, "@")?.map(|(hit, _)| hit))
}

/// An extension put back on a local part; none when the result would be over 64 octets.
pub(crate) fn with_extension(local: &LocalPart, extension: &str) -> Option<LocalPart> {
    LocalPart::new(&format!("{}{extension}", local.as_str())).ok()
}
