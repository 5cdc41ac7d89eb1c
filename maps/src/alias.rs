//! Virtual aliases: the addresses an address stands for, and what is left when all of that is followed.
//!
//! A value is kept as checked text, one target a line: aliases differ each from the other, and a million
//! boxed addresses would take five times the room.

use std::collections::HashSet;

use switchyard_smtp::address::{Domain, Host, LocalPart, Mailbox};

use crate::answer::{Answer, Unavailable};
use crate::chain::{Asking, Found, Hit};
use crate::fault::{Wrong, offset};
use crate::grammar::Words;
use crate::key;
use crate::lookup::{self, Matched, Rules};
use crate::name::MapName;
use crate::typed;

/// Targets of one line, and addresses of one whole expansion.
pub const MAX_TARGETS: usize = 10_000;
/// Addresses on the way there, so that a fan of fans ends too.
const MAX_STEPS: usize = 2 * MAX_TARGETS;
/// Aliases that lead to aliases, one after another.
pub const MAX_DEPTH: usize = 32;

/// What stands on the right of a virtual alias.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Mailbox(Mailbox),
    /// `@domain`: the user that was asked for, there.
    SameUserAt(Host),
}

/// Reads `address, address…` into the text that [`targets`] takes apart again.
pub(crate) fn read(value: &str, origin: Option<&Domain>) -> Result<String, Wrong> {
    let mut text = String::with_capacity(value.len());
    let mut count = 0;
    for piece in pieces(value) {
        let word = piece.trim_matches([' ', '\t']);
        if word.is_empty() {
            continue;
        }
        let at = offset(word, value);
        count += 1;
        if count > MAX_TARGETS {
            return Err(Wrong::at(at, format!("more than {MAX_TARGETS} addresses")));
        }
        match read_target(word, origin).map_err(|wrong| wrong.moved(at))? {
            // Postfix keeps the user for the first address only and takes the others as they stand.
            Target::SameUserAt(_) if count > 1 => {
                return Err(Wrong::at(at, "`@domain` may only stand first"));
            }
            Target::SameUserAt(host) => text.push_str(&format!("@{host}\n")),
            Target::Mailbox(mailbox) => text.push_str(&format!("{mailbox}\n")),
        }
    }
    if count == 0 {
        return Err(Wrong::new("an address is expected"));
    }
    text.pop();
    Ok(text)
}

fn read_target(word: &str, origin: Option<&Domain>) -> Result<Target, Wrong> {
    if let Some(domain) = word.strip_prefix('@') {
        let host = Host::parse(domain).map_err(|error| Wrong::at(1, format!("`{domain}`: {error}")))?;
        return Ok(Target::SameUserAt(host));
    }
    let word = word.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(word);
    let error = match Mailbox::parse(word) {
        Ok(mailbox) => return Ok(Target::Mailbox(mailbox)),
        Err(error) => error,
    };
    if word.starts_with(['|', '/', ':']) {
        return Err(Wrong::new("commands, files and includes are no virtual aliases"));
    }
    let at_signs = pieces_at(word, &['@']).count() - 1;
    if at_signs > 0 || word.contains('"') {
        let hint = if at_signs > 1 && word.contains([' ', '\t']) {
            "; a comma is expected between addresses"
        } else {
            ""
        };
        return Err(Wrong::new(format!("`{word}`: {error}{hint}")));
    }
    let Some(origin) = origin else {
        return Err(Wrong::new(format!("`{word}` has no domain, and the settings name no origin to add")));
    };
    Mailbox::parse(&format!("{word}@{origin}"))
        .map(Target::Mailbox)
        .map_err(|error| Wrong::new(format!("`{word}`: {error}")))
}

/// The parts between commas outside double quotes, or between the lines that a `unionmap:` joins.
fn pieces(value: &str) -> impl Iterator<Item = &str> {
    pieces_at(value, &[',', '\n'])
}

/// One part at least.
fn pieces_at<'a>(value: &'a str, separators: &[char]) -> impl Iterator<Item = &'a str> {
    let mut quoted = false;
    let mut escaped = false;
    value.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ => return separators.contains(&character) && !quoted,
        }
        false
    })
}

/// The addresses that a checked text means for the one asked; none when the text is not what [`read`] wrote.
pub(crate) fn targets(text: &str, asked: &Mailbox, matched: Matched, rules: &Rules) -> Option<Vec<Mailbox>> {
    let extension = match matched {
        Matched::WithoutExtension if rules.propagate => rules.extension(asked.local.as_str()),
        _ => None,
    };
    let add = |local: LocalPart| match extension {
        // A local part has an end (RFC 5321 §4.5.3.1.1): better without its extension than nowhere.
        Some(extension) => lookup::with_extension(&local, extension).unwrap_or(local),
        None => local,
    };
    let each = |line: &str| match line.strip_prefix('@') {
        Some(host) => Some(Mailbox { local: asked.local.clone(), host: Host::parse(host).ok()? }),
        None => Mailbox::parse(line).ok().map(|mailbox| Mailbox { local: add(mailbox.local), ..mailbox }),
    };
    text.lines().map(each).collect()
}

/// The line that answers for an address, and what it stands for; no addresses when the text is damaged.
pub(crate) fn ask<'a>(
    tables: &Asking<'a, '_>,
    mailbox: &Mailbox,
    rules: &Rules,
    words: &Words,
) -> Found<Option<(Hit<'a>, Option<Vec<Mailbox>>)>> {
    let Some((hit, matched)) = lookup::address(tables, mailbox, rules)? else { return Ok(None) };
    let text = typed::text(MapName::VirtualAlias, &hit, words);
    // The mark of a virtual alias domain is no user.
    if text.as_deref() == Some("") {
        return Ok(None);
    }
    let targets = text.and_then(|text| targets(&text, mailbox, matched, rules));
    Ok(Some((hit, targets)))
}

/// Whether following a checked text can lead to another line. It may say yes for one that does not.
pub(crate) fn leads_on(text: &str, answers: impl Fn(&str, &str) -> bool) -> bool {
    text.lines().any(|line| match line.rsplit_once('@') {
        // `@domain` is any user there, and a quoted user may be another key than it looks.
        Some((local, host)) if !local.is_empty() && !local.starts_with('"') && !host.starts_with('[') => {
            answers(local, host)
        }
        _ => true,
    })
}

// ---------------------------------------------------------------------------------------------------------

/// Why an alias could not be followed to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// An alias leads back to itself by way of another (5.4.6).
    #[error("alias loop at {0}")]
    Loop(Mailbox),
    /// More than [`MAX_DEPTH`] aliases one after another.
    #[error("aliases lead on for more than {MAX_DEPTH} steps at {0}")]
    TooDeep(Mailbox),
    /// More than [`MAX_TARGETS`] addresses.
    #[error("an alias of more than {MAX_TARGETS} addresses")]
    TooMany,
    /// The map cannot say (4.3.0).
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An address on the way, and what led to it.
struct Step {
    mailbox: Mailbox,
    key: String,
    parent: Option<usize>,
    depth: usize,
}

/// Follows aliases to their ends, in the order of the map, each address once whatever its case. An address that
/// stands among its own targets is an end, as in Postfix: that is how a copy is kept.
pub(crate) fn expand(
    start: &Mailbox,
    ask: impl Fn(&Mailbox) -> Answer<Vec<Mailbox>>,
) -> Result<Vec<Mailbox>, ExpandError> {
    let mut steps =
        vec![Step { mailbox: start.clone(), key: key::of_mailbox(start), parent: None, depth: 0 }];
    let mut open = vec![0];
    let mut asked: HashSet<String> = HashSet::new();
    let mut ended: HashSet<String> = HashSet::new();
    let mut ends = Vec::new();
    while let Some(number) = open.pop() {
        let step = &steps[number];
        let (mailbox, key, parent, depth) = (step.mailbox.clone(), step.key.clone(), step.parent, step.depth);
        if parent.is_some_and(|parent| steps[parent].key == key) {
            if ended.insert(key) {
                ends.push(mailbox);
            }
            continue;
        }
        if ancestors(&steps, parent).any(|ancestor| ancestor.key == key) {
            return Err(ExpandError::Loop(mailbox));
        }
        // What an address expands to does not hang on who led to it.
        if !asked.insert(key.clone()) {
            continue;
        }
        let targets = match ask(&mailbox) {
            Answer::Found(targets) => targets,
            Answer::NotFound => {
                if ended.insert(key) {
                    ends.push(mailbox);
                }
                continue;
            }
            Answer::Unavailable(unavailable) => return Err(unavailable.into()),
        };
        if depth == MAX_DEPTH {
            return Err(ExpandError::TooDeep(mailbox));
        }
        if ended.len() > MAX_TARGETS || steps.len() + targets.len() > MAX_STEPS {
            return Err(ExpandError::TooMany);
        }
        for mailbox in targets.into_iter().rev() {
            let key = key::of_mailbox(&mailbox);
            open.push(steps.len());
            steps.push(Step { mailbox, key, parent: Some(number), depth: depth + 1 });
        }
    }
    if ends.len() > MAX_TARGETS {
        return Err(ExpandError::TooMany);
    }
    Ok(ends)
}

fn ancestors(steps: &[Step], from: Option<usize>) -> impl Iterator<Item = &Step> {
    std::iter::successors(from.map(|number| &steps[number]), |step| step.parent.map(|number| &steps[number]))
}

#[cfg(test)]
mod tests;
