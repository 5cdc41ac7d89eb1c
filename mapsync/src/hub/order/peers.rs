//! The other hubs, for files: what is missing here is fetched from them, and what is pushed here is brought to them
//! before it counts, so that no generation hangs on one disk.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::StatusCode;
use rustls::ClientConfig;
use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::head::File;
use tokio::time::sleep;

use crate::client::{ClientError, Hub};
use crate::hub::board::NotKept;
use crate::hub::settings::Bounds;
use crate::hub::store::blobs::{BlobError, Blobs};

/// How often one that has no place for an upload is asked again, and when.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// The other hubs.
#[derive(Debug)]
pub(crate) struct Peers {
    addresses: Vec<String>,
    tls: ArcSwap<ClientConfig>,
    copies: usize,
}

/// A file is not fetched.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("it was not finished: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Peers {
    /// Hubs at `HOST:PORT`; `copies` of them, this one counted, must have a push's files.
    pub(crate) fn new(addresses: Vec<String>, tls: Arc<ClientConfig>, copies: usize) -> Self {
        Self { addresses, tls: ArcSwap::new(tls), copies }
    }

    /// With new certificates from now on.
    pub(crate) fn set_tls(&self, tls: Arc<ClientConfig>) {
        self.tls.store(tls);
    }

    /// As the settings name them.
    pub(crate) fn names(&self) -> String {
        self.addresses.join(", ")
    }

    /// A connection to each.
    pub(crate) fn all(&self, environment: &Environment) -> impl Iterator<Item = Hub> {
        self.addresses
            .iter()
            .map(|address| Hub::new(address.clone(), environment.clone(), self.tls.load_full()))
    }

    /// Fetches files from whoever has them, and says which ones nobody has.
    pub(crate) async fn fetch(
        &self,
        environment: &Environment,
        mut missing: Vec<File>,
        blobs: &Arc<Blobs>,
        bounds: Bounds,
    ) -> Vec<File> {
        if missing.is_empty() {
            return missing;
        }
        for mut hub in self.all(environment) {
            let mut left = Vec::new();
            let mut is_there = true;
            for file in missing {
                let fetched = match is_there {
                    true => fetch_one(&mut hub, &file, blobs, bounds).await,
                    false => Ok(false),
                };
                match fetched {
                    Ok(true) => {}
                    Ok(false) => left.push(file),
                    Err(error) => {
                        tracing::debug!(%error, path = %file.path, "a file is not fetched");
                        // Who said no may say yes to another one.
                        is_there = matches!(&error, NotFetched::Client(error) if error.status.is_some());
                        left.push(file);
                    }
                }
            }
            missing = left;
            if missing.is_empty() {
                break;
            }
        }
        missing
    }

    /// Brings files to the other hubs, until so many have them as must.
    pub(crate) async fn spread(
        &self,
        environment: &Environment,
        files: &[File],
        blobs: &Blobs,
    ) -> Result<(), NotKept> {
        let (mut have, mut why) = (1, String::new());
        let hubs = self.all(environment).map(|hub| bring(hub, files, blobs));
        let mut hubs: FuturesUnordered<_> = hubs.collect();
        while have < self.copies && !files.is_empty() {
            match hubs.next().await {
                Some(Ok(())) => have += 1,
                Some(Err(error)) => {
                    tracing::warn!(%error, "another hub does not take the files of a push");
                    why = error.to_string();
                }
                None => return Err(NotKept::Copies { have, need: self.copies, why }),
            }
        }
        Ok(())
    }
}

async fn fetch_one(
    hub: &mut Hub,
    file: &File,
    blobs: &Arc<Blobs>,
    bounds: Bounds,
) -> Result<bool, NotFetched> {
    let mut fetching = blobs.fetch(file.hash, bounds.blob, bounds.store).map_err(BlobError::from)?;
    hub.file(file, &mut fetching).await?;
    let (arrived, blobs) = (fetching.end()?, Arc::clone(blobs));
    tokio::task::spawn_blocking(move || blobs.keep(arrived)).await?.map_err(BlobError::from)?;
    Ok(true)
}

async fn bring(mut hub: Hub, files: &[File], blobs: &Blobs) -> Result<(), ClientError> {
    for file in files {
        if hub.has(file.hash).await? {
            continue;
        }
        let mut tries = 1;
        while let Err(error) = hub.bring(file, &blobs.path(file.hash)).await {
            if error.status != Some(StatusCode::SERVICE_UNAVAILABLE) || tries == TRIES {
                return Err(error);
            }
            tries += 1;
            sleep(PAUSE).await;
        }
    }
    Ok(())
}
