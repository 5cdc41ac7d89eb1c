//! `[srs]`: how the senders of forwarded mail are rewritten, so that reports find their way back.

use std::path::PathBuf;
use std::time::Duration;

use switchyard_smtp::address::Domain;

use crate::reader::Section;

/// How senders of forwarded mail are rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srs {
    /// The domain of rewritten addresses.
    pub domain: Domain,
    /// Files with one secret each; the first signs, all of them verify.
    pub secrets: Vec<PathBuf>,
    /// How long a rewritten address is good for.
    pub max_age: Duration,
}

pub(super) fn srs(section: &mut Section<'_>) -> Option<Srs> {
    let day = Duration::from_secs(24 * 3600);
    let domain: Option<Domain> = section
        .live(
            "domain",
            "Domain of rewritten senders, whose mail comes back to the routers; without it none is rewritten.",
        )
        .optional();
    let secrets: Vec<PathBuf> = section
        .live("secrets", "Files with one secret each: the first signs, all of them verify.")
        .list(Vec::new());
    let max_age = section
        .live("max_age", "How long a rewritten address is good for, in whole days.")
        .at_least(day)
        .at_most(day * 365)
        .or(day * 21);
    let has_secrets = !secrets.is_empty() || (section.has("secrets") && !section.is_empty_list("secrets"));
    if domain.is_some() && !has_secrets {
        section.fault(&["domain", "secrets"], "`srs.domain` needs `srs.secrets`: files with a secret each");
    }
    if has_secrets && domain.is_none() && !section.has("domain") {
        section.fault(&["secrets"], "`srs.secrets` needs `srs.domain`: the domain of rewritten senders");
    }
    Some(Srs { domain: domain?, secrets, max_age })
}
