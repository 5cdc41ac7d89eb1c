//! Keys as they stand in a file, brought to the one form that they are asked in.
//!
//! That form is lower case, with the local part unquoted and the domain in A-labels: `"Joe User"@Bücher.example`
//! is kept as `joe user@xn--bcher-kva.example`. Postfix asks both the quoted and the unquoted spelling; here
//! both are one key.

use std::borrow::Cow;
use std::net::IpAddr;

use switchyard_smtp::address::{AddressError, Domain, Host, MAX_DOMAIN, MAX_LOCAL_PART, Mailbox};

use crate::fault::Wrong;
use crate::name::Keys;

/// Octets of a key as written; the longest legal address has 320, and quotes may double some.
const MAX_KEY: usize = 640;
/// Letters before the star of `prefix*@domain`.
pub(crate) const MAX_PREFIX: usize = 8;

/// Folds case the same way whatever stands around a letter.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_lowercase).collect()
}

/// `local@host` as maps are asked.
pub(crate) fn of_mailbox(mailbox: &Mailbox) -> String {
    joined(mailbox.local.as_str(), &of_host(&mailbox.host))
}

/// The same from the parts of one, the local part without quotes and the host by [`of_host`].
pub(crate) fn joined(local: &str, host: &str) -> String {
    let mut key = String::with_capacity(local.len() + 1 + host.len());
    if local.is_ascii() {
        key.push_str(local);
        key.make_ascii_lowercase();
    } else {
        key.push_str(&fold(local));
    }
    key.push('@');
    key.push_str(host);
    key
}

/// A domain, or a literal in its brackets.
pub(crate) fn of_host(host: &Host) -> Cow<'_, str> {
    match host {
        Host::Domain(domain) => domain.as_str().into(),
        Host::Literal(literal) => fold(&literal.to_string()).into(),
    }
}

/// Reads a key of this form, or says which forms there are.
pub(crate) fn read(keys: Keys, text: &str) -> Result<String, Wrong> {
    if text.len() > MAX_KEY {
        return Err(Wrong::new(format!("a key of more than {MAX_KEY} octets")));
    }
    match keys {
        Keys::Transport => match text {
            "*" => Ok(text.to_owned()),
            _ if text.starts_with('@') => {
                Err(Wrong::new(format!("write `{}` for a whole domain", &text[1..])))
            }
            _ if text.contains('@') => mailbox(text),
            _ => domain(text),
        },
        Keys::Domain => domain(text),
        Keys::Sender if text == "<>" => Ok(text.to_owned()),
        Keys::Address | Keys::Sender => address(text),
        Keys::Backend => match text.split_once("*@") {
            Some((prefix, name)) => {
                Ok(format!("{}*@{}", prefix_of_user(prefix)?, host(name, prefix.len() + 2)?))
            }
            None if text.starts_with('@') || text.contains('@') => address(text),
            None => Err(Wrong::new(format!("`{text}`: user@domain, prefix*@domain or @domain is expected"))),
        },
        Keys::Client => client(text),
        Keys::Helo => Ok(fold(text)),
        Keys::SenderAccess if text == "<>" => Ok(text.to_owned()),
        Keys::SenderAccess | Keys::RecipientAccess => match text.strip_suffix('@') {
            Some(name) if !name.is_empty() => Ok(format!("{}@", user(name)?)),
            _ if text.starts_with('@') => {
                Err(Wrong::new(format!("write `{}` for a whole domain", &text[1..])))
            }
            _ if text.contains('@') => mailbox(text),
            _ => domain(text),
        },
    }
}

/// True for text that [`read`] would give back as it is. Most keys of most files are such, and to see that costs a
/// fraction of reading them; what is not seen here is read.
pub(crate) fn is_settled(keys: Keys, text: &str) -> bool {
    let at = memchr::memchr(b'@', text.as_bytes());
    let (local, domain) = text.as_bytes().split_at(at.unwrap_or(0));
    match (keys, domain) {
        (Keys::Client | Keys::Helo, _) => false,
        (Keys::Domain | Keys::Transport | Keys::RecipientAccess | Keys::SenderAccess, domain)
            if at.is_none() =>
        {
            is_settled_domain(domain)
        }
        (Keys::Domain, _) => false,
        (_, [b'@', domain @ ..]) => is_settled_local(local) && is_settled_domain(domain),
        _ => false,
    }
}

/// Words of local parts that need no quotes, in lower case.
fn is_settled_local(text: &[u8]) -> bool {
    let letter = |octet: &u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'_' | b'=');
    let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(letter);
    text.len() <= MAX_LOCAL_PART && text.split(|octet| *octet == b'.').all(is_word)
}

/// A domain in lower case, of labels that encode nothing.
fn is_settled_domain(text: &[u8]) -> bool {
    let letter = |octet: &u8| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let is_label = |label: &[u8]| {
        (1..=63).contains(&label.len())
            && label.iter().all(letter)
            && !label.starts_with(b"-")
            && !label.ends_with(b"-")
            && !label.starts_with(b"xn--")
    };
    // Figures alone may be an address.
    let is_name = text.last().is_some_and(u8::is_ascii_lowercase);
    is_name && text.len() <= MAX_DOMAIN && text.split(|octet| *octet == b'.').all(is_label)
}

fn address(text: &str) -> Result<String, Wrong> {
    match text.strip_prefix('@') {
        Some(name) => Ok(format!("@{}", host(name, 1)?)),
        None if text.contains('@') => mailbox(text),
        None => user(text),
    }
}

/// The letters a user's name starts with.
fn prefix_of_user(prefix: &str) -> Result<String, Wrong> {
    match prefix.chars().count() {
        0 => Err(Wrong::new("for a whole domain write `@domain`")),
        1..=MAX_PREFIX => user(prefix),
        _ => Err(Wrong::new(format!("a prefix of more than {MAX_PREFIX} letters"))),
    }
}

/// A name, an address, or the octets that addresses start with (access(5)).
fn client(text: &str) -> Result<String, Wrong> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string());
    }
    let octets = |text: &str| text.split('.').all(|octet| octet.parse::<u8>().is_ok());
    let groups = |text: &str| {
        text.contains(':') && text.split(':').all(|group| u16::from_str_radix(group, 16).is_ok())
    };
    if octets(text) || groups(text) {
        return Ok(fold(text));
    }
    if text.contains('/') {
        return Err(Wrong::new(format!("`{text}`: networks by length stand in a `cidr:` table")));
    }
    domain(text)
}

fn mailbox(text: &str) -> Result<String, Wrong> {
    // The star stands for itself here, as in Postfix; nobody means that.
    if text.starts_with("*@") {
        let what = format!("`{text}`: for a whole domain write `@domain`, in a transport map `domain`");
        return Err(Wrong::new(what));
    }
    Mailbox::parse(text).map(|mailbox| of_mailbox(&mailbox)).map_err(|error| {
        let hint = if text.contains(',') { "; one address a line is expected" } else { "" };
        Wrong::new(format!("`{text}`: {error}{hint}"))
    })
}

/// `example.org` itself, `.example.org` for those below it.
fn domain(text: &str) -> Result<String, Wrong> {
    match text.strip_prefix('.') {
        Some(parent) => {
            let parent = Domain::parse(parent).map_err(|error| bad_domain(text, error))?;
            Ok(format!(".{parent}"))
        }
        None => host(text, 0),
    }
}

fn host(text: &str, at: usize) -> Result<String, Wrong> {
    Host::parse(text)
        .map(|host| of_host(&host).into_owned())
        .map_err(|error| bad_domain(text, error).moved(at))
}

fn bad_domain(text: &str, error: AddressError) -> Wrong {
    let hint = if text.starts_with("*.") { "; for the domains below one write `.domain`" } else { "" };
    Wrong::new(format!("`{text}`: {error}{hint}"))
}

/// A user without a domain; `a.b.example` is one too, and the mark of a virtual alias domain in virtual(5).
fn user(text: &str) -> Result<String, Wrong> {
    // Any domain will do to read it by the grammar.
    match Mailbox::parse(&format!("{text}@localhost")) {
        Ok(mailbox) => Ok(fold(mailbox.local.as_str())),
        Err(AddressError::Malformed) if Domain::parse(text).is_ok() => host(text, 0),
        Err(error) if text.ends_with(':') => {
            Err(Wrong::new(format!("`{text}`: {error}; is this an aliases(5) file?")))
        }
        Err(error) => Err(Wrong::new(format!("`{text}`: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        use Keys::{Address, Backend, Client, Domain, SenderAccess, Transport};
        for (map, text, key) in [
            (Transport, "*", "*"),
            (Transport, ".Example.ORG", ".example.org"),
            (Transport, "Bücher.example.", "xn--bcher-kva.example"),
            (Transport, "User+Ext@Example.org", "user+ext@example.org"),
            (Transport, "[192.0.2.1]", "[192.0.2.1]"),
            (Address, "\"Joe User\"@x.example", "joe user@x.example"),
            (Address, "\"joe\"@x.example", "joe@x.example"),
            (Address, "@X.example", "@x.example"),
            (Address, "Postmaster", "postmaster"),
            (Address, "x.example", "x.example"),
            (Address, "ÄÖ@x.example", "äö@x.example"),
            (Domain, "x.example", "x.example"),
            (Backend, "J*@X.example", "j*@x.example"),
            (Client, "2001:DB8::1", "2001:db8::1"),
            (Client, "::ffff:192.0.2.1", "192.0.2.1"),
            (Client, "192.0.2", "192.0.2"),
            (Client, "2001:DB8", "2001:db8"),
            (Client, ".Example.org", ".example.org"),
            (SenderAccess, "User@", "user@"),
            (SenderAccess, "<>", "<>"),
        ] {
            assert_eq!(read(map, text), Ok(key.to_owned()), "{map:?} {text}");
        }
    }

    proptest! {
        #[test]
        fn what_looks_settled_is_read_as_it_is(
            text in "([a-c*1.+_=-]{1,3}|xn--|[.]|[A-Zé\" ]){0,4}@?([a-c1_-]{1,3}|xn--|[.]|[A-Zé]){0,5}",
        ) {
            use Keys::{Address, Backend, Domain, RecipientAccess, Sender, SenderAccess, Transport};
            for keys in [Address, Backend, Domain, RecipientAccess, Sender, SenderAccess, Transport] {
                if is_settled(keys, &text) {
                    prop_assert_eq!(read(keys, &text), Ok(text.clone()), "{:?}", keys);
                }
            }
        }
    }

    #[test]
    fn what_can_never_be_asked_is_refused() {
        use Keys::{Address, Client, Domain, Transport};
        for (map, text, what) in [
            (
                Transport,
                "*.example.org",
                "`*.example.org`: malformed domain; for the domains below one write `.domain`",
            ),
            (Transport, "@example.org", "write `example.org` for a whole domain"),
            (
                Address,
                "*@example.org",
                "`*@example.org`: for a whole domain write `@domain`, in a transport map `domain`",
            ),
            (
                Address,
                "a@b.example,c@d.example",
                "`a@b.example,c@d.example`: malformed domain; one address a line is expected",
            ),
            (Address, ".example.org", "`.example.org`: malformed address"),
            (Domain, "a@example.org", "`a@example.org`: malformed domain"),
            (Address, "@", "``: malformed domain"),
            (Client, "192.0.2.0/24", "`192.0.2.0/24`: networks by length stand in a `cidr:` table"),
        ] {
            assert_eq!(read(map, text).map_err(|wrong| wrong.what), Err(what.to_owned()), "{text}");
        }
        assert!(read(Transport, &"a".repeat(MAX_KEY + 1)).is_err());
    }
}
