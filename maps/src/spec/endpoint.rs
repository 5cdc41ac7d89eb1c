//! Where a server of tables listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use crate::fault::Wrong;

/// Octets of a host's name.
const MAX_HOST: usize = 255;
/// Octets of a socket's path, as Linux has room for.
const MAX_PATH: usize = 107;

/// Where a server of tables listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A port.
    Inet {
        /// A name or an address, without brackets.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// A socket in the file system; the path is absolute.
    Unix(PathBuf),
}

impl Endpoint {
    /// `host:port`, `[::1]:port`.
    pub(super) fn inet(text: &str) -> Result<Self, Wrong> {
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(Wrong::new(format!("`{text}`: `host:port` is expected")));
        };
        let port_at = host.len() + 1;
        let port = match port.parse::<u16>() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => {
                let what = format!("`{port}` is no port: a number from 1 to 65535 is expected");
                return Err(Wrong::at(port_at, what));
            }
        };
        let bare = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .filter(|inner| is_address(inner))
                .ok_or_else(|| Wrong::new(format!("`{host}` is no address in brackets")))?,
            None => host,
        };
        if bare.contains(':') && bare.len() == host.len() {
            return Err(Wrong::new(format!("`{host}`: an IPv6 address stands in brackets, as `[::1]`")));
        }
        let is_host = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':') || byte >= 0x80
        };
        if bare.is_empty() || bare.len() > MAX_HOST || !bare.bytes().all(is_host) {
            return Err(Wrong::new(format!("`{host}` is no name of a host")));
        }
        Ok(Self::Inet { host: bare.to_owned(), port })
    }

    /// `/path`.
    pub(super) fn unix(path: &str) -> Result<Self, Wrong> {
        if !path.starts_with('/') {
            return Err(Wrong::new(format!("`{path}`: the absolute path of a socket is expected")));
        }
        if path.len() > MAX_PATH {
            return Err(Wrong::new(format!("the path of a socket has {MAX_PATH} octets at most")));
        }
        Ok(Self::Unix(path.into()))
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok() || text.parse::<std::net::Ipv4Addr>().is_ok()
}

/// `inet:host:port` or `unix:/path`, as in a word for `socketmap:`.
impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet { host, port } if host.contains(':') => write!(formatter, "inet:[{host}]:{port}"),
            Self::Inet { host, port } => write!(formatter, "inet:{host}:{port}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}
