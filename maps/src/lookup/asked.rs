//! An address as tables are asked for it: all of it, without its extension, and cut off before a sign.

use std::borrow::Cow;

use switchyard_smtp::address::Mailbox;

use super::{Matched, Rules};
use crate::chain::{Asking, Found, Hit};
use crate::key;

/// An address in the form that maps are asked in.
#[derive(Debug)]
pub(super) struct Asked {
    /// As it was written, where that is not the same.
    given: Option<String>,
    whole: String,
    /// Octets before the at-sign.
    local: usize,
    without_extension: Option<String>,
}

impl Asked {
    pub(super) fn new(mailbox: &Mailbox, rules: &Rules) -> Self {
        Self::of(mailbox.local.as_str(), &key::of_host(&mailbox.host), rules)
    }

    pub(super) fn of(local: &str, host: &str, rules: &Rules) -> Self {
        let whole = key::joined(local, host);
        let folded = whole.len() - host.len() - 1;
        let given = (whole[..folded] != *local).then(|| [local, "@", host].concat());
        let local = folded;
        let without_extension = rules.extension(&whole[..local]).map(|extension| {
            let user = &whole[..local - extension.len()];
            format!("{user}{}", &whole[local..])
        });
        Self { given, whole, local, without_extension }
    }

    pub(super) fn given(&self) -> &str {
        self.given.as_deref().unwrap_or(&self.whole)
    }

    pub(super) fn host(&self) -> &str {
        &self.whole[self.local + 1..]
    }

    pub(super) fn local(&self) -> &str {
        &self.whole[..self.local]
    }

    pub(super) fn at_domain(&self) -> &str {
        &self.whole[self.local..]
    }

    pub(super) fn users_keys(&self) -> impl Iterator<Item = &str> {
        [self.whole.as_str()].into_iter().chain(self.without_extension.as_deref())
    }

    /// `user+ext@domain`, `user@domain`.
    pub(super) fn users<'a>(&self, tables: &Asking<'a, '_>) -> Found<Option<(Hit<'a>, Matched)>> {
        if let Some(hit) = tables.whole(&self.whole, self.given())? {
            return Ok(Some((hit, Matched::Whole)));
        }
        let Some(user) = &self.without_extension else { return Ok(None) };
        Ok(tables.part(user)?.map(|hit| (hit, Matched::WithoutExtension)))
    }

    /// The same keys cut off before `end`, with `sign` put there.
    pub(super) fn users_before<'a>(
        &self,
        tables: &Asking<'a, '_>,
        sign: &str,
    ) -> Found<Option<(Hit<'a>, Matched)>> {
        if let Some(hit) = tables.part(&with(self.local(), sign))? {
            return Ok(Some((hit, Matched::Whole)));
        }
        let user = self.without_extension.as_deref().and_then(|user| user.strip_suffix(self.at_domain()));
        let Some(user) = user else { return Ok(None) };
        Ok(tables.part(&with(user, sign))?.map(|hit| (hit, Matched::WithoutExtension)))
    }
}

fn with<'a>(text: &'a str, sign: &str) -> Cow<'a, str> {
    if sign.is_empty() { text.into() } else { format!("{text}{sign}").into() }
}
