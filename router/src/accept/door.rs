//! One listener's door: who comes in is served under what the settings said at that moment.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use switchyard_daemon::doors::Host;
use switchyard_daemon::drain::Drain;
use switchyard_smtp::io::serve::ServeOptions;
use switchyard_smtp::reply::table;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Front, LiveOptions};

/// A door of the front.
#[derive(Debug)]
pub struct Door {
    front: Front,
    live: Arc<LiveOptions>,
}

impl Door {
    /// A door to this front whose sessions begin with these options, and with these filters where they are others than
    /// the usual ones, and end with this drain.
    #[must_use]
    pub fn new(front: &Front, live: &LiveOptions, usual: Option<Arc<[Box<str>]>>, drain: &Drain) -> Self {
        let serve = ServeOptions { drain: drain.token(), ..live.serve.clone() };
        Self { front: front.clone(), live: Arc::new(LiveOptions { serve, usual, ..live.clone() }) }
    }
}

impl Host for Door {
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        self.front.clone().serve(Arc::clone(&self.live), stream, peer).await;
    }

    /// Tells one client too many to come again.
    async fn refuse(self: Arc<Self>, mut stream: TcpStream, _peer: SocketAddr) {
        let mut reply = Vec::new();
        table::TOO_MANY_SESSIONS.write_to(&mut reply);
        // The socket closes either way; said goodbye to, it does not take the reply with it.
        let goodbye = async {
            stream.write_all(&reply).await?;
            stream.shutdown().await
        };
        let _best_effort = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}
