//! The connections to one router: few, kept, and used again.
//!
//! A lease is one hand-over's use of a connection. It is given back when the transaction came to an end on
//! it; a lease that is dropped before (a deadline, a cut) takes its connection with it, since nobody knows
//! where that stands.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use switchyard_daemon::clock::Clock;
use switchyard_smtp::io::dial::Connection;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use super::connect::{ConnectError, Connector};

/// Connections to one router.
#[derive(Debug)]
pub(crate) struct Pool {
    connector: Connector,
    /// A permit for each connection in use; those in use and those kept are never more than there are permits.
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
    keep: Duration,
    clock: Clock,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    pub(crate) connection: Box<Connection>,
    /// It lay in the pool before: the router may have hung up without our having seen it yet.
    pub(crate) reused: bool,
    pool: &'a Pool,
    _permit: Option<SemaphorePermit<'a>>,
}

/// Which connection will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// One that lies there, or a new one.
    Any,
    /// A new one: what lies there may be as broken as the last.
    New,
}

impl Pool {
    pub(crate) fn new(connector: Connector, connections: usize, keep: Duration, clock: Clock) -> Self {
        Self { connector, permits: Semaphore::new(connections), idle: Mutex::default(), keep, clock }
    }

    /// The router's address, for the log.
    pub(crate) fn name(&self) -> &super::connect::RouterAddress {
        &self.connector.address
    }

    /// A connection to use, after waiting until one may be used. The caller holds the clock.
    pub(crate) async fn lease(&self, want: Want) -> Result<Lease<'_>, ConnectError> {
        // The semaphore is never closed.
        let permit = self.permits.acquire().await.ok();
        let kept = if want == Want::Any { self.take_idle() } else { None };
        let (connection, reused) = match kept {
            Some(connection) => (connection, true),
            None => (Box::new(self.connector.connect().await?), false),
        };
        Ok(Lease { connection, reused, pool: self, _permit: permit })
    }

    /// The connection that was used last, so that those which nobody needs grow old. It is looked at first: the
    /// router may have hung up, or said that it will.
    fn take_idle(&self) -> Option<Box<Connection>> {
        let now = self.clock.now_monotonic();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(Idle { mut connection, since }) = idle.pop() {
            if since + self.keep > now && connection.is_idle() {
                return Some(connection);
            }
        }
        None
    }

    /// Says goodbye on the connections that lay too long, or on all of them.
    pub(crate) async fn close_idle(&self, all: bool) {
        let now = self.clock.now_monotonic();
        let mut old = Vec::new();
        {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (mut at, keep) = (0, self.keep);
            while at < idle.len() {
                if all || idle[at].since + keep <= now || !idle[at].connection.is_idle() {
                    old.push(idle.remove(at).connection);
                } else {
                    at += 1;
                }
            }
        }
        // All at once: a router that does not answer holds nobody up for longer than one goodbye takes.
        let mut goodbyes = JoinSet::new();
        for connection in old {
            goodbyes.spawn(async move { connection.quit().await });
        }
        while goodbyes.join_next().await.is_some() {}
    }
}

impl Lease<'_> {
    /// The transaction is over: the connection may carry another.
    pub(crate) fn give_back(self) {
        if self.connection.is_reusable() && !self.pool.keep.is_zero() {
            let since = self.pool.clock.now_monotonic();
            let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(Idle { connection: self.connection, since });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use switchyard_smtp::io::dial::DialOptions;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Barrier;

    use super::*;
    use crate::deliver::{Resolver, RouterAddress, RouterTls};

    /// Answers QUIT only when all others have heard theirs.
    async fn router(stream: TcpStream, all: Arc<Barrier>) {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        for reply in ["220 r\r\n", "250 r\r\n"] {
            stream.write_all(reply.as_bytes()).await.unwrap();
            stream.read_line(&mut line).await.unwrap();
        }
        assert!(line.ends_with("QUIT\r\n"), "{line}");
        all.wait().await;
        stream.write_all(b"221 bye\r\n").await.unwrap();
    }

    #[tokio::test]
    async fn goodbyes_are_said_side_by_side() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = RouterAddress::Socket(listener.local_addr().unwrap());
        let mut dial = DialOptions::new("mx.example.org");
        dial.timeouts.quit = Duration::from_secs(3600);
        let resolver = Resolver::new(&["127.0.0.1:9".parse().unwrap()], Duration::from_secs(1)).unwrap();
        let connector = Connector { address, dial: Arc::new(dial), tls: RouterTls::Never, resolver };
        let pool = Pool::new(connector, 3, Duration::from_secs(3600), Clock::system());
        let all = Arc::new(Barrier::new(3));
        let mut leases = Vec::new();
        for _ in 0..3 {
            let accept = async {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(router(stream, Arc::clone(&all)));
            };
            let (lease, ()) = tokio::join!(pool.lease(Want::New), accept);
            leases.push(lease.unwrap());
        }
        leases.into_iter().for_each(Lease::give_back);
        pool.close_idle(true).await;
        assert!(pool.take_idle().is_none());
    }
}
