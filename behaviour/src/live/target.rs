//! A server that is asked: `HOST:PORT`, or `NAME=HOST:PORT`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a name's address, and a connection, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it is called in the report.
    pub name: String,
    /// Its host, for TLS.
    pub host: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Why a server can't be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// The words are no server.
    #[error("`{0}` is no server: write HOST:PORT, or NAME=HOST:PORT")]
    Words(String),
    /// Its name has no address.
    #[error("{host}: no address: {error}")]
    Unknown {
        /// The name.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// Nobody listens there.
    #[error("{name}: nobody answers at {address}: {error}")]
    Silent {
        /// The server.
        name: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
}

impl Target {
    /// Reads one, asks for its address, and sees that somebody listens there.
    ///
    /// # Errors
    /// When it is none, or nobody listens.
    pub async fn find(words: &str) -> Result<Self, TargetError> {
        let (name, place) = named(words);
        let host = place.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
        let host =
            host.filter(|host| !host.is_empty()).ok_or_else(|| TargetError::Words(words.to_owned()))?;
        let unknown = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => TargetError::Words(words.to_owned()),
            _ => TargetError::Unknown { host: host.to_owned(), error },
        };
        let found = in_time(tokio::net::lookup_host(place)).await;
        let address = found.map_err(unknown)?.next();
        let address = address.ok_or_else(|| unknown(io::ErrorKind::NotFound.into()))?;
        let name = name.unwrap_or(place).to_owned();
        match in_time(tokio::net::TcpStream::connect(address)).await {
            Ok(_) => Ok(Self { name, host: host.to_owned(), address }),
            Err(error) => Err(TargetError::Silent { name, address, error }),
        }
    }
}

/// A host behind a filter is silent for minutes; nobody waits so long to hear of a slip.
async fn in_time<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// `NAME=REST`, or `REST` alone.
#[must_use]
pub fn named(words: &str) -> (Option<&str>, &str) {
    match words.split_once('=') {
        Some((name, rest)) if !name.is_empty() => (Some(name), rest),
        _ => (None, words),
    }
}
