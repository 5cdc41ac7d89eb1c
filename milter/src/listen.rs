//! Where MTAs come in: TCP and unix sockets, our own or inherited, all as one kind of listener.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Probe;
use std::path::{Path, PathBuf};

use switchyard_daemon::accept::Incoming;
use switchyard_daemon::doors::Entrance;
use switchyard_daemon::sockets::{ListenOn, Listeners, SocketError};
use switchyard_milter_protocol::io::stream::Duplex;
use switchyard_milter_protocol::io::unix::UnixSocket;
use tokio::net::{TcpListener, UnixListener};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A unix socket that we make.
    Unix(PathBuf),
    /// An address, or sockets that systemd holds.
    On(ListenOn),
}

/// A listening socket.
#[derive(Debug)]
pub(crate) enum Listener {
    /// IPv4 or IPv6.
    Tcp(TcpListener),
    /// A file; ours when it has a path, and then it goes with us.
    Unix(UnixListener, Option<PathBuf>),
}

/// Nobody can come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// An address, or what systemd passed.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A unix socket.
    #[error("cannot listen on unix:{}: {source}", path.display())]
    Unix {
        /// Its path.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Entrance for Place {
    type Incoming = Listener;
    type Error = ListenError;

    fn open(&self, listeners: &mut Listeners) -> Result<Vec<Listener>, ListenError> {
        let on = match self {
            Self::Unix(path) => {
                let bound = bind(path).map_err(|source| ListenError::Unix { path: path.clone(), source })?;
                return Ok(vec![Listener::Unix(bound, Some(path.clone()))]);
            }
            Self::On(on) => on,
        };
        let mut opened = Vec::new();
        if let ListenOn::Systemd(name) = on {
            for socket in listeners.take_unix(name)? {
                let unusable = |source| SocketError::Unusable { name: name.clone(), source };
                opened.push(Listener::Unix(UnixListener::from_std(socket).map_err(unusable)?, None));
            }
        }
        // One name may stand for sockets of both kinds; with none of either there is an error to tell.
        match listeners.open(on) {
            Ok(sockets) => opened.extend(sockets.into_iter().map(Listener::Tcp)),
            Err(_) if !opened.is_empty() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(opened)
    }

    fn address(socket: &Listener) -> Option<SocketAddr> {
        match socket {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::On(on) => on.fmt(formatter),
        }
    }
}

impl Incoming for Listener {
    type Stream = Box<dyn Duplex>;
    type Peer = ();

    async fn accept(&mut self) -> io::Result<(Box<dyn Duplex>, ())> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = Incoming::accept(listener).await?;
                Ok((Box::new(stream), ()))
            }
            Self::Unix(listener, _) => Ok((Box::new(UnixSocket::new(listener.accept().await?.0)?), ())),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, Some(path)) = self {
            // If it stays, the next start replaces it.
            let _best_effort = fs::remove_file(path);
        }
    }
}

/// In the place of a socket that a dead process left, and of nothing else. The group may connect, others may not.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.file_type().is_socket() => match Probe::connect(path) {
            Ok(_answers) => return Err(io::Error::other("another process answers there")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(error) => return Err(error),
        },
        Ok(_) => return Err(io::Error::other("something that is no socket stands there")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}
