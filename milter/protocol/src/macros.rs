//! Macros: what an MTA tells beside an event, by name.
//!
//! A macro's name is one letter (`i`) or a word in braces (`{auth_authen}`). Here names are kept without braces
//! and get them back on the wire. The MTA's side keeps what is known in a [`Known`] and sends at each stage what
//! the filter listed, or the usual ones ([`usual`]). The filter's side keeps what came in [`Macros`].

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::decode::{DecodeError, Parts, put_text};
use crate::frame;
use crate::stage::Stage;

/// The code of the frame.
pub(crate) const CODE: u8 = b'D';

/// Macros that are kept of one stage; a frame with more is refused.
pub const MOST_MACROS: usize = 256;

/// Macros of one stage as they travel: names and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// The stage whose event follows.
    pub stage: Stage,
    /// Names without braces, and values.
    pub macros: Vec<(Bytes, Bytes)>,
}

impl Defined {
    pub(crate) fn encode(&self, output: &mut BytesMut) {
        put(output, self.stage, self.macros.iter());
    }

    pub(crate) fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut parts = Parts::new(CODE, payload);
        let stage = Stage::of_code(parts.octet()?).ok_or_else(|| parts.value("a stage"))?;
        let mut macros = Vec::new();
        while !parts.is_empty() {
            if macros.len() == MOST_MACROS {
                return Err(parts.many("macros", MOST_MACROS));
            }
            let name = parts.text()?;
            let bare = bare(&name).len();
            let name = if bare == name.len() { name } else { name.slice(1..=bare) };
            macros.push((name, parts.text()?));
        }
        Ok(Self { stage, macros })
    }
}

fn put<'a>(output: &mut BytesMut, stage: Stage, macros: impl Iterator<Item = &'a (Bytes, Bytes)>) {
    output.extend_from_slice(&[stage.code()]);
    for (name, value) in macros {
        put_name(output, name);
        put_text(output, value);
    }
}

/// A name without its braces.
fn bare(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"{").and_then(|name| name.strip_suffix(b"}")).unwrap_or(name)
}

fn put_name(output: &mut BytesMut, name: &[u8]) {
    if name.len() == 1 {
        return put_text(output, name);
    }
    output.extend_from_slice(b"{");
    output.extend_from_slice(name);
    put_text(output, b"}");
}

// ---------------------------------------------------------------------------------------------------------

/// The filter's side: the newest macros of each stage.
#[derive(Debug, Clone, Default)]
pub struct Macros {
    /// At most one entry a stage, each bounded by [`MOST_MACROS`] and its frame.
    stages: Vec<Defined>,
}

impl Macros {
    /// The value of a macro, named with or without braces: of the latest stage that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        let name = bare(name.as_bytes());
        let mut found = self.stages.iter().rev().flat_map(|defined| &defined.macros);
        found.find(|(of, _)| of == name).map(|(_, value)| value)
    }

    /// The same as text, where it is UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// New macros of a stage replace its older ones.
    pub(crate) fn define(&mut self, defined: Defined) {
        self.stages.retain(|of| of.stage != defined.stage);
        self.stages.push(defined);
    }

    /// A message is over: what was said about it is forgotten.
    pub(crate) fn end_message(&mut self) {
        self.stages.retain(|defined| !defined.stage.is_of_message());
    }

    /// A connection is over: everything is forgotten.
    pub(crate) fn clear(&mut self) {
        self.stages.clear();
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The MTA's side: all macros that have a value now. A clone is two pointers until one of the two changes; those of a
/// recipient stand apart, since a clone is kept for each recipient of a message.
#[derive(Debug, Clone, Default)]
pub struct Known {
    values: Arc<Vec<(Bytes, Bytes)>>,
    of_recipient: Arc<Vec<(Bytes, Bytes)>>,
}

impl Known {
    /// Gives a macro a value, named with or without braces.
    pub fn set(&mut self, name: &'static str, value: impl Into<Bytes>) {
        let (name, value) = (bare(name.as_bytes()), value.into());
        let values = self.with_mut(name);
        match values.iter_mut().find(|(of, _)| of == name) {
            Some((_, before)) => *before = value,
            None => values.push((Bytes::from_static(name), value)),
        }
    }

    /// Takes a macro's value away.
    pub fn unset(&mut self, name: &str) {
        if self.get(name).is_some() {
            let name = bare(name.as_bytes());
            self.with_mut(name).retain(|(of, _)| of != name);
        }
    }

    /// A macro's value, named with or without braces.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Bytes> {
        self.find(name.as_bytes()).map(|(_, value)| value)
    }

    /// Writes the frame that goes before an event, if any of `wanted` has a value.
    pub(crate) fn tell<'a>(
        &self,
        stage: Stage,
        wanted: impl Iterator<Item = &'a [u8]>,
        output: &mut BytesMut,
    ) {
        let mut picked = self.pick(wanted).peekable();
        if picked.peek().is_some() {
            frame::put(output, CODE, |payload| put(payload, stage, picked));
        }
    }

    /// Those of `wanted` that have a value.
    fn pick<'a>(&self, wanted: impl Iterator<Item = &'a [u8]>) -> impl Iterator<Item = &(Bytes, Bytes)> {
        wanted.filter_map(|name| self.find(name)).take(MOST_MACROS)
    }

    fn find(&self, name: &[u8]) -> Option<&(Bytes, Bytes)> {
        let name = bare(name);
        let values = if is_of_recipient(name) { &self.of_recipient } else { &self.values };
        values.iter().find(|(of, _)| of == name)
    }

    fn with_mut(&mut self, bare: &[u8]) -> &mut Vec<(Bytes, Bytes)> {
        Arc::make_mut(if is_of_recipient(bare) { &mut self.of_recipient } else { &mut self.values })
    }
}

fn is_of_recipient(bare: &[u8]) -> bool {
    bare.starts_with(b"rcpt_")
}

/// What Sendmail sends at a stage unless it is told otherwise; filters rely on it.
#[must_use]
pub const fn usual(stage: Stage) -> &'static [&'static str] {
    match stage {
        Stage::Connect => &["j", "_", "daemon_name", "daemon_addr", "if_name", "if_addr", "v"],
        Stage::Helo => &["tls_version", "cipher", "cipher_bits", "cert_subject", "cert_issuer"],
        Stage::EnvFrom => &[
            "i",
            "auth_type",
            "auth_authen",
            "auth_ssf",
            "auth_author",
            "mail_mailer",
            "mail_host",
            "mail_addr",
        ],
        Stage::EnvRcpt => &["i", "rcpt_mailer", "rcpt_host", "rcpt_addr"],
        Stage::Data | Stage::Eoh => &["i"],
        Stage::Eom => &["i", "msg_id"],
        Stage::Header | Stage::Body | Stage::Unknown => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(stage: Stage, macros: &[(&'static str, &'static str)]) -> Defined {
        let macros = macros.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Defined { stage, macros }
    }

    #[test]
    fn braces_are_for_the_wire() {
        let said = defined(Stage::EnvFrom, &[("i", "4XyZ"), ("auth_authen", "ann"), ("mail_host", "")]);
        let mut payload = BytesMut::new();
        said.encode(&mut payload);
        assert_eq!(&payload[..], b"Mi\x004XyZ\0{auth_authen}\0ann\0{mail_host}\0\0");
        assert_eq!(Defined::decode(payload.freeze()), Ok(said));
    }

    #[test]
    fn the_latest_value_counts_until_the_message_ends() {
        let mut macros = Macros::default();
        macros.define(defined(Stage::Connect, &[("j", "mx.example")]));
        macros.define(defined(Stage::EnvFrom, &[("i", "one")]));
        macros.define(defined(Stage::EnvFrom, &[("i", "two")]));
        assert_eq!((macros.text("{i}"), macros.text("j")), (Some("two"), Some("mx.example")));
        macros.end_message();
        assert_eq!((macros.text("i"), macros.text("j")), (None, Some("mx.example")));
        macros.clear();
        assert_eq!(macros.text("j"), None);
    }

    #[test]
    fn m7_a_hundred_thousand_macros_are_refused() {
        let mut payload = BytesMut::from(&b"M"[..]);
        payload.extend_from_slice(&b"i\0\0".repeat(100_000));
        let refused = DecodeError::Many { code: CODE, what: "macros", most: MOST_MACROS };
        assert_eq!(Defined::decode(payload.freeze()), Err(refused));
        let mut macros = Macros::default();
        for round in 0..100_000 {
            let value = Bytes::from(round.to_string());
            macros.define(Defined { stage: Stage::EnvRcpt, macros: vec![("i".into(), value)] });
        }
        assert_eq!((macros.stages.len(), macros.text("i")), (1, Some("99999")));
    }

    #[test]
    fn only_macros_with_a_value_are_picked() {
        let mut known = Known::default();
        known.set("{auth_type}", "PLAIN");
        known.set("i", "4XyZ");
        known.set("i", "5XyZ");
        known.set("mail_host", "gone");
        known.unset("{mail_host}");
        assert_eq!((known.get("{i}"), known.get("mail_host")), (Some(&"5XyZ".into()), None));
        let picked: Vec<_> = known.pick(usual(Stage::EnvFrom).iter().map(|name| name.as_bytes())).collect();
        assert_eq!(picked, [&("i".into(), "5XyZ".into()), &("auth_type".into(), "PLAIN".into())]);
    }

    #[test]
    fn what_is_kept_for_each_recipient_shares_the_rest() {
        let mut known = Known::default();
        known.set("i", "4XyZ");
        known.set("{rcpt_addr}", "one@example.org");
        let first = known.clone();
        known.set("rcpt_addr", "two@example.org");
        known.unset("rcpt_host");
        assert!(Arc::ptr_eq(&first.values, &known.values));
        assert_eq!(first.get("rcpt_addr").map(|value| &value[..]), Some(&b"one@example.org"[..]));
        let picked: Vec<_> = known.pick([&b"{rcpt_addr}"[..], b"i", b"{rcpt_host}"].into_iter()).collect();
        assert_eq!(picked, [&("rcpt_addr".into(), "two@example.org".into()), &("i".into(), "4XyZ".into())]);
        known.unset("{rcpt_addr}");
        assert!(known.get("rcpt_addr").is_none() && known.get("{i}").is_some());
    }
}
