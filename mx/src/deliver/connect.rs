//! A connection to one router: its address, the hello, and as much TLS as it is owed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use rustls::pki_types::ServerName;
use switchyard_daemon::dns::{self, Asking, DnsError, HostsFile};
use switchyard_smtp::address::Domain;
use switchyard_smtp::io::dial::{Connection, DialError, DialOptions, Target};
use switchyard_smtp::io::tls_client::TlsClient;

/// Where a router is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouterAddress {
    /// An address and a port.
    Socket(SocketAddr),
    /// A name, whose address records are asked each time, and a port.
    Name(Domain, u16),
}

/// As much TLS as a router is owed.
#[derive(Debug, Clone)]
pub(crate) enum RouterTls {
    /// None, offered or not.
    Never,
    /// Where it is offered and works.
    Offered(TlsClient),
    /// Always.
    Always(TlsClient),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// Its name leads nowhere.
    #[error("cannot be found: {0}")]
    Resolve(String),
    /// It can't be reached, or says no.
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 5;

/// Answers that are remembered: routers are few.
const CACHED: u64 = 256;

/// Makes connections to one router.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) address: RouterAddress,
    pub(crate) dial: Arc<DialOptions>,
    pub(crate) tls: RouterTls,
    pub(crate) resolver: Resolver,
}

impl Connector {
    /// Connects to the first of its addresses that answers.
    pub(crate) async fn connect(&self) -> Result<Connection, ConnectError> {
        let addresses = match &self.address {
            RouterAddress::Socket(address) => vec![*address],
            RouterAddress::Name(name, port) => self.resolver.addresses(name, *port).await?,
        };
        let mut failure = ConnectError::Resolve("no address".into());
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            match self.connect_to(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = error.into(),
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, address: SocketAddr) -> Result<Connection, DialError> {
        let target = Target::Tcp(address);
        let connection = Connection::connect(&target, &self.dial).await?;
        match &self.tls {
            RouterTls::Never => Ok(connection),
            RouterTls::Offered(_) if !connection.extensions().starttls => Ok(connection),
            RouterTls::Always(client) => connection.starttls(client, self.server_name(address)).await,
            RouterTls::Offered(client) => {
                match connection.starttls(client, self.server_name(address)).await {
                    // RFC 7435: encryption that does not come about is no reason not to talk.
                    Err(error) => {
                        tracing::warn!(router = %self.address, %error, "TLS to a router failed, going on without");
                        Connection::connect(&target, &self.dial).await
                    }
                    upgraded => upgraded,
                }
            }
        }
    }

    fn server_name(&self, address: SocketAddr) -> ServerName<'static> {
        let by_name = match &self.address {
            RouterAddress::Socket(_) => None,
            RouterAddress::Name(name, _) => ServerName::try_from(name.as_str().to_owned()).ok(),
        };
        by_name.unwrap_or(ServerName::IpAddress(address.ip().into()))
    }
}

impl std::fmt::Display for RouterAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(formatter),
            Self::Name(name, port) => write!(formatter, "{name}:{port}"),
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// Turns a router's name into addresses. Clones share its cache.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<TokioResolver>);

impl Resolver {
    /// One that asks `servers`, or the system's when there are none. Nothing is asked yet.
    pub(crate) fn new(servers: &[SocketAddr], timeout: Duration) -> Result<Self, DnsError> {
        // Routers are our own hosts: a host's own file may name them.
        let asking = Asking { servers, timeout, attempts: 2, hosts_file: HostsFile::Asked, cached: CACHED };
        dns::resolver(&asking).map(|resolver| Self(Arc::new(resolver)))
    }

    async fn addresses(&self, name: &Domain, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        // With its dot at the end no search list of the system can make another name of it.
        let answer = self.0.lookup_ip(format!("{name}.")).await;
        let answer = answer.map_err(|error| ConnectError::Resolve(error.to_string()))?;
        Ok(answer.iter().map(|address| SocketAddr::new(address, port)).collect())
    }
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Resolver")
    }
}

impl ConnectError {
    /// True when the router did answer, and only would not have us now (421, or a refusal to EHLO).
    pub(crate) fn was_answered(&self) -> bool {
        matches!(self, Self::Dial(DialError::Dialogue(_)))
    }
}
