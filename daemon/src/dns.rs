//! The one maker of DNS resolvers, so that all who ask the DNS ask it alike. Nothing is asked here: the rooms that do
//! say what their answers mean.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use rustls::{ClientConfig, RootCertStore};

/// Whom to ask, and how.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Resolvers, with their ports; the system's own where there is none.
    pub servers: &'a [SocketAddr],
    /// How long one question may take.
    pub timeout: Duration,
    /// How often it is asked again.
    pub attempts: usize,
    /// Whether names of this host's own file count.
    pub hosts_file: HostsFile,
    /// Answers that are remembered, for as long as they say.
    pub cached: u64,
}

/// Whether `/etc/hosts` is asked before the DNS is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostsFile {
    /// It is.
    Asked,
    /// It says nothing about others' names.
    Ignored,
}

/// The resolver cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The system does not say whom to ask.
    #[error(
        "DNS resolver: /etc/resolv.conf: {0}; or name resolvers in the settings: [dns] servers = [\"192.0.2.53:53\"]"
    )]
    System(String),
    /// The library refuses.
    #[error("DNS resolver: {0}")]
    Refused(String),
}

/// Sets a resolver up; nothing is asked yet.
///
/// # Errors
/// When the system's own is wanted, and `/etc/resolv.conf` cannot be used.
pub fn resolver(asking: &Asking<'_>) -> Result<TokioResolver, DnsError> {
    let mut builder = if asking.servers.is_empty() {
        TokioResolver::builder_tokio().map_err(|error| DnsError::System(error.to_string()))?
    } else {
        let servers = asking.servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = asking.timeout;
    options.attempts = asking.attempts;
    options.cache_size = asking.cached;
    options.use_hosts_file = match asking.hosts_file {
        HostsFile::Asked => ResolveHosts::Auto,
        HostsFile::Ignored => ResolveHosts::Never,
    };
    // Harder to answer in another's name from off the path.
    options.case_randomization = true;
    let refused = |error: &dyn std::fmt::Display| DnsError::Refused(error.to_string());
    let tls = trusting_nobody().map_err(|error| refused(&error))?;
    builder.with_tls_config(tls).build().map_err(|error| refused(&error))
}

/// A configuration that trusts nobody: we ask over UDP and TCP alone, but one has to be made, and the library would
/// otherwise look for the system's certificates, which a host may not have.
fn trusting_nobody() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_made_for_the_servers_that_are_named_on_a_host_without_any_of_its_own() {
        let servers = ["192.0.2.53:5353".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()];
        let asking = Asking {
            servers: &servers,
            timeout: Duration::from_secs(1),
            attempts: 3,
            hosts_file: HostsFile::Ignored,
            cached: 7,
        };
        let made = resolver(&asking).unwrap();
        let options = made.options();
        assert_eq!((options.attempts, options.cache_size, options.timeout), (3, 7, Duration::from_secs(1)));
        assert_eq!(options.use_hosts_file, ResolveHosts::Never);
        assert!(options.case_randomization);
    }

    #[test]
    fn a_system_that_does_not_say_whom_to_ask_is_told_by_its_file() {
        let told = DnsError::System("No such file or directory".to_owned()).to_string();
        assert_eq!(
            told,
            "DNS resolver: /etc/resolv.conf: No such file or directory; or name resolvers in the settings: \
             [dns] servers = [\"192.0.2.53:53\"]"
        );
    }
}
