//! etcd's JSON gateway: one question after the other to any of its members, over HTTP/1.1.
//!
//! A member that is away, or says that it cannot answer now, is passed over for the next; after a round there is a
//! pause, for the members choose a leader in a second or two. What etcd says is bounded and read as foreign.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

/// For one member to answer.
const EACH: Duration = Duration::from_secs(2);
/// For any of them to answer.
const ALL: Duration = Duration::from_secs(10);
/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(100);
/// Octets of an answer: a page of messages of the greatest size that etcd takes, in base64.
const LONGEST: usize = 40 << 20;

/// The members of an etcd.
#[derive(Debug)]
pub(crate) struct Gateway {
    members: Vec<String>,
    tls: ArcSwapOption<ClientConfig>,
    /// Who answered last.
    first: AtomicUsize,
    /// A connection to that one.
    open: Mutex<Option<(usize, Sender)>>,
}

type Sender = SendRequest<Full<Bytes>>;

/// What the hubs share cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("etcd {member}: {why}")]
pub(crate) struct LedgerError {
    member: String,
    why: String,
    pub(crate) fault: Fault,
}

/// Of which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Another member may answer, or this one later.
    Passing,
    /// Another one would say the same.
    Final,
    /// So is this: the message is longer than etcd takes.
    TooLong,
    /// And this: etcd has no room for any more.
    Full,
}

impl LedgerError {
    /// It says what it cannot say.
    pub(crate) fn strange(why: &str) -> Self {
        Self { member: String::new(), why: format!("answers with {why}"), fault: Fault::Final }
    }

    fn new(member: &str, why: impl std::fmt::Display) -> Self {
        Self { member: member.to_owned(), why: why.to_string(), fault: Fault::Passing }
    }
}

impl Gateway {
    /// Members at `HOST:PORT`; nothing is dialled yet.
    pub(crate) fn new(members: Vec<String>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { members, tls: ArcSwapOption::new(tls), first: AtomicUsize::new(0), open: Mutex::new(None) }
    }

    /// With new certificates from the next dial on.
    pub(crate) fn set_tls(&self, tls: Option<Arc<ClientConfig>>) {
        self.tls.store(tls);
    }

    /// Puts a question to whoever answers.
    pub(crate) async fn ask(&self, path: &str, question: &Value) -> Result<Value, LedgerError> {
        let (question, start) = (Bytes::from(question.to_string()), Instant::now());
        let mut last = LedgerError::new("", "there is no member");
        loop {
            let first = self.first.load(Ordering::Relaxed);
            for place in (0..self.members.len()).map(|step| (first + step) % self.members.len()) {
                match self.ask_one(place, path, question.clone()).await {
                    Ok(answer) => {
                        self.first.store(place, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(error) if error.fault != Fault::Passing => return Err(error),
                    Err(error) => last = error,
                }
            }
            if start.elapsed() + PAUSE > ALL {
                return Err(last);
            }
            sleep(PAUSE).await;
        }
    }

    async fn ask_one(&self, place: usize, path: &str, question: Bytes) -> Result<Value, LedgerError> {
        let Some(member) = self.members.get(place) else { return Err(LedgerError::new("", "is not there")) };
        let asked = async {
            let kept = self.open.lock().await.take().filter(|(at, open)| *at == place && !open.is_closed());
            let mut sender = match kept {
                Some((_, sender)) => sender,
                None => self.dial(member).await?,
            };
            let answer = sent(&mut sender, member, path, question).await?;
            let (status, body) = (answer.status(), whole(member, answer).await?);
            *self.open.lock().await = Some((place, sender));
            understood(member, status, &body)
        };
        let silent = |_| LedgerError::new(member, format!("nothing was heard for {} s", EACH.as_secs()));
        timeout(EACH, asked).await.map_err(silent)?
    }

    /// Puts a question whose answer has no end, and says whenever something of it comes.
    pub(crate) async fn hear(&self, path: &str, question: &Value, news: &Notify) {
        let question = Bytes::from(question.to_string());
        for step in 0.. {
            let place = (self.first.load(Ordering::Relaxed) + step) % self.members.len().max(1);
            if let Some(member) = self.members.get(place)
                && let Err(error) = self.hear_one(member, path, question.clone(), news).await
            {
                tracing::debug!(%error, "etcd is not heard");
            }
            sleep(PAUSE).await;
        }
    }

    async fn hear_one(
        &self,
        member: &str,
        path: &str,
        question: Bytes,
        news: &Notify,
    ) -> Result<(), LedgerError> {
        let silent = |_| LedgerError::new(member, "is silent");
        let begun = async {
            let mut sender = self.dial(member).await?;
            let answer = sent(&mut sender, member, path, question).await?;
            Ok((sender, answer))
        };
        // The sender lives as long as its answer is read: without it the connection ends.
        let (_sender, answer) = timeout(EACH, begun).await.map_err(silent)??;
        if answer.status() != StatusCode::OK {
            return Err(LedgerError::new(member, answer.status()));
        }
        let mut body = pin!(answer.into_body());
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| LedgerError::new(member, error))?;
            news.notify_one();
        }
        Err(LedgerError::new(member, "has ended it"))
    }

    async fn dial(&self, member: &str) -> Result<Sender, LedgerError> {
        let unreachable =
            |why: &dyn std::fmt::Display| LedgerError::new(member, format!("cannot be reached: {why}"));
        let stream = TcpStream::connect(member).await.map_err(|error| unreachable(&error))?;
        // Questions are small and each waits for its answer.
        let _slower_at_worst = stream.set_nodelay(true);
        let Some(tls) = self.tls.load_full() else { return shaken(member, stream).await };
        let host = member.rsplit_once(':').map_or(member, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(&error))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        shaken(member, stream.map_err(|error| unreachable(&error))?).await
    }
}

async fn shaken(
    member: &str,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Sender, LedgerError> {
    let shaken = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| LedgerError::new(member, error))?;
    // It ends with the sender; what is wrong with it, whoever asks is told as well.
    drop(tokio::spawn(connection));
    Ok(sender)
}

async fn sent(
    sender: &mut Sender,
    member: &str,
    path: &str,
    question: Bytes,
) -> Result<Response<Incoming>, LedgerError> {
    let request = Request::post(path).header(HOST, member).header(CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(question)).map_err(|error| LedgerError::new(member, error))?;
    sender.ready().await.map_err(|error| LedgerError::new(member, error))?;
    sender.send_request(request).await.map_err(|error| LedgerError::new(member, error))
}

async fn whole(member: &str, answer: Response<Incoming>) -> Result<Bytes, LedgerError> {
    let body = Limited::new(answer.into_body(), LONGEST).collect().await;
    Ok(body.map_err(|error| LedgerError::new(member, error))?.to_bytes())
}

/// An answer is JSON; a no has its reason in `error`.
fn understood(member: &str, status: StatusCode, body: &[u8]) -> Result<Value, LedgerError> {
    let read: Result<Value, _> = serde_json::from_slice(body);
    if status == StatusCode::OK {
        return read
            .map_err(|_| LedgerError { member: member.to_owned(), ..LedgerError::strange("no JSON") });
    }
    let reason = read.ok().and_then(|answer| answer.get("error")?.as_str().map(str::to_owned));
    let why: String =
        reason.unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(1000).collect();
    let fault = match status {
        // Its own bound, or that of gRPC beneath.
        _ if why.contains("request is too large") || why.contains("larger than max") => Fault::TooLong,
        _ if why.contains("space exceeded") => Fault::Full,
        StatusCode::TOO_MANY_REQUESTS => Fault::Passing,
        // What is wrong with the question is wrong for every member.
        _ if status.is_client_error() => Fault::Final,
        _ => Fault::Passing,
    };
    Err(LedgerError { member: member.to_owned(), why: format!("{status}: {why}"), fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_says_why_and_whether_another_member_would_say_the_same() {
        let of = |status, body: &str| understood("etcd1:2379", status, body.as_bytes());
        assert_eq!(of(StatusCode::OK, "{\"a\": 1}").unwrap()["a"], 1);
        assert_eq!(of(StatusCode::OK, "x").unwrap_err().fault, Fault::Final);
        let long = "{\"error\": \"etcdserver: request is too large\", \"code\": 3}";
        let error = of(StatusCode::BAD_REQUEST, long).unwrap_err();
        assert_eq!(error.to_string(), "etcd etcd1:2379: 400 Bad Request: etcdserver: request is too large");
        assert_eq!(error.fault, Fault::TooLong);
        for (status, why, fault) in [
            (
                StatusCode::TOO_MANY_REQUESTS,
                "grpc: received message larger than max (3 vs. 2)",
                Fault::TooLong,
            ),
            (StatusCode::TOO_MANY_REQUESTS, "etcdserver: mvcc: database space exceeded", Fault::Full),
            (StatusCode::TOO_MANY_REQUESTS, "etcdserver: too many requests", Fault::Passing),
            (StatusCode::BAD_REQUEST, "etcdserver: key is not provided", Fault::Final),
        ] {
            let body = format!("{{\"error\": \"{why}\"}}");
            assert_eq!(of(status, &body).unwrap_err().fault, fault, "{why}");
        }
        let away =
            of(StatusCode::SERVICE_UNAVAILABLE, "{\"error\": \"etcdserver: no\\u001b leader\"}").unwrap_err();
        assert_eq!(
            (away.why.as_str(), away.fault),
            ("503 Service Unavailable: etcdserver: no leader", Fault::Passing)
        );
    }

    #[tokio::test]
    async fn with_no_member_there_it_is_said_in_time() {
        tokio::time::pause();
        // Nobody listens on a port that was just given back.
        let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let gateway = Gateway::new(vec![address.to_string()], None);
        let error = gateway.ask("/v3/kv/txn", &Value::Null).await.unwrap_err();
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        assert_eq!(error.fault, Fault::Passing);
    }
}
