//! Where MTAs find a filter: TCP and unix sockets, our own or systemd's.

use std::fmt;
use std::path::PathBuf;

use switchyard_daemon::sockets::ListenOn;

use crate::document::Node;
use crate::words::{Word, quoted, text};

/// Where MTAs find the filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterSocket {
    /// `unix:/run/switchyard-milter/milter.sock`, bound by the daemon.
    Unix(PathBuf),
    /// An address, or a socket that systemd holds, be it TCP or unix.
    Stream(ListenOn),
}

impl fmt::Display for FilterSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Stream(on) => on.fmt(formatter),
        }
    }
}

impl Word for FilterSocket {
    const KIND: &'static str = "socket";

    fn read(node: &Node) -> Result<Self, String> {
        match text(node)?.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => {
                Err("a unix socket's path begins with /: unix:/run/switchyard-milter/milter.sock".into())
            }
            None => ListenOn::read(node).map(Self::Stream),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }

    fn blank() -> Self {
        Self::Stream(ListenOn::blank())
    }
}
