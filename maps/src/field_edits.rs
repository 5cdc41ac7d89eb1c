//! What is changed of a message's header for a sender or a recipient: fields are added, replaced and removed.
//!
//! `remove X-Internal; replace X-Zone: partner; if dmarc=fail add X-Suspicious: yes`. Each change stands behind its verb,
//! and behind the verdict that it waits for, if it waits for one; a semicolon in a text is written twice. What would leave a message that is none, or speak in
//! the name of a check, is refused when the map is read.

use std::fmt;
use std::sync::Arc;

use crate::fault::{Wrong, offset};
use crate::shadow::Compared;

/// Changes of one entry.
const MAX_EDITS: usize = 32;
/// Octets of a field's name.
const MAX_NAME: usize = 76;
/// RFC 5322 §2.1.1: octets of a line, its end not counted.
const MAX_LINE: usize = 998;
/// RFC 5322 §3.6: a message has each of these once at most.
const ONCE: [&str; 11] = [
    "bcc",
    "cc",
    "date",
    "from",
    "in-reply-to",
    "message-id",
    "references",
    "reply-to",
    "sender",
    "subject",
    "to",
];
/// RFC 5322 §3.6: and cannot be without these.
const NEEDED: [&str; 2] = ["date", "from"];
/// What others prove with, and where a message has been: nobody's to write.
const PROOFS: [&str; 4] = ["authentication-results", "dkim-signature", "received", "return-path"];

/// The changes that an entry asks for, in their order; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEdits(pub Arc<[FieldEdit]>);

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldEdit {
    /// The verdict without which nothing is changed.
    pub when: Option<Verdict>,
    /// The field's name.
    pub name: Box<str>,
    /// What becomes of it.
    pub change: FieldChange,
}

/// What becomes of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldChange {
    /// One more, with this text.
    Add(Box<str>),
    /// One with this text, in the place of all there are.
    Replace(Box<str>),
    /// All of that name go.
    Remove,
}

/// `dmarc=fail`: a check, and what it came to (RFC 8601 §2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The check.
    pub check: &'static str,
    /// Its result.
    pub result: &'static str,
}

/// The checks, and the results that each of them has.
const CHECKS: [(&str, &[&str]); 4] = [
    ("spf", &["pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"]),
    ("dkim", &["pass", "fail", "neutral", "none", "temperror", "permerror"]),
    ("dmarc", &["pass", "fail", "none", "temperror", "permerror"]),
    ("arc", &["pass", "fail", "none", "temperror"]),
];

impl FieldEdits {
    /// Reads a right-hand side of the map.
    pub(crate) fn read(text: &str) -> Result<Self, Wrong> {
        let mut edits = Vec::new();
        for part in parts(text).map(str::trim) {
            edits.push(one(part).map_err(|wrong| wrong.moved(offset(part, text)))?);
            if edits.len() > MAX_EDITS {
                return Err(Wrong::new(format!("more than {MAX_EDITS} changes")));
            }
        }
        Ok(Self(edits.into()))
    }
}

/// What stands between semicolons; two in a row are one that stands in a text.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut octets = text.bytes().enumerate().peekable();
        while let Some((at, octet)) = octets.next() {
            if octet == b';' && octets.next_if(|(_, next)| *next == b';').is_none() {
                rest = text.get(at + 1..);
                return text.get(..at);
            }
        }
        rest.take()
    })
}

fn one(text: &str) -> Result<FieldEdit, Wrong> {
    let (verb, rest) = word(text);
    if verb != "if" {
        return change(text);
    }
    let (asked, rest) = word(rest);
    let when = verdict(asked).map_err(|wrong| wrong.moved(offset(asked, text)))?;
    let edit = change(rest).map_err(|wrong| wrong.moved(offset(rest, text)))?;
    Ok(FieldEdit { when: Some(when), ..edit })
}

fn verdict(text: &str) -> Result<Verdict, Wrong> {
    let expected = || Wrong::new(format!("`{text}`: spf=, dkim=, dmarc= or arc= and a result is expected"));
    let (check, result) = text.split_once('=').ok_or_else(expected)?;
    let (check, results) = CHECKS.into_iter().find(|(known, _)| *known == check).ok_or_else(expected)?;
    let known = results.iter().copied().find(|known| *known == result);
    let result =
        known.ok_or_else(|| Wrong::new(format!("`{text}`: {check} is one of {}", results.join(", "))))?;
    Ok(Verdict { check, result })
}

fn change(text: &str) -> Result<FieldEdit, Wrong> {
    let (verb, rest) = word(text);
    let (name, value) = match rest.split_once(':') {
        Some((name, value)) => (name.trim_end(), Some(value.trim())),
        None => (rest, None),
    };
    let change = match (verb, value) {
        ("add", Some(text)) => FieldChange::Add(text.replace(";;", ";").into()),
        ("replace", Some(text)) => FieldChange::Replace(text.replace(";;", ";").into()),
        ("remove", None) => FieldChange::Remove,
        ("remove", Some(_)) => return Err(Wrong::new(format!("`{text}`: the name alone is expected"))),
        _ => {
            let what = "add Name: text, replace Name: text or remove Name is expected";
            return Err(Wrong::new(format!("`{text}`: {what}")));
        }
    };
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let wrong = |what: String| Err(Wrong::at(offset(name, text), what));
    // RFC 5322 §3.6.8: printable ASCII without the colon; a semicolon would end the change.
    let fits = |octet: u8| octet.is_ascii_graphic() && octet != b';';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(fits) {
        return wrong(format!("`{name}` is no name of a header field"));
    }
    if is(&PROOFS) || name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("ARC-")) {
        return wrong(format!("`{name}` is not changed: it says where a message has been, or proves it"));
    }
    match &change {
        FieldChange::Add(_) if is(&ONCE) => {
            return wrong(format!("a message has one `{name}`; `replace` puts another in its place"));
        }
        FieldChange::Remove if is(&NEEDED) => return wrong(format!("a message needs its `{name}`")),
        FieldChange::Add(value) | FieldChange::Replace(value) => {
            // RFC 5322 §2.2: printable ASCII and spaces; a line end would begin another field.
            let fits = |octet: u8| octet.is_ascii_graphic() || octet == b' ' || octet == b'\t';
            if value.is_empty() || !value.bytes().all(fits) || name.len() + 2 + value.len() > MAX_LINE {
                return wrong(format!("`{name}`: a text of printable ASCII is expected, on one line"));
            }
        }
        FieldChange::Remove => {}
    }
    Ok(FieldEdit { when: None, name: name.into(), change })
}

/// The first word, and what comes behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

impl fmt::Display for FieldEdits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, FieldEdit { when, name, change }) in self.0.iter().enumerate() {
            let before = if at == 0 { "" } else { "; " };
            formatter.write_str(before)?;
            if let Some(Verdict { check, result }) = when {
                write!(formatter, "if {check}={result} ")?;
            }
            match change {
                FieldChange::Add(text) => write!(formatter, "add {name}: {}", text.replace(';', ";;"))?,
                FieldChange::Replace(text) => {
                    write!(formatter, "replace {name}: {}", text.replace(';', ";;"))?;
                }
                FieldChange::Remove => write!(formatter, "remove {name}")?,
            }
        }
        Ok(())
    }
}

impl Compared for FieldEdits {
    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_one_spelling() {
        for (text, written) in [
            ("add X-Zone: partner", "add X-Zone: partner"),
            (" remove  X-A ;replace Subject:  [x] y: z ", "remove X-A; replace Subject: [x] y: z"),
            ("add X-A: a;;b;;;;c;;; remove X-B", "add X-A: a;;b;;;;c;;; remove X-B"),
            ("if  dmarc=fail add X-S: 1; remove X-S", "if dmarc=fail add X-S: 1; remove X-S"),
        ] {
            let edits = FieldEdits::read(text).unwrap();
            assert_eq!(edits.to_string(), written, "{text}");
            assert_eq!(FieldEdits::read(written).unwrap(), edits);
        }
    }

    #[test]
    fn two_semicolons_are_one_in_a_text() {
        let edits = FieldEdits::read("add List-Post: <mailto:a@b>;; n;;;remove X").unwrap();
        let [one, two] = &edits.0[..] else { panic!("{edits:?}") };
        assert_eq!(one.change, FieldChange::Add("<mailto:a@b>; n;".into()));
        assert_eq!((&*two.name, &two.change), ("X", &FieldChange::Remove));
        assert!(FieldEdits::read("remove X;;Y").is_err(), "a name has none");
    }

    #[test]
    fn what_cannot_be_done_is_told_at_its_place() {
        for (text, at, what) in [
            ("", 0, "``: add Name: text, replace Name: text or remove Name is expected"),
            (
                "remove X; put Y: z",
                10,
                "`put Y: z`: add Name: text, replace Name: text or remove Name is expected",
            ),
            ("remove X: y", 0, "`remove X: y`: the name alone is expected"),
            ("if dmarc add X: y", 3, "`dmarc`: spf=, dkim=, dmarc= or arc= and a result is expected"),
            ("if arc=softfail add X: y", 3, "`arc=softfail`: arc is one of pass, fail, none, temperror"),
            ("add Subject: y", 4, "a message has one `Subject`; `replace` puts another in its place"),
            ("if spf=fail remove from", 19, "a message needs its `from`"),
            (
                "add Authentication-Results: x; all well",
                4,
                "`Authentication-Results` is not changed: it says where a message has been, or proves it",
            ),
            (
                "remove arc-seal",
                7,
                "`arc-seal` is not changed: it says where a message has been, or proves it",
            ),
            ("add X Y: z", 4, "`X Y` is no name of a header field"),
            ("add X:", 4, "`X`: a text of printable ASCII is expected, on one line"),
            ("add X: caf\u{e9}", 4, "`X`: a text of printable ASCII is expected, on one line"),
        ] {
            assert_eq!(FieldEdits::read(text), Err(Wrong::at(at, what)), "{text:?}");
        }
        assert!(FieldEdits::read(&"remove X;".repeat(MAX_EDITS)).is_err());
        assert!(FieldEdits::read(&format!("add X: {}", "y".repeat(MAX_LINE))).is_err());
    }
}
