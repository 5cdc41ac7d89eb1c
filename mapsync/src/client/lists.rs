//! What a hub knows of an environment: its generations, its hosts, and where the last rollout stands.

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::status::Status;
use switchyard_mapsync_protocol::{Environment, Timestamp};

use super::wire::full;
use super::{ClientError, Hub, MAX_SMALL, PATIENCE};

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

impl Hub {
    /// The newest generations, newest first.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn generations(&mut self, most: usize) -> Result<Vec<Listed>, ClientError> {
        let path = format!("/v1/generations/{}?limit={most}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        self.answer(response).await
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
}
