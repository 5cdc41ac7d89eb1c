//! A hub, as hosts and admins ask it.
//!
//! Nothing that it says is believed here: messages come out as octets, for `Trusted` to decide about, and a file is
//! what its hash and length say or it is refused.

mod ask;
mod files;
mod told;
mod wire;
mod words;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ETAG, HOST, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use rustls::ClientConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::status::Status;
use switchyard_mapsync_protocol::{Environment, Timestamp, envelope};
use tokio::time::sleep;

pub use self::ask::Heard;
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

/// Every host of an environment, as a hub knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    /// Which environment.
    pub environment: Environment,
    /// The hub's clock.
    pub now: Timestamp,
    /// The newest generation; 0 before the first.
    pub generation: u64,
    /// The newest release; 0 before the first.
    pub release: u64,
    /// The hosts, by name.
    pub hosts: Vec<FleetHost>,
}

/// A host in the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetHost {
    /// Seconds since it said so.
    pub age: u64,
    /// Its own word.
    #[serde(flatten)]
    pub status: Status,
}

/// Where a rollout stands, as a hub sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Which plan: the highest number of its releases.
    pub plan: u64,
    /// What it brings.
    pub generation: u64,
    /// The step in force, from 1; 0 before the first.
    pub step: usize,
    /// How many there are.
    pub steps: usize,
    /// Whether it goes on.
    pub state: Course,
    /// It goes on, and waits for more than the clock.
    #[serde(default)]
    pub held: bool,
    /// What it waits for, or how it ended.
    pub why: String,
    /// Since when it is at this step and goes on, is held, or has ended; none from a hub that does not say it.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Standing {
    /// In a word: `held`, or how its state is written.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.state {
            Course::Goes if self.held => "held",
            Course::Goes => "goes",
            Course::Complete => "complete",
            Course::Halted => "halted",
            Course::Undone => "undone",
            Course::Overtaken => "overtaken",
        }
    }
}

/// Whether a rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Course {
    /// It goes on, or is held.
    Goes,
    /// Every host has it.
    Complete,
    /// Nobody moves any more.
    Halted,
    /// Whoever had it went back.
    Undone,
    /// An admin released something else since.
    Overtaken,
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

    /// The newest generations, newest first.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn generations(&mut self, most: usize) -> Result<Vec<Listed>, ClientError> {
        let path = format!("/v1/generations/{}?limit={most}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        self.answer(response).await
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

    /// Every host of the environment, with its last word.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn fleet(&mut self) -> Result<Fleet, ClientError> {
        let path = format!("/v1/fleet/{}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        self.answer(response).await
    }

    /// Where the last rollout stands; none where none is driven.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn rollout(&mut self) -> Result<Option<Standing>, ClientError> {
        let path = format!("/v1/rollouts/{}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        if response.status() == StatusCode::NOT_FOUND {
            self.wire.whole(response, MAX_SMALL).await?;
            return Ok(None);
        }
        self.answer(response).await.map(Some)
    }

    /// Pushes a head that follows the generation `after`; 0 before the first. A hub that copies its files to others is
    /// asked again for as long as an upload may take.
    ///
    /// # Errors
    /// When the hub does not take it: 412 if somebody else was faster.
    pub async fn push_head(&mut self, octets: Vec<u8>, after: u64) -> Result<(), ClientError> {
        let octets = Bytes::from(octets);
        for _ in 0..COPYING {
            let request = self.request(Method::POST, &format!("/v1/generations/{}", self.environment));
            let response =
                self.send(request.header(IF_MATCH, tag(after)), full(octets.clone()), PATIENCE).await?;
            if response.status() != StatusCode::SERVICE_UNAVAILABLE {
                return self.taken(response).await;
            }
            let (error, kind) = self.wire.problem(response).await;
            if kind != "copying" {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
        Err(self.wire.error("copies the files to other hubs, and is not done: push again later"))
    }

    /// Pushes a root, a release or a plan.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn push_message(&mut self, what: Newest, octets: Vec<u8>) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/v1/{}/{}", what.path(), self.environment));
        self.push(request, octets).await
    }

    async fn push(
        &mut self,
        request: hyper::http::request::Builder,
        octets: Vec<u8>,
    ) -> Result<(), ClientError> {
        let response = self.send(request, full(octets), PATIENCE).await?;
        self.taken(response).await
    }

    async fn taken(&self, response: Response<Incoming>) -> Result<(), ClientError> {
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

/// For a hub to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a hub is asked that copies files, with a pause between: it waits some seconds each time itself, and this
/// comes to about an hour.
const COPYING: u32 = 225;
const PAUSE: Duration = Duration::from_secs(1);
/// Octets of an answer that says nothing more than that it was done.
const MAX_SMALL: u64 = 64 << 10;
/// Octets of a list.
const MAX_LIST: u64 = 16 << 20;

#[cfg(test)]
mod tests;
