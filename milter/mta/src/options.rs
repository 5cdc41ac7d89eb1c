//! How a filter is set up, as plain values; [`MilterOptions::load`] reads its certificates.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use rustls::pki_types::ServerName;
use switchyard_milter_protocol::io::client::{Endpoint, FilterOptions};
use switchyard_milter_protocol::mta::EditLimits;
use switchyard_smtp::address::Domain;
use switchyard_smtp::io::tls_client::{Identity, TlsClient};
use switchyard_smtp::io::tls_server::CertificateError;

pub use switchyard_milter_protocol::io::client::{Times, WhenDown};

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MilterOptions {
    /// Its name, in logs and metrics.
    pub name: String,
    /// Where it is; any of these does the same.
    pub places: Vec<Place>,
    /// PEM: whom to trust at a place inside TLS.
    pub authorities: Option<PathBuf>,
    /// PEM: what to prove ourselves with there, chain and key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// How long we wait.
    pub times: Times,
    /// What happens while it is nowhere to be had.
    pub when_down: WhenDown,
    /// Connections kept for the next client.
    pub kept: usize,
    /// Connections at once.
    pub connections: usize,
    /// Clients that wait for one.
    pub waiting: usize,
    /// Octets of all that it may change in one message.
    pub edited_octets: usize,
    /// It only watches: what it says is compared with what was done, and counted.
    pub shadow: bool,
}

/// One place of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `unix:/run/filter/sock`.
    Unix(PathBuf),
    /// `192.0.2.1:8891`, `[2001:db8::1]:8891` or `filter.example.org:8891`.
    Tcp(HostPort),
    /// The same behind `tls:`, inside TLS from the first octet.
    Tls(HostPort),
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    host: Box<str>,
    port: u16,
}

/// A filter cannot be asked as it is set up.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A certificate or an authority.
    #[error("milters.{name}: {error}")]
    Certificate {
        /// Whose.
        name: String,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// A place inside TLS, and nobody to trust there.
    #[error("milters.{name}: `{place}` needs `ca`, whom to trust there")]
    Authorities {
        /// Whose.
        name: String,
        /// Which.
        place: Place,
    },
}

/// What no place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write \"unix:/run/filter/sock\", \"192.0.2.1:8891\", \"filter.example.org:8891\" or \"tls:filter.example.org:8891\""
)]
pub struct BadPlace;

impl MilterOptions {
    /// Whether files say more of it than stands here: they may be others under the same names.
    pub(crate) fn reads_files(&self) -> bool {
        self.authorities.is_some() || self.identity.is_some()
    }

    /// As the protocol's own client takes it.
    ///
    /// # Errors
    /// When certificates cannot be read, or nobody is to be trusted where somebody must be.
    pub fn load(&self) -> Result<FilterOptions, LoadError> {
        let places = self.places.iter().map(|place| self.endpoint(place)).collect::<Result<_, _>>()?;
        Ok(FilterOptions {
            times: self.times,
            when_down: self.when_down,
            kept: self.kept,
            connections: self.connections,
            waiting: self.waiting,
            edits: EditLimits { octets: self.edited_octets, ..EditLimits::default() },
            ..FilterOptions::new(self.name.clone(), places)
        })
    }

    fn endpoint(&self, place: &Place) -> Result<Endpoint, LoadError> {
        let HostPort { host, .. } = match place {
            Place::Unix(path) => return Ok(Endpoint::Unix(path.clone())),
            Place::Tcp(there) => return Ok(Endpoint::Tcp(there.to_string().into())),
            Place::Tls(there) => there,
        };
        let untrusted = || LoadError::Authorities { name: self.name.clone(), place: place.clone() };
        let authorities = self.authorities.as_deref().ok_or_else(untrusted)?;
        let identity = self.identity.as_ref().map(|(chain, key)| Identity { chain, key });
        let client = TlsClient::verifying(authorities, identity)
            .map_err(|error| LoadError::Certificate { name: self.name.clone(), error })?;
        let name = ServerName::try_from(host.to_string()).map_err(|_bad_name| untrusted())?;
        let address = place.to_string().trim_start_matches("tls:").into();
        Ok(Endpoint::Tls { address, name, config: client.config() })
    }
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') { Ok(Self::Unix(path.into())) } else { Err(BadPlace) };
        }
        match text.strip_prefix("tls:") {
            Some(text) => text.parse().map(Self::Tls),
            None => text.parse().map(Self::Tcp),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(there) => there.fmt(formatter),
            Self::Tls(there) => write!(formatter, "tls:{there}"),
        }
    }
}

impl FromStr for HostPort {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let (host, port) = text.rsplit_once(':').ok_or(BadPlace)?;
        let digits = port.bytes().all(|octet| octet.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or(BadPlace)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match (bare, bare.unwrap_or(host).parse::<IpAddr>()) {
            (Some(_), Ok(address)) | (None, Ok(address @ IpAddr::V4(_))) => address.to_string(),
            // Without brackets nobody knows where the address ends.
            (None, Ok(IpAddr::V6(_))) | (Some(_), Err(_)) => return Err(BadPlace),
            (None, Err(_)) => Domain::parse(host).map_err(|_| BadPlace)?.to_string(),
        };
        Ok(Self { host: host.into(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(formatter, "[{host}]:{port}")
        } else {
            write!(formatter, "{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in [
            "unix:/run/filter/sock",
            "192.0.2.1:8891",
            "[2001:db8::1]:8891",
            "filter.example.org:8891",
            "tls:filter.example.org:8891",
            "tls:[2001:db8::1]:8891",
        ] {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()), Ok(text.into()));
        }
        for text in [
            "",
            "unix:",
            "unix:run",
            "x",
            "192.0.2.1",
            "2001:db8::1:25",
            "[filter]:25",
            "x:0",
            "x:+1",
            "x y:1",
            "tls:",
            "tls:unix:/x",
            ":25",
        ] {
            assert_eq!(text.parse::<Place>(), Err(BadPlace), "{text}");
        }
    }
}
