//! Which keys sign a domain's mail: one or more of `selector:file`, each at its step of a rotation.
//!
//! `mail2026:/etc/switchyard/keys/a.pem mail2025:/etc/switchyard/keys/b.pem:retired`. A key may sign as another
//! domain than the one that was asked, its parent as a rule: `mail2026@example.org:a.pem`.

use std::fmt;
use std::sync::Arc;

use switchyard_smtp::address::Domain;

use crate::entry::BadRoute;
use crate::fault::{Wrong, offset};
use crate::shadow::Compared;

/// Keys of one domain; a rotation needs two, two algorithms four.
const MAX_KEYS: usize = 16;
/// Octets of a file's name.
const MAX_FILE: usize = 1024;

/// One key of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SigningKey {
    /// RFC 6376 §3.1: the label, or labels, before `._domainkey`.
    pub selector: Domain,
    /// The domain that signs, where it is not the one that was asked.
    pub domain: Option<Domain>,
    /// The private key's file.
    pub file: Box<str>,
    /// How far its rotation is.
    pub step: Step,
}

/// The steps of a key's life, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Its public half is, or will be, in the DNS; it does not sign yet.
    Published,
    /// It signs.
    Signing,
    /// It signs no more; its public half stays until the mail it signed has arrived.
    Retired,
}

/// A domain's keys, as a map says them; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys(pub Arc<[SigningKey]>);

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 3] = [Self::Published, Self::Signing, Self::Retired];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Signing => "signing",
            Self::Retired => "retired",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

impl SigningKeys {
    /// Reads a right-hand side of the map.
    ///
    /// # Errors
    /// When it holds no keys.
    pub fn parse(text: &str) -> Result<Self, BadRoute> {
        Self::read(text).map_err(|wrong| BadRoute { at: wrong.at, message: wrong.what })
    }

    /// The same for the compiler.
    pub(crate) fn read(text: &str) -> Result<Self, Wrong> {
        let words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty());
        let mut keys: Vec<SigningKey> = Vec::new();
        for word in words {
            let key = one(word).map_err(|wrong| wrong.moved(offset(word, text)))?;
            if keys.iter().any(|other| other.selector == key.selector && other.domain == key.domain) {
                return Err(Wrong::at(
                    offset(word, text),
                    format!("selector `{}` stands here twice", key.selector),
                ));
            }
            keys.push(key);
            if keys.len() > MAX_KEYS {
                return Err(Wrong::new(format!("more than {MAX_KEYS} keys")));
            }
        }
        if keys.is_empty() {
            return Err(Wrong::new("`selector:file` is expected, once for each key"));
        }
        Ok(Self(keys.into()))
    }
}

fn one(word: &str) -> Result<SigningKey, Wrong> {
    let expected = || Wrong::new(format!("`{word}`: selector:file or selector:file:step is expected"));
    let mut parts = word.split(':');
    let (Some(name), Some(file)) = (parts.next(), parts.next()) else { return Err(expected()) };
    let step = match parts.next() {
        None => Step::Signing,
        Some(step) => Step::parse(step)
            .ok_or_else(|| Wrong::new(format!("`{step}`: published, signing or retired is expected")))?,
    };
    if file.is_empty() || file.len() > MAX_FILE || file.contains(char::is_control) || parts.next().is_some() {
        return Err(expected());
    }
    let (selector, domain) = match name.split_once('@') {
        Some((selector, domain)) => (selector, Some(domain)),
        None => (name, None),
    };
    let domain_of =
        |text: &str| Domain::parse(text).map_err(|error| Wrong::new(format!("`{text}`: {error}")));
    Ok(SigningKey {
        selector: domain_of(selector)?,
        domain: domain.map(domain_of).transpose()?,
        file: file.into(),
        step,
    })
}

impl fmt::Display for SigningKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(formatter, "{space}{}", key.selector)?;
            if let Some(domain) = &key.domain {
                write!(formatter, "@{domain}")?;
            }
            write!(formatter, ":{}", key.file)?;
            if key.step != Step::Signing {
                write!(formatter, ":{}", key.step.as_str())?;
            }
        }
        Ok(())
    }
}

impl Compared for SigningKeys {
    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_keys_has_one_spelling() {
        for (text, written) in [
            ("mail:/keys/a.pem", "mail:/keys/a.pem"),
            ("mail:a.pem:signing, ed:b.pem", "mail:a.pem ed:b.pem"),
            (
                "New:a.pem:published\told@Example.org:b.pem:retired",
                "new:a.pem:published old@example.org:b.pem:retired",
            ),
            ("2026.mail:a.pem", "2026.mail:a.pem"),
        ] {
            let keys = SigningKeys::read(text).unwrap();
            assert_eq!(keys.to_string(), written, "{text}");
            assert_eq!(SigningKeys::read(written).unwrap(), keys);
        }
    }

    #[test]
    fn what_is_no_key_is_told_at_its_place() {
        for (text, at, what) in [
            ("", 0, "`selector:file` is expected, once for each key"),
            ("mail", 0, "`mail`: selector:file or selector:file:step is expected"),
            ("mail:", 0, "`mail:`: selector:file or selector:file:step is expected"),
            ("a:x b:y:soon", 4, "`soon`: published, signing or retired is expected"),
            ("a:x a:y", 4, "selector `a` stands here twice"),
        ] {
            assert_eq!(SigningKeys::read(text), Err(Wrong::at(at, what)), "{text:?}");
        }
        assert!(SigningKeys::read("ma il:x").is_err());
        let many: Vec<String> = (0..=MAX_KEYS).map(|key| format!("s{key}:f")).collect();
        assert!(SigningKeys::read(&many.join(" ")).is_err());
    }
}
