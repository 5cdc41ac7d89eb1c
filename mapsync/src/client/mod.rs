//! A hub, as hosts and admins ask it.
//!
//! Nothing that it says is believed here: messages come out as octets, for `Trusted` to decide about, and a file is
//! what its hash and length say or it is refused.

mod wire;

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::{CONTENT_LENGTH, ETAG, HOST, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use rustls::ClientConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::{Environment, Timestamp, envelope, head};

use self::wire::{Body, Wire, full};

/// A hub gave no answer, or a no.
#[derive(Debug, Clone, thiserror::Error)]
#[error("hub {hub} {why}")]
pub struct ClientError {
    /// Which one.
    pub hub: String,
    /// Its no, if it answered at all.
    pub status: Option<StatusCode>,
    /// In words.
    pub why: String,
}

/// What a hub has signed messages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    /// Whose keys count.
    Root,
    /// The newest generation.
    Head,
    /// What is to be in use.
    Release,
}

/// A message as a hub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What the hub counts it by; the way to ask for a newer one.
    pub number: u64,
    /// The envelope.
    pub octets: Vec<u8>,
}

/// A generation in a hub's list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed {
    /// Its number.
    pub generation: u64,
    /// Its head's hash.
    pub hash: Hash,
    /// When it was signed.
    pub created: Timestamp,
    /// Until when it is taken.
    pub expires: Timestamp,
    /// Who made it.
    pub author: String,
    /// Why.
    pub note: String,
    /// How many files it has.
    pub files: usize,
    /// Their octets.
    pub bytes: u64,
}

/// A hub for one environment. It is asked one thing after the other.
#[derive(Debug)]
pub struct Hub {
    wire: Wire,
    environment: Environment,
}

impl Hub {
    /// A hub at `HOST:PORT`; nothing is dialled yet.
    #[must_use]
    pub fn new(address: String, environment: Environment, tls: Arc<ClientConfig>) -> Self {
        Self { wire: Wire::new(address, tls), environment }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.wire.address
    }

    /// The newest message of a kind, if it is another than the `known` one; waits for it so long. None has the
    /// number 0.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn newest(
        &mut self,
        what: Newest,
        known: u64,
        wait: Duration,
    ) -> Result<Option<Shown>, ClientError> {
        let kind = match what {
            Newest::Root => "roots",
            Newest::Head => "heads",
            Newest::Release => "releases",
        };
        let request = self.request(Method::GET, &format!("/v1/{kind}/{}", self.environment));
        let request =
            request.header(IF_NONE_MATCH, tag(known)).header("prefer", format!("wait={}", wait.as_secs()));
        let response = self.send(request, full(""), PATIENCE + wait).await?;
        match response.status() {
            StatusCode::OK => self.shown(response).await.map(Some),
            StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND => {
                self.wire.whole(response, MAX_SMALL).await?;
                Ok(None)
            }
            _ => Err(self.wire.refusal(response).await),
        }
    }

    /// The head of a generation.
    ///
    /// # Errors
    /// When the hub cannot be asked, or has none of this number.
    pub async fn head(&mut self, generation: u64) -> Result<Vec<u8>, ClientError> {
        self.one("generations", generation).await
    }

    /// A root of old, for those who follow step by step.
    ///
    /// # Errors
    /// When the hub cannot be asked, or has none of this number.
    pub async fn root(&mut self, version: u64) -> Result<Vec<u8>, ClientError> {
        self.one("roots", version).await
    }

    /// The newest generations, newest first.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn generations(&mut self, most: usize) -> Result<Vec<Listed>, ClientError> {
        let path = format!("/v1/generations/{}?limit={most}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        self.answer(response).await
    }

    /// A file, written to `to` as it comes. What is not what its hash and length say is an error; what was written
    /// by then is worth nothing.
    ///
    /// # Errors
    /// When the hub cannot be asked, or lies.
    pub async fn file(&mut self, file: &head::File, to: &mut impl Write) -> Result<(), ClientError> {
        let path = format!("/v1/blobs/{}", file.hash);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let (mut hasher, mut length) = (blake3::Hasher::new(), 0);
        let kept = self.wire.pieces(response, file.bytes, |piece| {
            hasher.update(piece);
            length += piece.len() as u64;
            to.write_all(piece)
        });
        kept.await?;
        let is_it = length == file.bytes && Hash::from(hasher.finalize()) == file.hash;
        if is_it { Ok(()) } else { Err(self.wire.error(format!("sends something else for {}", file.path))) }
    }

    /// Whether the hub has a file already.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn has(&mut self, hash: Hash) -> Result<bool, ClientError> {
        let request = self.request(Method::HEAD, &format!("/v1/blobs/{hash}"));
        let response = self.send(request, full(""), PATIENCE).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.wire.refusal(response).await),
        }
    }

    /// Brings a file.
    ///
    /// # Errors
    /// When it cannot be read, or the hub does not take it.
    pub async fn bring(&mut self, file: &head::File, at: &Path) -> Result<(), ClientError> {
        let unread = |error: io::Error| self.wire.error(format!("was not brought {}: {error}", at.display()));
        let pieces = Pieces { file: File::open(at).map_err(unread)?, left: file.bytes };
        let request = self.request(Method::PUT, &format!("/v1/blobs/{}", file.hash));
        let request = request.header(CONTENT_LENGTH, file.bytes);
        let response = self.send(request, StreamBody::new(stream::iter(pieces)).boxed(), UPLOAD).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => self.wire.whole(response, MAX_SMALL).await.map(drop),
            _ => Err(self.wire.refusal(response).await),
        }
    }

    /// Pushes a head that follows the generation `after`; 0 before the first.
    ///
    /// # Errors
    /// When the hub does not take it: 412 if somebody else was faster.
    pub async fn push_head(&mut self, octets: Vec<u8>, after: u64) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/v1/generations/{}", self.environment));
        self.push(request.header(IF_MATCH, tag(after)), octets).await
    }

    /// Pushes a root or a release.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn push_message(&mut self, what: Newest, octets: Vec<u8>) -> Result<(), ClientError> {
        let kind = if what == Newest::Root { "roots" } else { "releases" };
        let request = self.request(Method::POST, &format!("/v1/{kind}/{}", self.environment));
        self.push(request, octets).await
    }

    async fn push(
        &mut self,
        request: hyper::http::request::Builder,
        octets: Vec<u8>,
    ) -> Result<(), ClientError> {
        let response = self.send(request, full(octets), PATIENCE).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => {
                self.wire.whole(response, MAX_SMALL).await.map(drop)
            }
            _ => Err(self.wire.refusal(response).await),
        }
    }

    async fn one(&mut self, kind: &str, number: u64) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::GET, &format!("/v1/{kind}/{}/{number}", self.environment));
        let response = self.send(request, full(""), PATIENCE).await?;
        match response.status() {
            StatusCode::OK => self.wire.whole(response, envelope::LONGEST as u64).await,
            _ => Err(self.wire.refusal(response).await),
        }
    }

    async fn shown(&self, response: Response<Incoming>) -> Result<Shown, ClientError> {
        let number = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
        let number = number.and_then(|tag| tag.trim_matches('"').parse().ok());
        let number = number.ok_or_else(|| self.wire.error("shows a message without a number"))?;
        Ok(Shown { number, octets: self.wire.whole(response, envelope::LONGEST as u64).await? })
    }

    async fn answer<A: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<A, ClientError> {
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let octets = self.wire.whole(response, MAX_LIST).await?;
        serde_json::from_slice(&octets)
            .map_err(|error| self.wire.error(format!("cannot be understood: {error}")))
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder().method(method).uri(path).header(HOST, &self.wire.address)
    }

    async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        body: Body,
        patience: Duration,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = request.body(body).map_err(|error| self.wire.error(error.to_string()))?;
        self.wire.ask(request, patience).await
    }
}

/// A number as an entity tag (RFC 9110 §8.8.3).
fn tag(number: u64) -> String {
    format!("\"{number}\"")
}

/// A file as the pieces of a body; never more of it than was signed, if it grows meanwhile.
struct Pieces {
    file: File,
    left: u64,
}

impl Iterator for Pieces {
    type Item = io::Result<Frame<Bytes>>;

    fn next(&mut self) -> Option<Self::Item> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
        if want == 0 {
            return None;
        }
        let mut piece = vec![0; want];
        let read = self.file.read_exact(&mut piece).map(|()| Frame::data(Bytes::from(piece)));
        self.left = if read.is_ok() { self.left - want as u64 } else { 0 };
        Some(read)
    }
}

const PIECE: usize = 64 << 10;
/// For a hub to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a file to be brought.
const UPLOAD: Duration = Duration::from_secs(3600);
/// Octets of an answer that says nothing more than that it was done.
const MAX_SMALL: u64 = 64 << 10;
/// Octets of a list.
const MAX_LIST: u64 = 16 << 20;

#[cfg(test)]
mod tests;
