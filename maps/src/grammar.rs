//! What may stand in a map's tables: its keys in the one form they are asked in, its values as checked text.
//!
//! Values are kept as text, one spelling for each meaning, and read into types again when they are asked
//! for ([`typed`](crate::typed)); so a table does not know what its map is for.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use switchyard_smtp::address::Domain;

use crate::access::Access;
use crate::alias;
use crate::entry::Route;
use crate::fault::Wrong;
use crate::field_edits::FieldEdits;
use crate::key;
use crate::name::{Keys, MapName, Values};
use crate::options::MapOptions;
use crate::relocated;
use crate::signing::SigningKeys;

/// Routes that are remembered as read: a site has few different ones.
const MAX_REMEMBERED: usize = 1 << 12;

/// What the values of maps may name, and how they are completed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    /// The pools that `@name` may name as a next hop.
    pub(crate) pools: BTreeSet<String>,
    /// What is added to an address without a domain.
    pub(crate) origin: Option<Domain>,
    /// See [`MapOptions::edge`].
    pub(crate) edge: bool,
    /// See [`MapOptions::milters`].
    pub(crate) milters: BTreeSet<String>,
    /// Names and ports that are this host.
    pub(crate) own: BTreeSet<(String, u16)>,
}

impl Words {
    pub(crate) fn new(options: &MapOptions) -> Self {
        Self {
            pools: options.pools.clone(),
            origin: options.origin.clone(),
            edge: options.edge,
            milters: options.milters.clone(),
            own: options.own.clone(),
        }
    }
}

/// How the tables of one map are read.
#[derive(Debug)]
pub(crate) struct Grammar<'a> {
    map: Option<MapName>,
    words: &'a Words,
    routes: HashMap<Box<str>, Box<str>>,
}

impl<'a> Grammar<'a> {
    pub(crate) fn new(map: MapName, words: &'a Words) -> Self {
        Self { map: Some(map), words, routes: HashMap::new() }
    }

    /// Of a table that belongs to no map: keys and values are what they are, as postmap(1) takes them.
    pub(crate) fn raw(words: &'a Words) -> Self {
        Self { map: None, words, routes: HashMap::new() }
    }

    /// Another one that reads alike, for another thread.
    pub(crate) fn twin(&self) -> Self {
        Self { map: self.map, words: self.words, routes: HashMap::new() }
    }

    /// All that decides, beside the text, what is read: grammars that say the same read alike.
    pub(crate) fn rules(&self) -> String {
        let Words { pools, origin, edge, milters, own } = self.words;
        let Some(map) = self.map else { return String::new() };
        let words = match map.values() {
            Values::Route => format!("{pools:?} {own:?}"),
            Values::Targets | Values::Address => format!("{origin:?}"),
            Values::Access => format!("{edge:?} {milters:?}"),
            Values::Relocated | Values::SigningKeys | Values::FieldEdits | Values::Nothing => String::new(),
        };
        format!("{} {words}", map.as_str())
    }

    /// A key in the form that is asked.
    pub(crate) fn key<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Wrong> {
        match self.map.map(MapName::keys) {
            Some(keys) if key::is_settled(keys, text) => Ok(text.into()),
            Some(keys) => key::read(keys, text).map(Cow::Owned),
            None => Ok(key::fold(text).into()),
        }
    }

    /// A value as it is kept.
    pub(crate) fn value<'t>(&'t mut self, key: &str, text: &'t str) -> Result<Cow<'t, str>, Wrong> {
        let Some(map) = self.map else { return Ok(text.into()) };
        match map.values() {
            Values::Nothing => nothing(map, text),
            Values::Route => self.route(map, text),
            _ => write(map, key, text, self.words).map(Cow::Owned),
        }
    }

    /// Checks a value that a pattern will put something into (`$1`), as if that were a word.
    pub(crate) fn template(&mut self, text: &str) -> Result<(), Wrong> {
        self.value("", &filled(text)).map(drop).map_err(|wrong| Wrong::new(wrong.what))
    }

    fn route(&mut self, map: MapName, text: &str) -> Result<Cow<'_, str>, Wrong> {
        if !self.routes.contains_key(text) {
            let written = write(map, "", text, self.words)?;
            if self.routes.len() == MAX_REMEMBERED {
                return Ok(written.into());
            }
            self.routes.insert(text.into(), written.into());
        }
        Ok(self.routes.get(text).map_or_else(Cow::default, |written| Cow::Borrowed(&**written)))
    }
}

/// Any word may stand in a list (postmap wants one), but a second key would be lost without a word.
fn nothing(map: MapName, text: &str) -> Result<Cow<'static, str>, Wrong> {
    let second = match map.keys() {
        Keys::Domain => text.contains('.'),
        _ => text.contains('@'),
    };
    if second { Err(Wrong::new("one entry a line is expected")) } else { Ok("".into()) }
}

/// A value in the one spelling for what it means, whoever says it: a file, a pattern or a server.
pub(crate) fn write(map: MapName, key: &str, text: &str, words: &Words) -> Result<String, Wrong> {
    match map.values() {
        Values::Route => {
            let route = Route::read(text, &words.pools)?;
            match route.leads_to(&words.own) {
                Some(hop) => Err(Wrong::new(format!("route loop: {hop} is this host itself"))),
                None => Ok(route.to_string()),
            }
        }
        Values::Targets => match alias::read(text, words.origin.as_ref()) {
            Ok(text) => Ok(text),
            // virtual(5): `virtual-alias.domain anything`, where the right-hand side does not matter.
            Err(_) if !text.is_empty() && marks_a_domain(key) => Ok(String::new()),
            Err(wrong) => Err(wrong),
        },
        Values::Address => {
            let text = alias::read(text, words.origin.as_ref())?;
            match text.split_once('\n') {
                Some((first, _)) => {
                    Err(Wrong::new(format!("one address is expected, and `{first}` is not the only one")))
                }
                None => Ok(text),
            }
        }
        Values::Relocated => relocated::read(text).map(|text| text.to_string()),
        Values::Access => {
            let keys = map.keys();
            let access = Access::read(text)?.by_client(keys == Keys::Client)?;
            let access = match keys {
                Keys::Client | Keys::Helo => access.before_mail()?,
                _ => access,
            };
            let access = access.where_mail_is_kept(!words.edge)?;
            access.of_milters(&words.milters).map(|access| access.to_string())
        }
        Values::SigningKeys => SigningKeys::read(text).map(|keys| keys.to_string()),
        Values::FieldEdits => FieldEdits::read(text).map(|edits| edits.to_string()),
        Values::Nothing => Ok(String::new()),
    }
}

fn marks_a_domain(key: &str) -> bool {
    !key.contains('@') && key.contains('.') && Domain::parse(key).is_ok()
}

/// `$1`, `${1}` and `$(1)` as a word that may stand in an address, a host's name or a text.
pub(crate) fn filled(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let name = |character: char| character.is_ascii_digit();
        rest = match after.chars().next() {
            Some('$') => {
                text.push('$');
                &after[1..]
            }
            Some(open @ ('{' | '(')) => {
                text.push('x');
                let close = if open == '{' { '}' } else { ')' };
                after.split_once(close).map_or("", |(_, rest)| rest)
            }
            _ => {
                text.push('x');
                after.trim_start_matches(name)
            }
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_checked_with_a_word_in_each_hole() {
        for (template, text) in [
            ("$1@new.example", "x@new.example"),
            ("smtp:[${2}.example]:$(1)", "smtp:[x.example]:x"),
            ("error:$$5 and $12", "error:$5 and x"),
            ("no hole", "no hole"),
            ("${1", "x"),
        ] {
            assert_eq!(filled(template), text, "{template}");
        }
        let words = Words::default();
        let mut grammar = Grammar::new(MapName::VirtualAlias, &words);
        assert!(grammar.template("$1@new.example, $2@x.example").is_ok());
        assert!(grammar.template("$1@").is_err());
    }

    #[test]
    fn one_address_is_one() {
        let words = Words::default();
        let mut grammar = Grammar::new(MapName::Canonical, &words);
        assert_eq!(grammar.value("a@x.example", "B@X.example").unwrap(), "B@x.example");
        let wrong = grammar.value("a@x.example", "b@x.example, c@x.example").unwrap_err();
        assert_eq!(wrong.what, "one address is expected, and `b@x.example` is not the only one");
    }

    #[test]
    fn what_needs_a_queue_is_refused_where_there_is_none() {
        let (router, mx) = (Words::default(), Words { edge: true, ..Words::default() });
        for (map, text, router_says, mx_says) in [
            (
                MapName::SenderAccess,
                "HOLD look",
                Ok("HOLD look"),
                Err("an mx keeps no mail: `HOLD` belongs into the router's tables"),
            ),
            (
                MapName::RecipientAccess,
                "DISCARD",
                Ok("DISCARD"),
                Err("an mx keeps no mail: `DISCARD` belongs into the router's tables"),
            ),
            (
                MapName::ClientAccess,
                "HOLD",
                Err("`HOLD` is by sender or recipient: write it into their tables"),
                Err("`HOLD` is by sender or recipient: write it into their tables"),
            ),
            (MapName::HeloAccess, "reject", Ok("REJECT"), Ok("REJECT")),
        ] {
            for (words, says) in [(&router, router_says), (&mx, mx_says)] {
                let mut grammar = Grammar::new(map, words);
                let value = grammar.value("x.example", text);
                let value = value.as_deref().map_err(|wrong| wrong.what.as_str());
                assert_eq!(value, says, "{map} {text}");
            }
        }
    }
}
