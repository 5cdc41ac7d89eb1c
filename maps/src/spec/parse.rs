//! From a word to a table, or to what is wrong with it.

use std::path::PathBuf;

use super::{Choice, Endpoint, MAX_NESTING, MAX_WEIGHT, MAX_WORD, Pair, Rules, TableSpec, TextKind, split};
use crate::fault::{Wrong, offset};

/// Types of Postfix's that have no twin here, and what to do instead.
const NOT_CARRIED: [(&str, &str); 12] = [
    ("mysql", SERVE),
    ("pgsql", SERVE),
    ("sqlite", SERVE),
    ("ldap", SERVE),
    ("mongodb", SERVE),
    ("memcache", SERVE),
    ("nis", SERVE),
    ("nisplus", SERVE),
    ("netinfo", SERVE),
    ("environ", WRITE),
    ("unix", WRITE),
    ("pipemap", WRITE),
];
const SERVE: &str = "export it to a text file, or put a socketmap server before it";
const WRITE: &str = "write the entries into a text file";

/// Types that are not [`TextKind`]s.
const OTHERS: [&str; 12] = [
    "aliases",
    "cidr",
    "regexp",
    "pcre",
    "inline",
    "static",
    "fail",
    "unionmap",
    "randmap",
    "socketmap",
    "tcp",
    "proxy",
];

pub(super) fn spec(word: &str) -> Result<TableSpec, Wrong> {
    if word.len() > MAX_WORD {
        return Err(Wrong::new(format!("a table of more than {MAX_WORD} octets")));
    }
    let control = |character: char| character.is_control() && !matches!(character, '\t' | '\r' | '\n');
    if let Some((at, character)) = word.char_indices().find(|(_, character)| control(*character)) {
        return Err(Wrong::at(at, format!("control character U+{:04X}", u32::from(character))));
    }
    inner(split::trim(word), word, 0)
}

/// Reads a part of `word`, which faults are placed in.
fn inner(text: &str, word: &str, depth: usize) -> Result<TableSpec, Wrong> {
    if depth > MAX_NESTING {
        return Err(Wrong::at(offset(text, word), format!("tables nested more than {MAX_NESTING} deep")));
    }
    let is_type = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let Some((kind, rest)) = text.split_once(':').filter(|(kind, _)| is_type(kind)) else {
        return Ok(TableSpec::Text { kind: TextKind::Plain, file: file(text, word)? });
    };
    let rest = split::trim(rest);
    if let Some(kind) = TextKind::NAMED.into_iter().find(|named| named.as_str() == kind) {
        return Ok(TableSpec::Text { kind, file: file(rest, word)? });
    }
    let here = |wrong: Wrong| wrong.moved(offset(rest, word));
    match kind {
        "aliases" => Ok(TableSpec::Aliases { file: file(rest, word)? }),
        "cidr" => Ok(TableSpec::Cidr(rules(rest, word)?)),
        "regexp" => Ok(TableSpec::Regexp(rules(rest, word)?)),
        "pcre" => Ok(TableSpec::Pcre(rules(rest, word)?)),
        "inline" => Ok(TableSpec::Inline(pairs(list(rest, word, "key=value")?, word)?)),
        "static" => Ok(TableSpec::Static(text_of(rest, word, "a value")?)),
        "fail" => Ok(TableSpec::Fail(text_of(rest, word, "a reason")?)),
        "unionmap" => {
            let members = list(rest, word, "table")?;
            members
                .into_iter()
                .map(|member| inner(member, word, depth + 1))
                .collect::<Result<_, _>>()
                .map(TableSpec::Union)
        }
        "randmap" => Ok(TableSpec::Random(choices(&list(rest, word, "value")?, word)?)),
        "socketmap" => socketmap(rest).map_err(here),
        "tcp" => Endpoint::inet(rest).map(TableSpec::Tcp).map_err(here),
        // A daemon here holds its maps in its own memory: nothing is gained by asking another one for them.
        "proxy" => inner(rest, word, depth + 1),
        _ => Err(Wrong::at(offset(text, word), unknown(kind))),
    }
}

fn unknown(kind: &str) -> String {
    if let Some((_, instead)) = NOT_CARRIED.iter().find(|(name, _)| *name == kind) {
        return format!("`{kind}:` tables are not carried: {instead}");
    }
    let types = TextKind::NAMED.into_iter().map(TextKind::as_str).chain(OTHERS);
    let near = types.map(|name| (strsim::osa_distance(&kind.to_ascii_lowercase(), name), name)).min();
    let hint = match near {
        Some((distance, name)) if distance <= 2 => format!("; is `{name}:` meant?"),
        _ => String::new(),
    };
    format!("`{kind}:` is no type of table{hint}")
}

fn file(name: &str, word: &str) -> Result<PathBuf, Wrong> {
    let at = offset(name, word);
    if name.is_empty() || name.starts_with('{') {
        return Err(Wrong::at(at, "the name of a file is expected"));
    }
    if split::has_separator(name) {
        return Err(Wrong::at(
            at,
            format!("`{name}`: one table is expected, and no blank or comma in its name"),
        ));
    }
    Ok(name.into())
}

/// The items between the braces; at least one.
fn list<'a>(text: &'a str, word: &str, item: &str) -> Result<Vec<&'a str>, Wrong> {
    let at = offset(text, word);
    let Some(inner) = split::braced(text).map_err(|wrong| wrong.moved(at))? else {
        return Err(Wrong::at(at, format!("`{{{item}, …}}` is expected")));
    };
    let items: Vec<_> = split::words(inner).collect();
    if items.is_empty() {
        return Err(Wrong::at(at, format!("`{{{item}, …}}` is expected, with one {item} at least")));
    }
    Ok(items)
}

/// What stands in the braces of an item, or the item itself.
fn unbraced<'a>(item: &'a str, word: &str) -> Result<&'a str, Wrong> {
    let inner = split::braced(item).map_err(|wrong| wrong.moved(offset(item, word)))?;
    Ok(inner.unwrap_or(item))
}

fn rules(text: &str, word: &str) -> Result<Rules, Wrong> {
    if !text.starts_with('{') {
        return file(text, word).map(Rules::File);
    }
    let mut rules = Vec::new();
    for item in list(text, word, "{rule}")? {
        let at = offset(item, word);
        match split::braced(item).map_err(|wrong| wrong.moved(at))? {
            Some(rule) => rules.push(one_line(rule, word)?.to_owned()),
            None => return Err(Wrong::at(at, format!("`{item}`: each rule stands in braces of its own"))),
        }
    }
    Ok(Rules::Inline(rules))
}

fn pairs(items: Vec<&str>, word: &str) -> Result<Vec<Pair>, Wrong> {
    let mut pairs = Vec::with_capacity(items.len());
    for item in items {
        let at = offset(item, word);
        let Some((key, value)) = unbraced(item, word)?.split_once('=') else {
            let hint = if item.starts_with('{') { "" } else { ", or `{key = value}` with blanks" };
            return Err(Wrong::at(at, format!("`{item}`: `key=value` is expected{hint}")));
        };
        let (key, value) = (split::trim(key), split::trim(value));
        if key.is_empty() || value.is_empty() {
            let missing = if key.is_empty() { "key" } else { "value" };
            return Err(Wrong::at(at, format!("`{item}`: a {missing} is expected")));
        }
        let (key, value) = (one_line(key, word)?.to_owned(), one_line(value, word)?.to_owned());
        pairs.push(Pair { key, value });
    }
    Ok(pairs)
}

/// Values, each with `*` and a weight after it, or without.
fn choices(items: &[&str], word: &str) -> Result<Vec<Choice>, Wrong> {
    let mut choices: Vec<Choice> = Vec::with_capacity(items.len());
    let mut items = items.iter();
    let mut weighted = true;
    while let Some(item) = items.next() {
        let at = offset(item, word);
        if *item != "*" {
            let value = one_line(unbraced(item, word)?, word)?;
            if value.is_empty() {
                return Err(Wrong::at(at, "a value is expected"));
            }
            choices.push(Choice { value: value.to_owned(), weight: 1 });
            weighted = false;
            continue;
        }
        let weight = items.next().and_then(|weight| weight.parse::<u32>().ok());
        match (choices.last_mut(), weight) {
            (Some(choice), Some(weight @ 1..=MAX_WEIGHT)) if !weighted => choice.weight = weight,
            (Some(_), _) if !weighted => {
                let what = format!("a weight from 1 to {MAX_WEIGHT} is expected after `*`");
                return Err(Wrong::at(at, what));
            }
            _ => return Err(Wrong::at(at, "a value is expected before `*`")),
        }
        weighted = true;
    }
    Ok(choices)
}

fn text_of(text: &str, word: &str, expected: &str) -> Result<String, Wrong> {
    match one_line(unbraced(text, word)?, word)? {
        "" => Err(Wrong::at(offset(text, word), format!("{expected} is expected"))),
        text => Ok(text.to_owned()),
    }
}

/// Lines may part the items of a list, but no item may hold one.
fn one_line<'a>(text: &'a str, word: &str) -> Result<&'a str, Wrong> {
    match text.find(['\r', '\n']) {
        Some(at) => Err(Wrong::at(offset(text, word) + at, "a line ends within a text")),
        None => Ok(text),
    }
}

fn socketmap(text: &str) -> Result<TableSpec, Wrong> {
    const FORM: &str = "`inet:host:port:name` or `unix:/path:name` is expected";
    let Some((endpoint, name)) = text.rsplit_once(':') else {
        return Err(Wrong::new(FORM));
    };
    let Some((kind, place)) = endpoint.split_once(':') else {
        return Err(Wrong::new(FORM));
    };
    let at = offset(place, text);
    let endpoint = match kind {
        "inet" => Endpoint::inet(place).map_err(|wrong| wrong.moved(at))?,
        "unix" => Endpoint::unix(place).map_err(|wrong| wrong.moved(at))?,
        _ => return Err(Wrong::new(FORM)),
    };
    // A blank ends the name in a request.
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Wrong::at(offset(name, text), "the name of a table, without blanks, is expected last"));
    }
    Ok(TableSpec::Socketmap { endpoint, name: name.to_owned() })
}
