//! One connection to a hub: mutual TLS, HTTP/1.1, one question after the other.
//!
//! The name in the hub's certificate must be the one that was dialled, and its identity that of a hub of the
//! environment: a host's certificate, though by the same authority, makes no hub, and neither does that of a hub of
//! another environment. Nothing is followed anywhere: a redirect is an error. A hub that drips is one that is silent.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use switchyard_mapsync_protocol::Environment;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::ClientError;
use crate::identity::{Identity, Role};

/// What is sent.
pub(super) type Body = BoxBody<Bytes, std::io::Error>;

/// A hub, dialled when it is asked and kept until it hangs up.
#[derive(Debug)]
pub(super) struct Wire {
    /// `HOST:PORT`, as the settings say.
    pub(super) address: String,
    environment: Environment,
    tls: Arc<ClientConfig>,
    open: Option<SendRequest<Body>>,
    pub(super) pace: Pace,
}

/// How slow a hub may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Between two pieces of an answer.
    pub(super) silence: Duration,
    /// For any answer to be whole.
    pub(super) grace: Duration,
    /// Octets a second of an answer, on the average after that.
    pub(super) slowest: u64,
}

impl Pace {
    /// For an answer of so many octets at most.
    pub(super) fn whole(self, most: u64) -> Duration {
        self.grace.saturating_add(Duration::from_secs(most / self.slowest.max(1)))
    }
}

impl Wire {
    pub(super) fn new(address: String, environment: Environment, tls: Arc<ClientConfig>) -> Self {
        let pace = Pace { silence: SILENCE, grace: GRACE, slowest: SLOWEST };
        Self { address, environment, tls, open: None, pace }
    }

    /// Puts a question; the answer's head has come when this returns. `patience` is how long a hub may think.
    pub(super) async fn ask(
        &mut self,
        request: Request<Body>,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut sender = match self.open.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.within(REACH, self.dial()).await??,
        };
        self.within(REACH, sender.ready()).await?.map_err(|error| self.broken(error))?;
        let sent = sender.send_request(request);
        let response = self.within(patience, sent).await?.map_err(|error| self.broken(error))?;
        // A second question before the answer is read would wait: `ready` says when it is.
        self.open = Some(sender);
        Ok(response)
    }

    /// With other certificates from the next dial on.
    pub(super) fn set_tls(&mut self, tls: Arc<ClientConfig>) {
        self.tls = tls;
    }

    /// The next question goes over another connection.
    pub(super) fn hang_up(&mut self) {
        self.open = None;
    }

    async fn dial(&self) -> Result<SendRequest<Body>, ClientError> {
        let unreachable = |why: &dyn Display| self.error(format!("cannot be reached: {why}"));
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let stream = TcpStream::connect(&self.address).await.map_err(|error| unreachable(&error))?;
        // Questions are small and each waits for its answer.
        let _slower_at_worst = stream.set_nodelay(true);
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        let stream = stream.map_err(|error| unreachable(&error))?;
        self.must_be_a_hub(stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        // It ends with the connection; what is wrong with it, whoever asks is told as well.
        drop(tokio::spawn(connection));
        Ok(sender)
    }

    fn must_be_a_hub(
        &self,
        certificate: Option<&rustls::pki_types::CertificateDer<'_>>,
    ) -> Result<(), ClientError> {
        let identities = Identity::all_of_certificate(certificate.map_or(&[][..], AsRef::as_ref))
            .map_err(|error| self.error(error.to_string()))?;
        if let Some(other) = identities.iter().find(|identity| identity.role != Role::Hub) {
            return Err(self.error(format!("shows the certificate of {other}, who is no hub")));
        }
        if identities.iter().any(|identity| identity.environment == self.environment) {
            return Ok(());
        }
        let whose: Vec<String> = identities.iter().map(ToString::to_string).collect();
        let (whose, ours) = (whose.join(", "), &self.environment);
        Err(self.error(format!("shows the certificate of {whose}, who is no hub of `{ours}`")))
    }

    /// All of an answer, up to a length.
    pub(super) async fn whole(
        &self,
        response: Response<Incoming>,
        most: u64,
    ) -> Result<Vec<u8>, ClientError> {
        let mut octets = Vec::new();
        self.pieces(response, most, |piece| {
            octets.extend_from_slice(piece);
            Ok(())
        })
        .await?;
        Ok(octets)
    }

    /// An answer piece by piece, up to a length: it is never kept as a whole.
    pub(super) async fn pieces(
        &self,
        response: Response<Incoming>,
        most: u64,
        mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<(), ClientError> {
        let (mut body, mut length) = (response.into_body(), 0);
        let end = Instant::now().checked_add(self.pace.whole(most));
        loop {
            let frame = self.within(self.pace.silence, body.frame());
            let frame = match end {
                Some(end) => timeout_at(end, frame).await.map_err(|_| self.error("sends too slowly"))?,
                None => frame.await,
            };
            let Some(frame) = frame? else { return Ok(()) };
            let frame = frame.map_err(|error| self.broken(error))?;
            let Ok(piece) = frame.into_data() else { continue };
            length += piece.len() as u64;
            if length > most {
                return Err(self.error(format!("sends more than the {most} octets that there can be")));
            }
            each(&piece).map_err(|error| self.error(format!("what it sent cannot be kept: {error}")))?;
        }
    }

    /// A hub's no, in its own words where it has some.
    pub(super) async fn refusal(&self, response: Response<Incoming>) -> ClientError {
        self.problem(response).await.0
    }

    /// The same, with the last word of its type, which programs go by.
    pub(super) async fn problem(&self, response: Response<Incoming>) -> (ClientError, String) {
        let status = response.status();
        if status.is_redirection() {
            let why = format!("answers with a redirect ({status}), and none is ever followed");
            return (self.error(why), String::new());
        }
        let words = self.whole(response, MAX_WORDS).await.unwrap_or_default();
        let problem: Option<Problem> = serde_json::from_slice(&words).ok();
        let problem = problem.unwrap_or_default();
        let kind =
            problem.kind.and_then(|kind| Some(kind.rsplit(':').next()?.to_owned())).unwrap_or_default();
        let why = problem.detail.or(problem.title).unwrap_or_default();
        // RFC 9457 §5: it is foreign text.
        let why: String = why.chars().filter(|letter| !letter.is_control()).take(1000).collect();
        let why = format!("answers {status}: {why}");
        (ClientError { hub: self.address.clone(), status: Some(status), not_yet: false, why }, kind)
    }

    pub(super) fn error(&self, why: impl Into<String>) -> ClientError {
        ClientError { hub: self.address.clone(), status: None, not_yet: false, why: why.into() }
    }

    fn broken(&self, error: impl Display) -> ClientError {
        self.error(format!("the connection broke: {error}"))
    }

    async fn within<T>(&self, time: Duration, doing: impl Future<Output = T>) -> Result<T, ClientError> {
        let silent = |_| self.error(format!("nothing was heard for {} s", time.as_secs()));
        timeout(time, doing).await.map_err(silent)
    }
}

/// RFC 9457: what is wrong, as an object. Fields that we do not know are others' business.
#[derive(Default, serde::Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: Option<String>,
    title: Option<String>,
    detail: Option<String>,
}

/// A body of octets that are here.
pub(super) fn full(octets: impl Into<Bytes>) -> Body {
    Full::new(octets.into()).map_err(|never| match never {}).boxed()
}

/// To be connected to, with its TLS.
const REACH: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const SILENCE: Duration = Duration::from_secs(30);
/// For a small answer to be whole.
const GRACE: Duration = Duration::from_secs(60);
/// Octets a second: a snapshot of a large table takes its hour by a poor line, and no hub keeps a host for a day.
const SLOWEST: u64 = 16 << 10;
/// Octets of a hub's reason.
const MAX_WORDS: u64 = 64 << 10;
