//! The DNS as signing and verifying ask it: one resolver for all of a process, made here and handed in.

#[cfg(test)]
pub(crate) mod zone;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use mail_auth::MessageAuthenticator;
use switchyard_daemon::dns::{self, Asking, DnsError, HostsFile};

/// The resolver in use; a reload may put another in its place.
pub(crate) type Dns = Arc<ArcSwap<MessageAuthenticator>>;

/// Answers that are remembered for as long as they say.
const CACHED: u64 = 4_096;

/// Sets the resolver up; nothing is asked yet. Without servers, the system's are asked.
///
/// # Errors
/// When the system's settings cannot be read.
pub(crate) fn resolver(servers: &[SocketAddr], timeout: Duration) -> Result<MessageAuthenticator, DnsError> {
    // A file of this host's says nothing about who may send a domain's mail.
    let asking = Asking { servers, timeout, attempts: 2, hosts_file: HostsFile::Ignored, cached: CACHED };
    dns::resolver(&asking).map(MessageAuthenticator)
}
