//! Who may get a domain's reports: its own organization, and whoever says in the DNS that it wants them
//! (RFC 9990 §4). Without that, anybody could have anybody flooded with reports.

use mail_auth::dmarc::{Dmarc, Psd, URI};
use mail_auth::{DnsError, Error, MessageAuthenticator, Parameters};
use std::sync::Arc;
use switchyard_smtp::address::{Host, Mailbox};

/// The DNS cannot say now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the DNS cannot say now who may get it: {0}")]
pub(super) struct Unknown(String);

/// Labels of a name after the first look; between them lies nothing that counts (RFC 9989 §4.10).
const MOST_LABELS: usize = 7;

/// Those of `addresses`, which a policy at `domain` names, that may get its reports.
pub(super) async fn allowed(
    dns: &MessageAuthenticator,
    domain: &str,
    addresses: &[String],
) -> Result<Vec<Mailbox>, Unknown> {
    let mut allowed: Vec<Mailbox> = Vec::new();
    for address in addresses {
        let Ok(mailbox) = Mailbox::parse(address) else {
            tracing::info!(domain, address, "reports go to no such address");
            continue;
        };
        let Host::Domain(host) = &mailbox.host else { continue };
        let host = host.as_str();
        let mut found = if is_of(dns, domain, host).await? {
            vec![mailbox]
        } else {
            outside(dns, domain, host, mailbox.clone()).await?
        };
        found.retain(|mailbox| !allowed.contains(mailbox));
        allowed.append(&mut found);
    }
    Ok(allowed)
}

/// Whether both names are of one organization.
async fn is_of(dns: &MessageAuthenticator, domain: &str, host: &str) -> Result<bool, Unknown> {
    // Nobody below a name is a stranger to it: that is how its owner gave it away.
    let is_below = host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    Ok(is_below || organization(dns, domain).await? == organization(dns, host).await?)
}

/// RFC 9990 §4: what the host says of reports about `domain`; nothing is no.
async fn outside(
    dns: &MessageAuthenticator,
    domain: &str,
    host: &str,
    mailbox: Mailbox,
) -> Result<Vec<Mailbox>, Unknown> {
    let Some(record) = record(dns, &format!("{domain}._report._dmarc.{host}.")).await? else {
        tracing::info!(domain, host, "it has not said that it wants reports about this domain");
        return Ok(Vec::new());
    };
    // It may name another address, and no other host: else two hosts could send reports round and round.
    let instead = record.rua().iter().filter_map(|uri: &URI| Mailbox::parse(uri.uri()).ok());
    let instead: Vec<Mailbox> = instead.filter(|other| other.host == mailbox.host).take(1).collect();
    Ok(if record.rua().is_empty() { vec![mailbox] } else { instead })
}

/// RFC 9989 §4.10.2: up the tree of names, as far as one organization goes.
async fn organization(dns: &MessageAuthenticator, domain: &str) -> Result<String, Unknown> {
    let labels: Vec<&str> = domain.split('.').collect();
    let name = |count: usize| labels.get(labels.len().saturating_sub(count)..).unwrap_or_default().join(".");
    let mut highest = None;
    let mut count = labels.len();
    while count > 0 {
        match record(dns, &format!("_dmarc.{}.", name(count))).await?.map(|record| record.psd.clone()) {
            Some(Psd::No) => return Ok(name(count)),
            Some(Psd::Yes) => return Ok(name((count + 1).min(labels.len()))),
            Some(Psd::Default) => highest = Some(count),
            None => {}
        }
        count = if count > MOST_LABELS { MOST_LABELS } else { count - 1 };
    }
    Ok(name(highest.unwrap_or(labels.len())))
}

async fn record(dns: &MessageAuthenticator, name: &str) -> Result<Option<Arc<Dmarc>>, Unknown> {
    let caches = Parameters::new(());
    match dns.txt_lookup::<Dmarc>(name, caches.cache_txt).await {
        Ok(record) => Ok(Some(record)),
        Err(Error::Dns(DnsError::Resolver(why))) => Err(Unknown(why)),
        Err(_none) => Ok(None),
    }
}

#[cfg(test)]
mod tests;
