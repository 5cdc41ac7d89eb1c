//! Signed messages, on their way to a hub.

use std::time::Duration;

use bytes::Bytes;
use hyper::header::IF_MATCH;
use hyper::{Method, Response, StatusCode, body::Incoming};
use tokio::time::sleep;

use super::wire::full;
use super::{ClientError, Hub, MAX_SMALL, Newest, PATIENCE, tag};

impl Hub {
    /// Pushes a head that follows the generation `after`; 0 before the first. A hub that copies its files to others is
    /// asked again for as long as an upload may take.
    ///
    /// # Errors
    /// When the hub does not take it: 412 if somebody else was faster; [`ClientError::not_yet`] if it copies still.
    pub async fn push_head(&mut self, octets: Vec<u8>, after: u64) -> Result<(), ClientError> {
        self.push_head_within(octets, after, COPYING).await
    }

    /// The same with so many questions at most.
    pub(super) async fn push_head_within(
        &mut self,
        octets: Vec<u8>,
        after: u64,
        most: u32,
    ) -> Result<(), ClientError> {
        let octets = Bytes::from(octets);
        let mut asked = 0;
        loop {
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
            asked += 1;
            if asked >= most {
                let why = "copies the files to other hubs, and is not done: push again later".to_owned();
                return Err(ClientError { not_yet: true, why, ..error });
            }
            sleep(PAUSE).await;
        }
    }

    /// Pushes a root, a release or a plan.
    ///
    /// # Errors
    /// When the hub does not take it.
    pub async fn push_message(&mut self, what: Newest, octets: Vec<u8>) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &format!("/v1/{}/{}", what.path(), self.environment));
        self.push(request, octets).await
    }

    pub(super) async fn push(
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
}

/// How often a hub is asked that copies files, with a pause between: it waits some seconds each time itself, and this
/// comes to about an hour.
const COPYING: u32 = 225;
const PAUSE: Duration = Duration::from_secs(1);
