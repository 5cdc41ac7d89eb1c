//! How much TLS each next hop is owed, and the client configurations for that.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rustls::pki_types::ServerName;
use switchyard_maps::Destination;
use switchyard_smtp::address::Host;
use switchyard_smtp::io::tls_client::{Identity, TlsClient, TlsLevel};
use switchyard_smtp::io::tls_server::CertificateError;

use super::hosts::{Candidate, Place};

/// TLS towards next hops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Where nothing else is said.
    pub level: TlsLevel,
    /// By next hop, written as in the transport map: `[gw.example.net]:25`, `example.net`, `@pool`.
    pub by_nexthop: BTreeMap<String, TlsLevel>,
    /// PEM file of the authorities that [`TlsLevel::Verify`] trusts.
    pub authorities: Option<PathBuf>,
    /// Our own certificate chain and its key, for peers that ask.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// TLS cannot be set up as asked.
#[derive(Debug, thiserror::Error)]
pub enum TlsPolicyError {
    /// A file.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Verifying without anybody to trust.
    #[error("TLS level `verify` needs a file of authorities to trust")]
    NoAuthorities,
}

/// The policy, ready to be asked.
#[derive(Debug)]
pub struct TlsPolicy {
    level: TlsLevel,
    by_nexthop: BTreeMap<String, TlsLevel>,
    unverified: TlsClient,
    verifying: Option<TlsClient>,
}

impl TlsPolicy {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file is missing or bad, or a level needs one that is not named.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsPolicyError> {
        let identity = || options.identity.as_ref().map(|(chain, key)| Identity { chain, key });
        let verifying =
            options.authorities.as_ref().map(|file| TlsClient::verifying(file, identity())).transpose()?;
        let asks =
            options.by_nexthop.values().chain([&options.level]).any(|level| *level == TlsLevel::Verify);
        if asks && verifying.is_none() {
            return Err(TlsPolicyError::NoAuthorities);
        }
        Ok(Self {
            level: options.level,
            by_nexthop: options.by_nexthop.clone(),
            unverified: TlsClient::unverified(identity())?,
            verifying,
        })
    }

    /// What a destination is owed.
    #[must_use]
    pub fn level(&self, destination: &Destination) -> TlsLevel {
        if self.by_nexthop.is_empty() {
            return self.level;
        }
        self.by_nexthop.get(&destination.nexthop.to_string()).copied().unwrap_or(self.level)
    }

    /// How to shake hands at this level.
    #[must_use]
    pub fn client(&self, level: TlsLevel) -> &TlsClient {
        match (level, &self.verifying) {
            (TlsLevel::Verify, Some(verifying)) => verifying,
            // `new` refuses `Verify` without authorities.
            _ => &self.unverified,
        }
    }
}

/// The name that a certificate is to be for; `None` on sockets of this machine, which need none.
#[must_use]
pub fn server_name(candidate: &Candidate) -> Option<ServerName<'static>> {
    let Place::Tcp(address) = &candidate.place else { return None };
    let by_address = ServerName::IpAddress(address.ip().into());
    match &candidate.name {
        Host::Literal(_) => Some(by_address),
        // A name that no certificate can be for (`_mail.example`) is shaken hands with by its address.
        Host::Domain(domain) => Some(ServerName::try_from(domain.to_string()).unwrap_or(by_address)),
    }
}

/// The level as a metric's label.
#[must_use]
pub const fn label(level: TlsLevel) -> &'static str {
    match level {
        TlsLevel::None => "none",
        TlsLevel::May => "may",
        TlsLevel::Encrypt => "encrypt",
        TlsLevel::Verify => "verify",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use switchyard_maps::{Resolved, Route};

    fn destination(route: &str) -> Destination {
        let pools = BTreeSet::from(["inside".to_owned()]);
        let host = Host::parse("dom.example").unwrap();
        match Route::parse(route, &pools).unwrap().resolve(&Route::Keep, &host) {
            Resolved::Deliver(destination) => destination,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_nearest_word_counts() {
        let options = TlsOptions {
            by_nexthop: BTreeMap::from([
                ("[gw.example]:26".to_owned(), TlsLevel::Encrypt),
                ("@inside".to_owned(), TlsLevel::None),
                ("dom.example".to_owned(), TlsLevel::Encrypt),
            ]),
            ..TlsOptions::default()
        };
        let policy = TlsPolicy::new(&options).unwrap();
        for (route, level) in [
            ("smtp:[gw.example]:26", TlsLevel::Encrypt),
            ("smtp:[gw.example]", TlsLevel::May),
            ("lmtp:@inside", TlsLevel::None),
            ("smtp:", TlsLevel::Encrypt),
        ] {
            assert_eq!(policy.level(&destination(route)), level, "{route}");
        }
    }

    #[test]
    fn verifying_needs_somebody_to_trust() {
        let options = TlsOptions { level: TlsLevel::Verify, ..TlsOptions::default() };
        assert!(matches!(TlsPolicy::new(&options), Err(TlsPolicyError::NoAuthorities)));
    }
}
