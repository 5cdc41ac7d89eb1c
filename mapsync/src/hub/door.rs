//! A connection: the handshake in time, who it is, then HTTP/1.1 until it ends, stands still, or the hub drains.
//!
//! Before the certificate is known a newcomer may hold one of few places and little time; nothing of HTTP is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use switchyard_daemon::doors::Host;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::progress::{Progress, Watched};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::metrics::Metrics;
use crate::identity::{Identity, NoIdentity};

/// From the first octet to the end of the handshake, with the wait for a place.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at once, over all doors.
pub(crate) const HANDSHAKES: usize = 256;
/// For a request's head, and between two requests.
const HEADER: Duration = Duration::from_secs(60);
/// How long no octet may move on a connection, in either direction; longer than the longest wait.
const STILL: Duration = Duration::from_secs(120);

/// Who asks, a hub once for each environment that it serves; of those whose certificate says it not, why.
pub(crate) type Caller = Arc<Result<Vec<Identity>, NoIdentity>>;

/// Who meets those that connect.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) tls: Arc<ServerConfig>,
    pub(crate) routes: Router,
    pub(crate) handshakes: Arc<Semaphore>,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
}

impl Door {
    async fn handshake(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let shaken = async {
            let _place = self.handshakes.acquire().await.ok()?;
            TlsAcceptor::from(Arc::clone(&self.tls)).accept(stream).await.ok()
        };
        let stream = tokio::time::timeout(HANDSHAKE, shaken).await.ok().flatten();
        if stream.is_none() {
            self.metrics.handshakes.inc();
        }
        stream
    }
}

impl Host for Door {
    async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Some(stream) = self.handshake(stream).await else {
            tracing::debug!(%peer, "the handshake failed");
            return;
        };
        // The handshake asks for a certificate, so there is one.
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let caller = shown.map_or(Err(NoIdentity::Certificate), |shown| Identity::of_certificate(shown));
        if let Err(error) = &caller {
            tracing::warn!(%peer, %error, "a certificate without an identity");
        }
        let known = Known { caller: Arc::new(caller), routes: TowerToHyperService::new(self.routes.clone()) };
        let progress = Progress::new();
        let stream = Watched { stream, progress: progress.clone() };
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER)
            .max_headers(64)
            .max_buf_size(32 * 1024)
            .serve_connection(TokioIo::new(stream), known);
        let mut connection = std::pin::pin!(connection);
        let mut still = std::pin::pin!(progress.stands_still(STILL));
        let mut drains = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, %error, "a connection failed");
                    }
                    return;
                }
                () = self.drain.wait_started(), if !drains => {
                    drains = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut still => {
                    tracing::debug!(%peer, "a connection stood still");
                    return;
                }
            }
        }
    }

    /// One too many hears nothing: a word would take the handshake that there is no room for.
    async fn refuse(self: Arc<Self>, _stream: TcpStream, _peer: SocketAddr) {}
}

/// The routes, told who asks.
struct Known {
    caller: Caller,
    routes: TowerToHyperService<Router>,
}

impl Service<Request<Incoming>> for Known {
    type Response = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Response;
    type Error = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Error;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Arc::clone(&self.caller));
        self.routes.call(request)
    }
}

#[cfg(test)]
mod tests;
