//! Names to records: the system's resolver, one at a given address, or a twin for tests.
//!
//! What the caller must tell apart is told apart here: no such name, no such record, and "cannot know now".

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use switchyard_daemon::dns::{self, Asking, DnsError, HostsFile};
use switchyard_smtp::address::Domain;

/// Records of one answer that are looked at; the rest is dropped.
pub const MAX_RECORDS: usize = 100;

/// Answers that are remembered.
const CACHED: u64 = 8_192;

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolverOptions {
    /// Resolvers, with their ports; the system's own when there is none.
    pub servers: Vec<SocketAddr>,
    /// How long one question may take.
    pub timeout: Duration,
    /// How often it is asked again.
    pub attempts: usize,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout: Duration::from_secs(5), attempts: 2 }
    }
}

/// Why there is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// NXDOMAIN.
    #[error("no such domain")]
    NoName,
    /// The name exists; the record does not.
    #[error("no such record")]
    NoData,
    /// SERVFAIL, a timeout, a lame or a bogus answer: it may be known later.
    #[error("{0}")]
    Temporary(String),
}

/// One MX record (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mx {
    /// Lower is better.
    pub preference: u16,
    /// Its host; `None` for the root, by which a domain says that it takes no mail (RFC 7505).
    pub exchange: Option<String>,
}

/// Answers questions about names.
#[derive(Clone)]
pub struct Resolver(Source);

#[derive(Clone)]
enum Source {
    Dns(Box<TokioResolver>),
    #[cfg(test)]
    Twin(std::sync::Arc<Twin>),
}

impl Resolver {
    /// Sets the resolver up; nothing is asked yet.
    ///
    /// # Errors
    /// When the system's configuration cannot be read.
    pub fn new(options: &ResolverOptions) -> Result<Self, DnsError> {
        let ResolverOptions { servers, timeout, attempts } = options;
        let hosts_file = if servers.is_empty() { HostsFile::Asked } else { HostsFile::Ignored };
        let asking = Asking { servers, timeout: *timeout, attempts: *attempts, hosts_file, cached: CACHED };
        dns::resolver(&asking).map(|resolver| Self(Source::Dns(Box::new(resolver))))
    }

    /// The MX records of a domain, of which [`MAX_RECORDS`] at most are kept.
    ///
    /// # Errors
    /// When there is none, or it cannot be known now.
    pub async fn mx(&self, domain: &Domain) -> Result<Vec<Mx>, LookupError> {
        #[cfg_attr(not(test), expect(clippy::infallible_destructuring_match, reason = "tests have a twin"))]
        let resolver = match &self.0 {
            Source::Dns(resolver) => resolver,
            #[cfg(test)]
            Source::Twin(twin) => return twin.mx(domain),
        };
        let answers = ask(resolver, domain.as_str(), RecordType::MX).await?;
        let records = answers.into_iter().filter_map(|record| match record {
            RData::MX(mx) => Some(Mx {
                preference: mx.preference,
                exchange: (!mx.exchange.is_root()).then(|| mx.exchange.to_ascii()),
            }),
            _ => None,
        });
        non_empty(records.take(MAX_RECORDS).collect())
    }

    /// The addresses of a host, IPv6 ones first, of which [`MAX_RECORDS`] at most are kept.
    ///
    /// # Errors
    /// When there is none, or it cannot be known now.
    pub async fn addresses(&self, host: &Domain) -> Result<Vec<IpAddr>, LookupError> {
        #[cfg_attr(not(test), expect(clippy::infallible_destructuring_match, reason = "tests have a twin"))]
        let resolver = match &self.0 {
            Source::Dns(resolver) => resolver,
            #[cfg(test)]
            Source::Twin(twin) => return twin.addresses(host),
        };
        let (v6, v4) = tokio::join!(
            ask(resolver, host.as_str(), RecordType::AAAA),
            ask(resolver, host.as_str(), RecordType::A)
        );
        let found = v6.iter().chain(&v4).flatten().filter_map(|record| match record {
            RData::A(address) => Some(IpAddr::V4(address.0)),
            // A mapped address must not slip by a filter as an IPv6 one.
            RData::AAAA(address) => Some(IpAddr::V6(address.0).to_canonical()),
            _ => None,
        });
        let found: Vec<IpAddr> = found.take(MAX_RECORDS).collect();
        match (v6, v4) {
            _ if !found.is_empty() => Ok(found),
            // One family that cannot be known leaves all unknown.
            (Err(LookupError::Temporary(why)), _) | (_, Err(LookupError::Temporary(why))) => {
                Err(LookupError::Temporary(why))
            }
            (Err(LookupError::NoName), _) | (_, Err(LookupError::NoName)) => Err(LookupError::NoName),
            _ => Err(LookupError::NoData),
        }
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Resolver")
    }
}

async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Vec<RData>, LookupError> {
    let mut name = Name::from_ascii(name).map_err(|_| LookupError::NoName)?;
    // No search list of this machine's ever answers for a mail domain.
    name.set_fqdn(true);
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            Ok(lookup.answers().iter().take(4 * MAX_RECORDS).map(|record| record.data.clone()).collect())
        }
        Err(error) if error.is_nx_domain() => Err(LookupError::NoName),
        Err(error) if is_no_data(&error) => Err(LookupError::NoData),
        Err(error) => Err(LookupError::Temporary(error.to_string())),
    }
}

fn is_no_data(error: &NetError) -> bool {
    use hickory_resolver::net::DnsError;
    matches!(error, NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NoError)
}

fn non_empty<T>(records: Vec<T>) -> Result<Vec<T>, LookupError> {
    if records.is_empty() { Err(LookupError::NoData) } else { Ok(records) }
}

// ---------------------------------------------------------------------------------------------------------

/// Records told by a test, and names that fail. A name in neither does not exist.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(crate) struct Twin {
    pub mx: std::collections::BTreeMap<&'static str, Vec<(u16, &'static str)>>,
    pub addresses: std::collections::BTreeMap<&'static str, Vec<&'static str>>,
    pub fails: std::collections::BTreeSet<&'static str>,
    /// Names that answer so once, and by `addresses` from then on.
    pub first: std::sync::Arc<std::sync::Mutex<std::collections::BTreeMap<&'static str, &'static str>>>,
}

#[cfg(test)]
impl Twin {
    pub(crate) fn resolver(self) -> Resolver {
        Resolver(Source::Twin(std::sync::Arc::new(self)))
    }

    fn check(&self, name: &str) -> Result<(), LookupError> {
        if self.fails.contains(name) {
            return Err(LookupError::Temporary("SERVFAIL".to_owned()));
        }
        let known = self.mx.contains_key(name) || self.addresses.contains_key(name);
        if known { Ok(()) } else { Err(LookupError::NoName) }
    }

    fn mx(&self, domain: &Domain) -> Result<Vec<Mx>, LookupError> {
        self.check(domain.as_str())?;
        let records = self.mx.get(domain.as_str()).into_iter().flatten().map(|(preference, exchange)| Mx {
            preference: *preference,
            exchange: (*exchange != ".").then(|| (*exchange).to_owned()),
        });
        non_empty(records.take(MAX_RECORDS).collect())
    }

    fn addresses(&self, host: &Domain) -> Result<Vec<IpAddr>, LookupError> {
        self.check(host.as_str())?;
        if let Some(once) = self.first.lock().unwrap().remove(host.as_str()) {
            return Ok(vec![once.parse().expect("an address")]);
        }
        let records = self.addresses.get(host.as_str()).into_iter().flatten();
        non_empty(records.map(|text| text.parse::<IpAddr>().expect("an address").to_canonical()).collect())
    }
}

#[cfg(test)]
mod tests;
