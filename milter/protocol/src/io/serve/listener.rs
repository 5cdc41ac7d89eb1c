//! The accept loop, over TCP or a unix socket.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::{Ended, Filter, ServeOptions, serve};
use crate::io::stream::Duplex;
use crate::io::unix::UnixSocket;

/// How long to wait after a failed accept, at first and at most: running out of descriptors must not spin.
const FIRST_DELAY: Duration = Duration::from_millis(5);
const LAST_DELAY: Duration = Duration::from_secs(1);

/// Where MTAs come in.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are small and waited for.
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
            Self::Unix(listener) => Ok(Box::new(UnixSocket::new(listener.accept().await?.0)?)),
        }
    }
}

/// Takes connections until the drain, and waits until the last one is over. `make` makes a filter for each
/// connection, `ended` hears how it ended.
pub async fn accept<F, M, E>(listener: Listener, options: Arc<ServeOptions>, make: M, ended: E)
where
    F: Filter + 'static,
    M: Fn() -> F + Send,
    E: Fn(Ended) + Clone + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(options.connections.min(Semaphore::MAX_PERMITS)));
    let sessions = TaskTracker::new();
    let mut delay = FIRST_DELAY;
    loop {
        let accepted = tokio::select! {
            biased;
            () = options.drain.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok(socket) => {
                delay = FIRST_DELAY;
                socket
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                sleep(delay).await;
                delay = (delay * 2).min(LAST_DELAY);
                continue;
            }
        };
        // One too many is closed: the MTA has a policy for a filter that is not there.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let (mut filter, options, ended) = (make(), options.clone(), ended.clone());
        sessions.spawn(async move {
            let _place = place;
            ended(serve(socket, &options, &mut filter).await);
        });
    }
    drop(listener);
    sessions.close();
    sessions.wait().await;
}
