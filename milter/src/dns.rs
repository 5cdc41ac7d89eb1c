//! The DNS as signing and verifying ask it: one resolver for all of a process, made here and handed in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use mail_auth::MessageAuthenticator;
use switchyard_smtp::io::tls_client::trusting_nobody;

/// The resolver in use; a reload may put another in its place.
pub(crate) type Dns = Arc<ArcSwap<MessageAuthenticator>>;

/// Answers that are remembered for as long as they say.
const CACHED: u64 = 4_096;

/// The resolver cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("DNS resolver: {0}")]
pub(crate) struct ResolverError(String);

/// Sets the resolver up; nothing is asked yet. Without servers, the system's are asked.
///
/// # Errors
/// When the system's settings cannot be read.
pub(crate) fn resolver(
    servers: &[SocketAddr],
    timeout: Duration,
) -> Result<MessageAuthenticator, ResolverError> {
    let failed = |error: NetError| ResolverError(error.to_string());
    let mut builder = if servers.is_empty() {
        TokioResolver::builder_tokio().map_err(failed)?
    } else {
        let servers = servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // A file of this host's says nothing about who may send a domain's mail.
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = timeout;
    options.attempts = 2;
    options.cache_size = CACHED;
    // Harder to answer in another's name from off the path.
    options.case_randomization = true;
    let tls = trusting_nobody().map_err(|error| ResolverError(error.to_string()))?;
    builder.with_tls_config(tls).build().map(MessageAuthenticator).map_err(failed)
}
