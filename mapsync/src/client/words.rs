//! What hosts say to one hub, for another.

use hyper::Method;
use serde::{Deserialize, Serialize};
use switchyard_mapsync_protocol::status::Status;

use super::wire::full;
use super::{ClientError, Hub, PATIENCE};

/// What hosts said to a hub, as it is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// Of which run of the hub; each counts from the start.
    pub run: u64,
    /// How many of all its words are known with these.
    pub place: u64,
    /// There are later ones.
    pub more: bool,
    /// The last word of each host, once.
    pub words: Vec<Said>,
}

/// What a host said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// How long ago, in milliseconds.
    pub age: u64,
    /// What.
    pub status: Status,
}

impl Hub {
    /// What hosts said there after so many words of a run, but what the run `without` passed on.
    ///
    /// # Errors
    /// When the hub cannot be asked.
    pub async fn words(&mut self, run: u64, after: u64, without: u64) -> Result<Words, ClientError> {
        let which = format!("run={run}&after={after}&without={without}");
        let path = format!("/v1/fleet/{}/words?{which}", self.environment);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        self.answer(response).await
    }

    /// Brings what hosts said to this hub.
    ///
    /// # Errors
    /// When the hub cannot be asked, or has no room.
    pub async fn bring_words(&mut self, words: &Words) -> Result<(), ClientError> {
        let octets = serde_json::to_vec(words).map_err(|error| self.wire.error(error.to_string()))?;
        self.push(self.request(Method::POST, &format!("/v1/fleet/{}/words", self.environment)), octets).await
    }
}
