//! A hub, as hosts and admins ask it.
//!
//! Nothing that it says is believed here: messages come out as octets, for `Trusted` to decide about, and a file is
//! what its hash and length say or it is refused.

mod ask;
mod files;
mod lists;
mod push;
mod told;
mod wire;
mod words;

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{ETAG, HOST, IF_NONE_MATCH};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use switchyard_mapsync_protocol::status::Status;
use switchyard_mapsync_protocol::{Environment, envelope};

pub use self::ask::Heard;
pub use self::lists::{Course, Fleet, FleetHost, Listed, Standing};
pub use self::told::{News, Told};
use self::wire::{Body, Wire, full};
pub use self::words::{Said, Words};

/// A hub gave no answer, or a no.
#[derive(Debug, Clone, thiserror::Error)]
#[error("hub {hub} {why}")]
pub struct ClientError {
    /// Which one.
    pub hub: String,
    /// Its no, if it answered at all.
    pub status: Option<StatusCode>,
    /// It answered, and took nothing: what comes first is not done yet.
    pub not_yet: bool,
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
    /// The plan of the last rollout.
    Plan,
}

impl Newest {
    /// Where it is asked for.
    const fn path(self) -> &'static str {
        match self {
            Self::Root => "roots",
            Self::Head => "heads",
            Self::Release => "releases",
            Self::Plan => "plans",
        }
    }
}

/// A message as a hub shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What the hub counts it by; the way to ask for a newer one.
    pub number: u64,
    /// The envelope.
    pub octets: Vec<u8>,
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
        Self { wire: Wire::new(address, environment.clone(), tls), environment }
    }

    /// With other certificates from the next time that it is dialled.
    pub fn set_tls(&mut self, tls: Arc<ClientConfig>) {
        self.wire.set_tls(tls);
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
        let request = self.request(Method::GET, &format!("/v1/{}/{}", what.path(), self.environment));
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

    /// Says how this host is.
    ///
    /// # Errors
    /// When the hub cannot be asked, or does not believe it.
    pub async fn report(&mut self, status: &Status) -> Result<(), ClientError> {
        let octets = status.to_json().map_err(|error| self.wire.error(error.to_string()))?;
        let request = self.request(Method::POST, &format!("/v1/agents/{}/status", status.host));
        self.push(request, octets).await
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

/// For a hub to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Octets of an answer that says nothing more than that it was done.
const MAX_SMALL: u64 = 64 << 10;
/// Octets of a list.
const MAX_LIST: u64 = 16 << 20;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
