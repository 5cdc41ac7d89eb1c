//! From a table to a behaviour.

use std::net::IpAddr;
use std::path::Path;

use switchyard_config::check::hint;
use switchyard_config::document::{Document, Entry, Node, Table};
use switchyard_config::site::Role;
use switchyard_config::{Faults, Place};
use switchyard_smtp::address::{ForwardPath, ReversePath};

use super::layers::{SAID, WANTED, Whole, wholes};
use super::table::{Keys, texts_of};
use super::{Arrives, Behaviour, FieldWanted, HELO, Message, Said, Wanted, What};
use crate::pattern::{Pattern, ReplyPattern};
use crate::seen::Stage;

/// Octets of a header field's name and of its value; a line holds 998 (RFC 5322 §2.1.1).
const MAX_FIELD: usize = 900;

/// The behaviours of a file; message files are looked for in `folder`.
pub(super) fn file(document: &Document, folder: &Path, faults: &mut Faults) -> Vec<Behaviour> {
    let wholes = wholes(document, faults);
    wholes.iter().filter_map(|whole| behaviour(whole, folder, faults)).collect()
}

fn behaviour(whole: &Whole, folder: &Path, faults: &mut Faults) -> Option<Behaviour> {
    let mut keys = Keys { table: &whole.table, place: &whole.place, faults };
    let name = name(&mut keys, whole.case.as_ref());
    let role = keys.read("role", Role::of_mail);
    let said = said(&mut keys, folder);
    let wanted = wanted(&mut keys);
    agree(&mut keys, &wanted);
    Some(Behaviour {
        name,
        place: whole.place.clone(),
        role: role.map_or(Role::Mx, |(role, _)| role),
        said: said?,
        wanted,
    })
}

/// The behaviour's name, and behind it the case's, or what it says in place of one.
fn name(keys: &mut Keys<'_>, case: Option<&Table>) -> String {
    keys.missing("name", "what the behaviour is about, in a few words");
    let name = keys.text("name").map_or_else(String::new, |(name, _)| name.trim().to_owned());
    let Some(case) = case else { return name };
    let words: Vec<String> = match case.get("name").map(|entry| &entry.item.node) {
        Some(Node::Text(own)) => vec![own.trim().to_owned()],
        _ => {
            let said = |entry: &&Entry| SAID.contains(&entry.key.as_str()) && entry.key != "name";
            case.entries.iter().filter(said).map(word).collect()
        }
    };
    if words.is_empty() { name } else { format!("{name}: {}", words.join(", ")) }
}

/// A value as a case is told by it.
fn word(entry: &Entry) -> String {
    match &entry.item.node {
        Node::Text(text) if text.is_empty() => "<>".to_owned(),
        Node::Text(text) if text.len() <= 60 => text.clone(),
        Node::Flag(flag) => format!("{} {flag}", entry.key),
        Node::List(_) => texts_of(&entry.item)
            .map(|texts| texts.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(" "))
            .unwrap_or_else(|| entry.key.clone()),
        _ => entry.key.clone(),
    }
}

fn said(keys: &mut Keys<'_>, folder: &Path) -> Option<Said> {
    keys.missing("from", "the sender's address, \"\" for the null reverse-path");
    keys.missing("to", "a recipient's address, or a list of them");
    let client =
        keys.read("client", |text| text.parse::<IpAddr>().map_err(|_| format!("`{text}` is no IP address")));
    let client_name = keys.read("client_name", host_word);
    let helo = keys.read("helo", host_word);
    let tls = keys.flag("tls").unwrap_or(false);
    let from = keys.read("from", |text| {
        ReversePath::parse(&bracketed(text)).map_err(|error| format!("`{text}` is no sender: {error}"))
    });
    let to = keys.read_each("to", |text| {
        ForwardPath::parse(&bracketed(text)).map_err(|error| format!("`{text}` is no recipient: {error}"))
    });
    let message = message(keys, folder);
    if let (None, Some((_, place))) = (&client, &client_name) {
        keys.say(place, "`client_name` needs `client`, the address that has this name");
    }
    Some(Said {
        client: client.map(|(client, _)| client.to_canonical()),
        client_name: client_name.map(|(name, _)| name),
        helo: helo.map_or_else(|| HELO.to_owned(), |(helo, _)| helo),
        tls,
        from: from?.0,
        to: to?.0,
        message,
    })
}

fn bracketed(text: &str) -> String {
    if text.starts_with('<') { text.to_owned() } else { format!("<{text}>") }
}

/// What stands in a command by itself: no blank and no control character.
fn host_word(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 255 && text.chars().all(|letter| letter.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(format!("`{text}` is no name of a host")) }
}

fn message(keys: &mut Keys<'_>, folder: &Path) -> Message {
    let given: Vec<&str> =
        ["message", "file", "fields"].into_iter().filter(|key| keys.item(key).is_some()).collect();
    if let [first, second, ..] = *given {
        let place = keys.item(second).map_or(keys.place, |item| &item.place);
        keys.say(
            place,
            format!("`{first}` and `{second}` both say what the message is: one of them is enough"),
        );
    }
    if let Some((text, _)) = keys.text("message") {
        return Message::of_text(text);
    }
    let file = |text: &str| Message::of_file(&folder.join(text));
    if let Some((message, _)) = keys.read("file", file) {
        return message;
    }
    let mut fields = Vec::new();
    for Entry { key, place, item } in keys.entries("fields") {
        match &item.node {
            _ if !is_field_name(key) => keys.say(place, format!("`{key}` is no name of a header field")),
            Node::Text(value) if is_field_value(value) => fields.push((key.clone(), value.clone())),
            _ => keys.say(&item.place, format!("`{key}`: a text on one line is expected")),
        }
    }
    Message::Made(fields)
}

/// RFC 5322 §3.6.8.
fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 76 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

fn is_field_value(value: &str) -> bool {
    value.len() <= MAX_FIELD && !value.chars().any(char::is_control)
}

// ---------------------------------------------------------------------------------------------------------

fn wanted(keys: &mut Keys<'_>) -> Vec<Wanted> {
    let mut all = Vec::new();
    let mut want = |place: &Place, what: What| all.push(Wanted { place: place.clone(), what });
    if let Some((reply, place)) = reply(keys) {
        want(place, What::Reply(reply));
    }
    if let Some((stage, place)) = keys.read("at", stage) {
        want(place, What::At(stage));
    }
    let pattern = |text: &str| Ok(Pattern::new(text));
    if let Some((routes, place)) = keys.read_each("route", pattern) {
        want(place, What::Route(routes));
    }
    let address = |text: &str| Ok(Pattern::of_address(text));
    if let Some((addresses, place)) = keys.read_each("becomes", address) {
        want(place, What::Becomes(addresses));
    }
    if let Some((sender, place)) = keys.read("sender_becomes", address) {
        want(place, What::SenderBecomes(sender));
    }
    for Entry { key, place, item } in keys.entries("header") {
        match field(&item.node).or_else(|| Some(FieldWanted::Values(patterns(texts_of(item)?)))) {
            _ if !is_field_name(key) => keys.say(place, format!("`{key}` is no name of a header field")),
            Some(wanted) => want(place, What::Field(key.clone(), wanted)),
            None => keys.say(
                &item.place,
                format!("`{key}`: a text, a list of texts, true, false or a count is expected"),
            ),
        }
    }
    if let Some((arrives, place)) = arrives(keys) {
        want(place, What::Arrives(arrives));
    }
    // A key that could not be read was to be one of them.
    let says = |key: &&str| match keys.item(key).map(|item| &item.node) {
        None => false,
        Some(Node::Table(table)) => !table.entries.is_empty(),
        Some(_) => true,
    };
    if all.is_empty() && keys.faults.is_empty() && !WANTED.iter().any(says) {
        let message = format!("nothing is wanted: one of {} says what must come of it", WANTED.join(", "));
        keys.say(keys.place, message);
    }
    all
}

fn patterns(texts: Vec<(&str, &Place)>) -> Vec<Pattern> {
    texts.into_iter().map(|(text, _)| Pattern::new(text)).collect()
}

fn reply<'a>(keys: &mut Keys<'a>) -> Option<(ReplyPattern, &'a Place)> {
    let item = keys.item("reply")?;
    let Node::Integer(code) = item.node else { return keys.read("reply", ReplyPattern::parse) };
    match ReplyPattern::parse(&code.to_string()) {
        Ok(reply) => Some((reply, &item.place)),
        Err(message) => {
            keys.say(&item.place, format!("`reply`: {message}"));
            None
        }
    }
}

fn stage(text: &str) -> Result<Stage, String> {
    let known = Stage::ALL.iter().map(|stage| stage.as_str());
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == text);
    found.ok_or_else(|| format!("`{text}` is no stage{}", hint(text, known)))
}

fn field(node: &Node) -> Option<FieldWanted> {
    match node {
        Node::Flag(present) => Some(FieldWanted::Present(*present)),
        Node::Integer(count) => usize::try_from(*count).ok().map(FieldWanted::Count),
        _ => None,
    }
}

fn arrives<'a>(keys: &mut Keys<'a>) -> Option<(Arrives, &'a Place)> {
    let item = keys.item("arrives")?;
    match item.node {
        Node::Flag(true) => Some((Arrives::Somewhere, &item.place)),
        Node::Flag(false) => Some((Arrives::Nowhere, &item.place)),
        _ => {
            let place = |text: &str| match text {
                "" => Err("a place has a name".to_owned()),
                name => Ok(name.to_owned()),
            };
            let (places, place) = keys.read_each("arrives", place)?;
            Some((Arrives::At(places), place))
        }
    }
}

/// What can't all be true at once.
fn agree(keys: &mut Keys<'_>, wanted: &[Wanted]) {
    let refused = wanted.iter().find_map(|one| match &one.what {
        What::Reply(reply) => Some(!reply.is_positive()),
        _ => None,
    });
    for Wanted { place, what } in wanted {
        match (refused, what) {
            (Some(true), What::Route(_) | What::Becomes(_) | What::SenderBecomes(_) | What::Field(..)) => {
                let key = what.key();
                keys.say(
                    place,
                    format!("`{key}` is of mail that is taken, and `reply` says that it is refused"),
                );
            }
            (Some(true), What::Arrives(Arrives::Somewhere | Arrives::At(_))) => {
                keys.say(place, "what `reply` refuses can't arrive: arrives = false, or nothing");
            }
            (Some(false), What::At(_)) => {
                keys.say(place, "`at` is of a refusal, and `reply` says that mail is taken: leave `at` out");
            }
            _ => {}
        }
    }
}
