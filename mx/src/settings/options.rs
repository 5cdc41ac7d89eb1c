//! From the settings to the options of each room.

use std::net::SocketAddr;
use std::path::Path;

use switchyard_config::MxSettings;
use switchyard_config::common::{ClientTls, TlsLevel};
use switchyard_config::words::Peer;
use switchyard_daemon::sockets::ListenOn;
use switchyard_smtp::address::{AddressLiteral, Host};
use switchyard_smtp::io::tls_client::{Identity, TlsClient};
use switchyard_smtp::io::tls_server::CertificateError;

use crate::deliver::{RouterAddress, RouterTls};
use crate::explain;

pub(crate) fn high(settings: &MxSettings) -> usize {
    let limits = &settings.common.limits;
    (limits.sessions * usize::from(limits.stress_percent)).div_ceil(100)
}

pub(crate) fn router_tls(tls: &ClientTls) -> Result<RouterTls, CertificateError> {
    let identity = tls.certificate.as_ref().map(|(chain, key)| Identity { chain, key });
    Ok(match (tls.level, &tls.ca) {
        (TlsLevel::None, _) => RouterTls::Never,
        (TlsLevel::May, _) => RouterTls::Offered(TlsClient::unverified(identity)?),
        (TlsLevel::Encrypt, _) => RouterTls::Always(TlsClient::unverified(identity)?),
        // The settings see to it that there is a file; without one nobody is trusted.
        (TlsLevel::Verify, ca) => {
            RouterTls::Always(TlsClient::verifying(ca.as_deref().unwrap_or(Path::new("")), identity)?)
        }
    })
}

pub(crate) fn router_address(peer: &Peer) -> RouterAddress {
    match &peer.host {
        Host::Literal(AddressLiteral(address)) => RouterAddress::Socket(SocketAddr::new(*address, peer.port)),
        Host::Domain(domain) => RouterAddress::Name(domain.clone(), peer.port),
    }
}

/// How this front would explain itself.
pub(crate) fn explaining(settings: &MxSettings) -> explain::Front {
    let first = settings.common.listen.first().map(|listener| &listener.socket);
    let address = match first {
        Some(ListenOn::Address(address)) if !address.ip().is_unspecified() => Some(address.ip()),
        _ => None,
    };
    let filters = settings.asked.usual().map(str::to_owned).collect();
    let watching = settings.asked.watching().map(str::to_owned).collect();
    let own = settings.common.listen.iter();
    let by_listener = own.filter_map(|listener| Some((listener.name.clone(), listener.milters.clone()?)));
    let (host, by_listener) = (settings.common.host_name.to_string(), by_listener.collect());
    explain::Front { host, address, filters, watching, by_listener }
}
