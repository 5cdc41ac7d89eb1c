//! Listening sockets: bound here, or taken from systemd by name.
//!
//! With a socket unit (`FileDescriptorName=smtp`) the process needs no right to bind port 25, and a restart
//! refuses nobody: systemd holds the socket, with its backlog, while the process changes.

use std::fmt;
use std::io;
use std::net::SocketAddr;
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
    /// The name of each descriptor, in the order they were passed.
    names: Vec<String>,
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
        Self { names: names_of(&names, inherited.len()), inherited: Inherited(inherited) }
    }

    /// A process that inherited nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { inherited: Inherited(ListenFd::empty()), names: Vec::new() }
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
        let mut taken = Vec::new();
        for (index, _) in self.names.iter().enumerate().filter(|(_, passed)| *passed == name) {
            let Some(socket) = self.inherited.0.take_tcp_listener(index).map_err(unusable)? else { continue };
            if !SockRef::from(&socket).is_listener().map_err(unusable)? {
                return Err(unusable(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen")));
            }
            socket.set_nonblocking(true).map_err(unusable)?;
            taken.push(socket);
        }
        if taken.is_empty() {
            let passed = if self.names.is_empty() { "none".into() } else { self.names.join(", ") };
            return Err(SocketError::NotPassed { name: name.to_owned(), passed });
        }
        Ok(taken)
    }

    /// The names systemd passed, in order, taken or not: for the check that each is used.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
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
mod tests {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_settings_words_are_read_and_written_alike() {
        for text in ["127.0.0.1:25", "[::1]:2525", "systemd:smtp", "systemd:smtp-in_2"] {
            assert_eq!(text.parse::<ListenOn>().unwrap().to_string(), text);
        }
        for text in
            ["", "25", "localhost:25", "127.0.0.1", "systemd:", "systemd:a b", "systemd:a:b", "systemd:ä"]
        {
            let error = text.parse::<ListenOn>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is no place to listen on")), "{error}");
        }
    }

    #[test]
    fn names_stand_in_the_order_of_the_descriptors() {
        assert_eq!(names_of("smtp:admin:smtp", 3), ["smtp", "admin", "smtp"]);
        assert_eq!(names_of("smtp::admin", 4), ["smtp", "unknown", "admin", "unknown"]);
        assert_eq!(names_of("", 1), ["unknown"]);
        assert_eq!(names_of("smtp:admin", 1), ["smtp"]);
        assert!(names_of("smtp", 0).is_empty());
    }

    #[test]
    fn an_absent_name_says_what_to_do() {
        let error = Listeners::none().take("smtp").unwrap_err().to_string();
        assert!(error.contains("no socket named `smtp` (passed: none)"), "{error}");
        assert!(error.contains("FileDescriptorName=smtp"), "{error}");
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
        drop(first);
        assert!(bind(address).is_ok());
    }

    #[tokio::test]
    async fn ipv6_leaves_ipv4_alone() {
        let Ok(six) = bind("[::]:0".parse().unwrap()) else {
            return; // a host without IPv6 has nothing to mix up
        };
        let port = six.local_addr().unwrap().port();
        assert!(SockRef::from(&six).only_v6().unwrap());
        assert!(bind(([0, 0, 0, 0], port).into()).is_ok(), "both may hold one port");
    }

    /// The test plays both parts: it starts itself again, as systemd would, with two sockets and a file.
    #[tokio::test]
    async fn sockets_come_from_the_service_manager_by_name() {
        const CHILD: &str = "SWITCHYARD_TEST_TAKES_SOCKETS";
        if std::env::var_os(CHILD).is_some() {
            let mut listeners = Listeners::from_environment();
            assert_eq!(listeners.names(), ["smtp", "file", "smtp"]);
            let file = listeners.take("file").unwrap_err().to_string();
            assert!(file.contains("`file` from systemd cannot be used"), "{file}");
            let mut taken = listeners.open(&ListenOn::Systemd("smtp".into())).unwrap();
            assert_eq!(taken.len(), 2);
            assert!(
                matches!(listeners.take("smtp"), Err(SocketError::NotPassed { .. })),
                "each is taken once"
            );
            assert!(listeners.take("other").unwrap_err().to_string().contains("(passed: smtp, file, smtp)"));
            for listener in &mut taken {
                let (stream, _) = listener.accept().await.unwrap();
                let port = listener.local_addr().unwrap().port().to_string();
                stream.writable().await.unwrap();
                assert_eq!(stream.try_write(port.as_bytes()).unwrap(), port.len());
            }
            return;
        }
        let sockets = ["one", "two"].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
        // Children wait in the backlog until the other process accepts them.
        let clients = addresses.map(|address| std::net::TcpStream::connect(address).unwrap());
        let [one, two] = sockets.map(|socket| Stdio::from(OwnedFd::from(socket)));
        let name = "sockets::tests::sockets_come_from_the_service_manager_by_name";
        let script = "exec 3<&0 4</dev/null 5<&1 1>&2; LISTEN_PID=$$ exec \"$0\" --exact \"$1\" --nocapture";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(CHILD, "1")
            .envs([("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "smtp:file:smtp")])
            .stdin(one)
            .stdout(two)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for (mut client, address) in clients.into_iter().zip(addresses) {
            let mut port = String::new();
            io::Read::read_to_string(&mut client, &mut port).unwrap();
            assert_eq!(port, address.port().to_string());
        }
    }
}
