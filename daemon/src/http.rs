//! What a probe and Prometheus ask: `/metrics`, `/healthz` (the process turns), `/readyz` (traffic may come).
//!
//! One request a connection, few connections, short deadlines: a probe is never in the way of mail, and a
//! slow reader holds nothing. It answers while the process drains, so that the drain can be watched.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::accept::{self, AcceptError, AcceptMetrics, Sessions};
use crate::drain::Drain;
use crate::metrics::{self, MetricsError, Registry};
use crate::process::Process;
use crate::readiness::{Readiness, Ready};
use crate::sockets::{ListenOn, Listeners, SocketError};

/// What the three pages show.
#[derive(Debug, Clone)]
struct Shown {
    registry: Registry,
    readiness: Readiness,
}

/// The three pages. A daemon may `merge` pages of its own.
pub fn pages(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready_page))
        .with_state(Shown { registry, readiness })
}

/// Opens the sockets and serves the pages there for as long as the process lives. Returns where.
///
/// # Errors
/// When a socket cannot be had.
pub fn start(
    on: &ListenOn,
    listeners: &mut Listeners,
    registry: &Registry,
    process: &mut Process,
) -> Result<Vec<SocketAddr>, SocketError> {
    let mut addresses = Vec::new();
    for socket in listeners.open(on)? {
        addresses.extend(socket.local_addr());
        let pages = pages(registry.clone(), process.readiness.clone());
        let registry = registry.clone();
        process.tasks.helper("pages", async move {
            if let Err(error) = serve(socket, pages, &registry).await {
                tracing::error!(%error, "metrics are no longer served");
            }
        });
    }
    Ok(addresses)
}

/// Serves `pages` until it is dropped: a helper task, which outlives the drain so that one can be watched.
pub async fn serve(listener: TcpListener, pages: Router, registry: &Registry) -> Result<(), HttpError> {
    let sessions = Sessions::new(MAX_CONNECTIONS, Drain::new(), AcceptMetrics::register(registry, "http")?);
    let answer = move |stream, _peer: SocketAddr| answer(stream, pages.clone());
    Ok(accept::accept(listener, sessions, answer, refuse).await?)
}

/// The pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody can come in.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// Its own metrics are taken already: one server a registry.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// One connection: one request, one answer.
async fn answer(stream: TcpStream, pages: Router) {
    converse("http", stream, pages, tokio::time::sleep(CONNECTION_TIME)).await;
}

/// One request and its answer, over a stream of any kind, until `too_long`; `what` names the connection in the
/// log.
pub(crate) async fn converse(
    what: &'static str,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    pages: Router,
    too_long: impl Future<Output = ()>,
) {
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .max_headers(64)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    tokio::select! {
        biased;
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ({what}) failed");
            }
        }
        () = too_long => tracing::debug!("a connection ({what}) took too long"),
    }
}

/// One connection too many.
async fn refuse(mut stream: TcpStream, _peer: SocketAddr) {
    let busy = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    // Whoever is gone by now needs no answer.
    let _best_effort = stream.write_all(busy.as_bytes()).await;
}

async fn metrics_page(State(shown): State<Shown>) -> Response {
    match shown.registry.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready_page(State(shown): State<Shown>) -> Result<(StatusCode, String), Infallible> {
    let ready = shown.readiness.now();
    let status = if ready == Ready::Yes { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, format!("{ready}\n")))
}

/// Connections at once.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take for its request's head.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(5);
/// How long a connection may take in all.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn page(address: SocketAddr, path: &str) -> String {
        ask(address, &format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n")).await
    }

    /// The pages of a process, served on loopback until the test ends.
    async fn served(readiness: Readiness) -> SocketAddr {
        let registry = Registry::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let pages = pages(registry.clone(), readiness);
            serve(listener, pages, &registry).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn the_pages_say_what_is_true_now() {
        let drain = Drain::new();
        let readiness = Readiness::new(drain.clone());
        let spool = readiness.condition("spool", "recovering");
        let address = served(readiness).await;

        assert!(page(address, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let early = page(address, "/readyz").await;
        assert!(early.starts_with("HTTP/1.1 503 "), "{early}");
        assert!(early.ends_with("\r\n\r\nnot ready: spool: recovering\n"), "{early}");
        spool.met();
        let ready = page(address, "/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 200 OK\r\n") && ready.ends_with("\r\n\r\nready\n"), "{ready}");

        drain.begin();
        assert!(page(address, "/readyz").await.ends_with("\r\n\r\nnot ready: draining\n"));
        assert!(page(address, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"), "alive to the end");
        let numbers = page(address, "/metrics").await;
        assert!(numbers.contains("content-type: text/plain; version=0.0.4"), "{numbers}");
        assert!(numbers.contains("\nswitchyard_http_sessions_total 6\n"), "{numbers}");
        assert!(page(address, "/else").await.starts_with("HTTP/1.1 404 "));
    }

    #[tokio::test]
    async fn what_is_no_request_gets_no_page() {
        let address = served(Readiness::new(Drain::new())).await;
        let many = "X: y\r\n".repeat(65);
        let long = "y".repeat(20_000);
        for request in [
            "EHLO here\r\n\r\n".to_owned(),
            format!("GET /metrics HTTP/1.1\r\n{many}\r\n"),
            format!("GET /metrics HTTP/1.1\r\nX: {long}"),
        ] {
            let answer = ask(address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }

    /// The paused clock moves on as soon as nothing else can: at the deadline, and not before.
    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_is_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"GET /healthz HTTP/1.1\r\nX: ").await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let start = tokio::time::Instant::now();
        answer(stream, Router::new()).await;
        assert_eq!(start.elapsed().as_secs(), HEADER_TIME.as_secs());
    }
}
