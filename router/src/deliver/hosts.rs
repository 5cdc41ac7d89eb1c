//! From a next hop to the addresses to try, in order (RFC 5321 §5.1).
//!
//! 1. `[host]`, `unix:/path` and the members of a pool are the operator's word: their addresses, as they are.
//! 2. A domain: its MX records by preference, equals in random order; its own addresses when it has none.
//! 3. If we stand in that list ourselves, our place and all that is worse is dropped, or mail would loop.
//! 4. What the DNS said is filtered by address. At most [`HostsOptions::addresses_tried`] are left.
//!
//! Resolved once for an attempt, and connected to as it was resolved: a second answer changes nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use switchyard_maps::{Hop, Transport};
use switchyard_smtp::address::{AddressLiteral, Domain, Host};
use switchyard_smtp::status::EnhancedStatus;

use super::filter::{FilterOptions, Permit};
use super::resolver::{LookupError, MAX_RECORDS, Resolver};

/// What finding hosts needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsOptions {
    /// Names of this host, as they may stand in an MX list.
    pub own_names: BTreeSet<Domain>,
    /// Which addresses the DNS may send us to.
    pub filter: FilterOptions,
    /// Addresses tried in one attempt (Postfix's `smtp_mx_address_limit`).
    pub addresses_tried: usize,
    /// The port of mail exchangers.
    pub mx_port: u16,
}

impl Default for HostsOptions {
    fn default() -> Self {
        Self { own_names: BTreeSet::new(), filter: FilterOptions::default(), addresses_tried: 5, mx_port: 25 }
    }
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A socket on this machine.
    Unix(Arc<Path>),
}

/// One address to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where.
    pub place: Place,
    /// The host's name, or its address in brackets: for logs, reports and certificates.
    pub name: Host,
    /// True when the DNS chose the address and not the operator, so that the filter holds for the peer too.
    pub filtered: bool,
}

/// Why there is nowhere to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nowhere {
    /// 4.x.x to try again, 5.x.x to give up.
    pub status: EnhancedStatus,
    /// In words.
    pub text: String,
}

impl Nowhere {
    fn new(status: (u8, u16, u16), text: impl Into<String>) -> Self {
        Self { status: EnhancedStatus::new(status.0, status.1, status.2), text: text.into() }
    }
}

/// Finds the addresses of next hops.
#[derive(Debug, Clone)]
pub struct Hosts {
    options: HostsOptions,
    resolver: Resolver,
}

impl Hosts {
    /// Asks this resolver.
    #[must_use]
    pub fn new(options: HostsOptions, resolver: Resolver) -> Self {
        Self { options, resolver }
    }

    /// Whether a peer may be spoken to at this address.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        self.options.filter.permit(address) == Permit::Yes
    }

    /// The addresses to try for these hops, in order.
    ///
    /// # Errors
    /// When there is none: the first hop's reason, a passing one before a lasting one.
    pub async fn find(
        &self,
        hops: &[Hop],
        transport: Transport,
        chance: &mut fastrand::Rng,
    ) -> Result<Vec<Candidate>, Nowhere> {
        let limit = self.options.addresses_tried.max(1);
        let mut found = Vec::new();
        let mut why: Option<Nowhere> = None;
        for hop in hops {
            match self.find_hop(hop, transport, chance).await {
                Ok(candidates) => found.extend(candidates),
                Err(nowhere) if why.as_ref().is_none_or(|why| why.status.class > nowhere.status.class) => {
                    why = Some(nowhere);
                }
                Err(_) => {}
            }
            if found.len() >= limit {
                found.truncate(limit);
                break;
            }
        }
        if found.is_empty() {
            return Err(why.unwrap_or_else(|| Nowhere::new((4, 4, 4), "no next hop is named")));
        }
        Ok(found)
    }

    async fn find_hop(
        &self,
        hop: &Hop,
        transport: Transport,
        chance: &mut fastrand::Rng,
    ) -> Result<Vec<Candidate>, Nowhere> {
        let default_port = match transport {
            Transport::Smtp => self.options.mx_port,
            // RFC 2033 §5 forbids port 25; 24 is private mail systems'.
            Transport::Lmtp => 24,
        };
        match hop {
            Hop::Unix(path) => {
                let name = Host::Literal(AddressLiteral(IpAddr::from([127, 0, 0, 1])));
                Ok(vec![Candidate { place: Place::Unix(Arc::clone(path)), name, filtered: false }])
            }
            Hop::Host { host, port } => self.find_host(host, port.unwrap_or(default_port)).await,
            Hop::Mx { domain, port } => {
                self.find_exchangers(domain, port.unwrap_or(default_port), chance).await
            }
        }
    }

    /// `[host]`: what the operator wrote. A name that the DNS does not know is his slip or his DNS's, and no
    /// sender hears of it before the mail is too old.
    async fn find_host(&self, host: &Host, port: u16) -> Result<Vec<Candidate>, Nowhere> {
        let addresses = match host {
            Host::Literal(literal) => vec![literal.0],
            Host::Domain(domain) => self.resolver.addresses(domain).await.map_err(|error| match error {
                LookupError::Temporary(why) => Nowhere::new((4, 4, 3), format!("DNS: {domain}: {why}")),
                error => Nowhere::new((4, 4, 4), format!("next hop {domain}: {error}")),
            })?,
        };
        Ok(addresses
            .into_iter()
            .map(|address| Candidate {
                place: Place::Tcp(SocketAddr::new(address, port)),
                name: host.clone(),
                filtered: false,
            })
            .collect())
    }

    async fn find_exchangers(
        &self,
        domain: &Domain,
        port: u16,
        chance: &mut fastrand::Rng,
    ) -> Result<Vec<Candidate>, Nowhere> {
        let exchangers = match self.resolver.mx(domain).await {
            // RFC 7505 §3: one record, the root: this domain takes no mail, and its addresses are not asked.
            Ok(records) if records.iter().all(|mx| mx.exchange.is_none()) => {
                return Err(Nowhere::new((5, 1, 10), format!("{domain} takes no mail (null MX)")));
            }
            Ok(records) => self.by_preference(records, chance),
            // RFC 5321 §5.1: without MX records, the domain itself is its exchanger.
            Err(LookupError::NoData) => vec![(0, domain.clone())],
            Err(LookupError::NoName) => {
                return Err(Nowhere::new((5, 1, 2), format!("domain {domain} does not exist")));
            }
            Err(LookupError::Temporary(why)) => {
                return Err(Nowhere::new((4, 4, 3), format!("DNS: MX of {domain}: {why}")));
            }
        };
        self.resolve_exchangers(domain, exchangers, port).await
    }

    /// RFC 5321 §5.1: lower preferences first; equals in random order.
    fn by_preference(
        &self,
        records: Vec<super::resolver::Mx>,
        chance: &mut fastrand::Rng,
    ) -> Vec<(u16, Domain)> {
        let mut exchangers: Vec<(u16, Domain)> = records
            .into_iter()
            // The root beside real exchangers, or what is no host name (an address, say), is no exchanger.
            .filter_map(|mx| Some((mx.preference, Domain::parse(&mx.exchange?).ok()?)))
            .collect();
        chance.shuffle(&mut exchangers);
        exchangers.sort_by_key(|(preference, _)| *preference);
        exchangers
    }

    async fn resolve_exchangers(
        &self,
        domain: &Domain,
        exchangers: Vec<(u16, Domain)>,
        port: u16,
    ) -> Result<Vec<Candidate>, Nowhere> {
        let limit = self.options.addresses_tried.max(1);
        let own_name = exchangers.iter().find(|(_, name)| self.options.own_names.contains(name));
        let mut ourselves = own_name.map(|(preference, _)| *preference);
        let mut found: Vec<(u16, Candidate)> = Vec::new();
        let (mut unknown, mut filtered) = (None, false);
        for (preference, name) in exchangers.into_iter().take(MAX_RECORDS) {
            // RFC 5321 §5.1: our own place and all that is not better than it must not be tried.
            if ourselves.is_some_and(|own| preference >= own) {
                break;
            }
            // Of a preference that was begun all are looked at: one of the equals may be ourselves.
            if found.len() >= limit && found.last().is_some_and(|(worst, _)| *worst != preference) {
                break;
            }
            let addresses = match self.resolver.addresses(&name).await {
                Ok(addresses) => addresses,
                Err(LookupError::Temporary(why)) => {
                    unknown = Some(format!("DNS: {name}: {why}"));
                    continue;
                }
                Err(LookupError::NoName | LookupError::NoData) => continue,
            };
            for address in addresses {
                match self.options.filter.permit(address) {
                    Permit::Yes => found.push((preference, candidate(address, port, &name))),
                    Permit::Own => ourselves = Some(preference),
                    Permit::No => filtered = true,
                }
            }
        }
        found.retain(|(preference, _)| ourselves.is_none_or(|own| *preference < own));
        found.truncate(limit);
        if !found.is_empty() {
            return Ok(found.into_iter().map(|(_, candidate)| candidate).collect());
        }
        Err(match (ourselves, unknown) {
            (_, Some(why)) => Nowhere::new((4, 4, 3), why),
            (Some(_), None) => Nowhere::new((5, 4, 6), format!("mail for {domain} loops back to this host")),
            (None, None) if filtered => {
                Nowhere::new((5, 4, 4), format!("the hosts of {domain} have no address on the internet"))
            }
            (None, None) => Nowhere::new((5, 4, 4), format!("no host for {domain} has an address")),
        })
    }
}

fn candidate(address: IpAddr, port: u16, name: &Domain) -> Candidate {
    Candidate {
        place: Place::Tcp(SocketAddr::new(address, port)),
        name: Host::Domain(name.clone()),
        filtered: true,
    }
}

#[cfg(test)]
mod tests;
