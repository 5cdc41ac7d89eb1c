//! What may go wrong when a connection is accepted, and what helps.

use std::io;

use rustix::io::Errno;

/// accept(2) names what may come up; the answer differs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// This one connection is gone: the next may be fine.
    Connection,
    /// No descriptor, no memory: waiting helps.
    Exhausted,
    /// The listening socket is none: nothing helps.
    Listener,
}

impl Fault {
    /// As a label.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Exhausted => "exhausted",
            Self::Listener => "listener",
        }
    }

    /// What an error comes to.
    pub(super) fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(
                Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::INTR
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::NONET
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::PERM
                | Errno::PROTO,
            ) => Self::Connection,
            Some(Errno::BADF | Errno::FAULT | Errno::INVAL | Errno::NOTSOCK) => Self::Listener,
            _ => Self::Exhausted,
        }
    }
}
