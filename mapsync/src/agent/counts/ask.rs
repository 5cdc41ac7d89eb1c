//! One question to the host's own daemon: `GET /metrics`, bounded in time and length.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No page came.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPage {
    #[error("it cannot be reached: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("the connection failed: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the question cannot be put: {0}")]
    Question(#[from] hyper::http::Error),
    #[error("it answers {0}")]
    No(StatusCode),
    #[error("the page cannot be read, or has more than {LONGEST} octets: {0}")]
    Unread(Box<dyn std::error::Error + Send + Sync>),
    #[error("nothing was heard for {} s", PATIENCE.as_secs())]
    Silent,
}

/// The page of a daemon's metrics.
pub(super) async fn page(address: SocketAddr) -> Result<String, NoPage> {
    timeout(PATIENCE, asked(address)).await.map_err(|_| NoPage::Silent)?
}

async fn asked(address: SocketAddr) -> Result<String, NoPage> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/metrics").header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let answered = async {
        let answer = sender.send_request(request).await?;
        if answer.status() != StatusCode::OK {
            return Err(NoPage::No(answer.status()));
        }
        let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(NoPage::Unread)?;
        Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
    };
    // The connection is turned here and ends here: nothing of it is left behind.
    let mut connection = std::pin::pin!(connection);
    let mut answered = std::pin::pin!(answered);
    tokio::select! {
        page = &mut answered => page,
        // What was still on the way is read to its end.
        ended = &mut connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(error.into()),
        },
    }
}

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Octets of a page; usual ones have 50 thousand.
const LONGEST: usize = 4 << 20;
