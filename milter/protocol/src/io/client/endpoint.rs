//! Where a filter is, and how to get there.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::io::stream::Duplex;
use crate::io::unix::UnixSocket;

/// One place of a filter.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// `host:port`, in the clear.
    Tcp(Box<str>),
    /// `host:port`, inside TLS from the first octet.
    Tls {
        /// Where.
        address: Box<str>,
        /// Whose certificate is asked for.
        name: ServerName<'static>,
        /// How it is verified, and who we say we are.
        config: Arc<ClientConfig>,
    },
}

impl Endpoint {
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixSocket::connect(path).await?)),
            Self::Tcp(address) => Ok(Box::new(tcp(address).await?)),
            Self::Tls { address, name, config } => {
                let socket = tcp(address).await?;
                let stream = TlsConnector::from(config.clone()).connect(name.clone(), socket).await?;
                Ok(Box::new(stream))
            }
        }
    }
}

async fn tcp(address: &str) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    // Events are small and their answers waited for.
    socket.set_nodelay(true)?;
    Ok(socket)
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Tls { address, .. } => write!(formatter, "tls:{address}"),
        }
    }
}
