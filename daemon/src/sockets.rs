//! Listening sockets: bound here, or taken from systemd by name.
//!
//! With a socket unit (`FileDescriptorName=smtp`) the process needs no right to bind port 25, and a restart
//! refuses nobody: systemd holds the socket, with its backlog, while the process changes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::str::FromStr;

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpListener;

/// Where to listen, as the settings say it: `127.0.0.1:25`, `[::]:25`, or `systemd:smtp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenOn {
    /// Bind this address.
    Address(SocketAddr),
    /// Take what systemd passed under this name; a name may stand for several sockets.
    Systemd(String),
}

/// The sockets this process was started with. Make one at the start, before there are threads: reading it
/// takes the variables out of the environment.
#[derive(Debug)]
pub struct Listeners {
    inherited: Inherited,
    /// One a descriptor, in the order they were passed.
    passed: Vec<Passed>,
}

/// What is known of one descriptor.
#[derive(Debug)]
struct Passed {
    name: String,
    taken: bool,
}

/// `ListenFd`, which has no `Debug`.
struct Inherited(ListenFd);

/// A socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The text in the settings is neither form.
    #[error("`{0}` is no place to listen on: write `127.0.0.1:25`, `[::]:25` or `systemd:NAME`")]
    BadListenOn(String),
    /// Nothing was passed under that name.
    #[error(
        "systemd passed no socket named `{name}` (passed: {passed}): set FileDescriptorName={name} in the socket \
         unit and start the service through it, or give an address to bind"
    )]
    NotPassed {
        /// The name asked for.
        name: String,
        /// All names that were passed, for the reader.
        passed: String,
    },
    /// The settings name it in two places.
    #[error("the socket `{0}` from systemd is in use already: one name can serve one listener only")]
    InUse(String),
    /// What was passed is not a listening TCP socket.
    #[error(
        "the socket `{name}` from systemd cannot be used: {source}; it must be ListenStream= with Accept=no"
    )]
    Unusable {
        /// The name asked for.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl Listeners {
    /// Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, once: a second call finds nothing.
    #[must_use]
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let inherited = ListenFd::from_env();
        let passed = names_of(&names, inherited.len());
        Self {
            passed: passed.into_iter().map(|name| Passed { name, taken: false }).collect(),
            inherited: Inherited(inherited),
        }
    }

    /// A process that inherited nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { inherited: Inherited(ListenFd::empty()), passed: Vec::new() }
    }

    /// Opens what the settings name: one socket for an address, one or more for a systemd name.
    pub fn open(&mut self, on: &ListenOn) -> Result<Vec<TcpListener>, SocketError> {
        match on {
            ListenOn::Address(address) => Ok(vec![bind(*address)?]),
            ListenOn::Systemd(name) => {
                let unusable = |source| SocketError::Unusable { name: name.clone(), source };
                let taken = self.take(name)?;
                taken.into_iter().map(|socket| TcpListener::from_std(socket).map_err(unusable)).collect()
            }
        }
    }

    /// Takes every socket of that name, ready for the run time (non-blocking). A socket is taken once.
    pub fn take(&mut self, name: &str) -> Result<Vec<std::net::TcpListener>, SocketError> {
        let unusable = |source| SocketError::Unusable { name: name.to_owned(), source };
        let mut sockets = Vec::new();
        let mut known = false;
        for (index, passed) in self.passed.iter_mut().enumerate().filter(|(_, passed)| passed.name == name) {
            known = true;
            let Some(socket) = self.inherited.0.take_tcp_listener(index).map_err(unusable)? else { continue };
            passed.taken = true;
            if !SockRef::from(&socket).is_listener().map_err(unusable)? {
                return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen")));
            }
            socket.set_nonblocking(true).map_err(unusable)?;
            sockets.push(socket);
        }
        match (sockets.is_empty(), known) {
            (false, _) => Ok(sockets),
            (true, true) => Err(SocketError::InUse(name.to_owned())),
            (true, false) => Err(SocketError::NotPassed { name: name.to_owned(), passed: self.names() }),
        }
    }

    /// Takes the unix sockets of that name, and leaves the others to [`Self::take`]; there may be none.
    ///
    /// # Errors
    /// When one is there and cannot be used.
    pub fn take_unix(&mut self, name: &str) -> Result<Vec<UnixListener>, SocketError> {
        let unusable = |source| SocketError::Unusable { name: name.to_owned(), source };
        let mut sockets = Vec::new();
        for (index, passed) in self.passed.iter_mut().enumerate().filter(|(_, passed)| passed.name == name) {
            // A socket of another kind stays where it is.
            let Ok(Some(socket)) = self.inherited.0.take_unix_listener(index) else { continue };
            passed.taken = true;
            socket.set_nonblocking(true).map_err(unusable)?;
            sockets.push(socket);
        }
        Ok(sockets)
    }

    /// The names nobody took: a socket unit that serves nothing, worth a warning.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<&str> {
        self.passed.iter().filter(|passed| !passed.taken).map(|passed| passed.name.as_str()).collect()
    }

    /// All names, for the reader of an error.
    fn names(&self) -> String {
        let names: Vec<&str> = self.passed.iter().map(|passed| passed.name.as_str()).collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }
}

/// Binds an address and listens on it. Needs the run time.
///
/// An IPv6 address takes IPv6 only, so that `0.0.0.0:25` and `[::]:25` may stand side by side and a client's
/// address never has two forms.
pub fn bind(address: SocketAddr) -> Result<TcpListener, SocketError> {
    let socket = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A restart must not wait for the last process's connections to leave TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    socket().map_err(|source| SocketError::Bind { address, source })
}

/// Connections that may wait to be accepted; the system may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// sd_listen_fds_with_names(3): names in the order of the descriptors, `unknown` where there is none.
fn names_of(text: &str, count: usize) -> Vec<String> {
    let names = text.split(':').map(|name| if name.is_empty() { UNNAMED } else { name });
    names.chain(std::iter::repeat(UNNAMED)).take(count).map(str::to_owned).collect()
}

const UNNAMED: &str = "unknown";

// ---- the words of the settings ----

impl FromStr for ListenOn {
    type Err = SocketError;

    fn from_str(text: &str) -> Result<Self, SocketError> {
        let bad = || SocketError::BadListenOn(text.to_owned());
        match text.strip_prefix("systemd:") {
            // systemd.socket(5): up to 255 printable ASCII characters but `:`.
            Some(name) => {
                let fits = (1..=255).contains(&name.len())
                    && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
                fits.then(|| Self::Systemd(name.to_owned())).ok_or_else(bad)
            }
            None => text.parse().map(Self::Address).map_err(|_| bad()),
        }
    }
}

impl fmt::Display for ListenOn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Systemd(name) => write!(formatter, "systemd:{name}"),
        }
    }
}

impl fmt::Debug for Inherited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} inherited", self.0.len())
    }
}

#[cfg(test)]
mod tests;
