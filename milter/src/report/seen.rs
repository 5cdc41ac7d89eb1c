//! What one message says for a report: whose policy was found, who wants to hear of it, and how the message fared.

use std::net::IpAddr;

use mail_auth::report::{
    ActionDisposition, Identifier, PolicyEvaluated, PolicyOverride, PolicyOverrideReason, PolicyPublished,
    Record, SPFDomainScope,
};
use mail_auth::{DmarcResult, dmarc};
use switchyard_smtp::address::Domain;

use super::ledger::Row;
use crate::message::{Client, Envelope};
use crate::verify::Verdicts;
use crate::verify::policy::Disposition;

/// Addresses of one policy that get reports (RFC 9990 §3.5.2 asks for two at least).
const MAX_DESTINATIONS: usize = 10;
/// Octets of an address.
const MAX_ADDRESS: usize = 320;
/// Octets of a name.
const MAX_NAME: usize = 255;

/// One message, as it is counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Where the policy was found.
    pub(crate) domain: Box<str>,
    /// The policy.
    pub(crate) published: PolicyPublished,
    /// Who wants to hear of it.
    pub(crate) destinations: Vec<String>,
    /// How the message fared.
    pub(crate) row: Row,
}

/// What is to be told of a message; none when nobody asked.
pub(crate) fn seen(verdicts: &Verdicts<'_>, client: &Client, envelope: &Envelope) -> Option<Seen> {
    let record = verdicts.dmarc.dmarc_record()?;
    let domain = verdicts.policy_domain.as_deref()?;
    // It names the report, in fields of a message and in a file's name: a wildcard in the DNS bears any octets.
    Domain::parse(domain).ok()?;
    let addresses = record.rua().iter().map(dmarc::URI::uri);
    let destinations: Vec<String> = addresses
        .filter(|address| address.len() <= MAX_ADDRESS)
        .take(MAX_DESTINATIONS)
        .map(str::to_owned)
        .collect();
    if destinations.is_empty() {
        return None;
    }
    let row = row(verdicts, record, client.address?, envelope, client);
    let published = PolicyPublished::from_record(domain, record);
    Some(Seen { domain: domain.into(), published, destinations, row: Row::of(&row)? })
}

fn row(
    verdicts: &Verdicts<'_>,
    record: &dmarc::Dmarc,
    source: IpAddr,
    envelope: &Envelope,
    client: &Client,
) -> Record {
    let mut told = Record::new()
        .with_dkim_output(&verdicts.dkim)
        .with_dmarc_output(&verdicts.dmarc)
        .with_source_ip(source);
    // RFC 7208 §2.4: the null reverse-path stands for postmaster at the name in HELO.
    let sender = if envelope.sender.is_empty() { client.hello.as_str() } else { &envelope.sender };
    let sender = fit(sender.rsplit_once('@').map_or(sender, |(_, domain)| domain));
    if let Some(spf) = &verdicts.spf {
        told = told.with_spf_output(spf, SPFDomainScope::MailFrom);
    }
    for spf in &mut told.auth_results.spf {
        spf.domain = sender.clone();
    }
    for dkim in &mut told.auth_results.dkim {
        // Words for people: with them no two messages would be of one kind.
        dkim.human_result = None;
        dkim.domain = fit(&dkim.domain);
        dkim.selector = fit(&dkim.selector);
    }
    told.identifiers = Identifier {
        envelope_to: None,
        envelope_from: if envelope.sender.is_empty() { String::new() } else { sender },
        header_from: fit(verdicts.dmarc.domain()),
    };
    let PolicyEvaluated { disposition, reason, .. } = &mut told.row.policy_evaluated;
    *disposition = match (verdicts.dmarc.result(), verdicts.disposition) {
        (DmarcResult::Pass, _) => ActionDisposition::Pass,
        (_, Disposition::Pass) => ActionDisposition::None,
        (_, Disposition::Quarantine) => ActionDisposition::Quarantine,
        (_, Disposition::Reject) => ActionDisposition::Reject,
    };
    *reason = why_not_as_it_asks(verdicts, record, *disposition).into_iter().collect();
    told
}

/// Why what became of the message is not what the policy asks for (RFC 9990 §3.1.1.9).
fn why_not_as_it_asks(
    verdicts: &Verdicts<'_>,
    record: &dmarc::Dmarc,
    became: ActionDisposition,
) -> Option<PolicyOverrideReason> {
    let asked = match verdicts.dmarc.policy() {
        dmarc::Policy::Quarantine => ActionDisposition::Quarantine,
        dmarc::Policy::Reject => ActionDisposition::Reject,
        dmarc::Policy::None | dmarc::Policy::Unspecified => ActionDisposition::None,
    };
    if became == ActionDisposition::Pass {
        None
    } else if became != asked {
        Some(PolicyOverrideReason::new(PolicyOverride::LocalPolicy))
    } else if record.t {
        Some(PolicyOverrideReason::new(PolicyOverride::PolicyTestMode))
    } else {
        None
    }
}

/// At most a name's octets, and none that a message can spoil a report with: XML 1.0 §2.2 has no place for most controls,
/// however they are escaped.
fn fit(text: &str) -> String {
    let end = (0..=MAX_NAME.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
    let is_foreign = |c: char| c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.replace(is_foreign, "\u{fffd}")
}

#[cfg(test)]
mod tests;
