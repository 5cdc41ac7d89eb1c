//! The other hubs, for files: what is missing here is fetched from them, and what is pushed here is brought to them
//! before it counts, so that no generation hangs on one disk.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use rustls::ClientConfig;
use switchyard_mapsync_protocol::Environment;
use switchyard_mapsync_protocol::head::File;
use tokio::time::timeout;

use crate::client::{ClientError, Hub};
use crate::hub::board::NotKept;
use crate::hub::settings::Bounds;
use crate::hub::store::blobs::{BlobError, Blobs};

/// How long one hub is waited for before the next is asked as well.
const SLOW: Duration = Duration::from_secs(20);

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

    /// The certificates of now.
    pub(crate) fn tls(&self) -> Arc<ClientConfig> {
        self.tls.load_full()
    }

    /// As the settings name them.
    pub(crate) fn names(&self) -> String {
        self.addresses.join(", ")
    }

    /// A connection to each.
    pub(crate) fn all(&self, environment: &Environment) -> impl Iterator<Item = Hub> {
        self.addresses.iter().map(|address| Hub::new(address.clone(), environment.clone(), self.tls()))
    }

    /// Fetches files from whoever has them, and says which ones nobody has, or have no room here.
    pub(crate) async fn fetch(
        &self,
        environment: &Environment,
        missing: Vec<File>,
        blobs: &Arc<Blobs>,
        bounds: Bounds,
    ) -> Vec<File> {
        let mut hubs: Vec<_> = self.all(environment).map(Some).collect();
        let mut left = Vec::new();
        for file in missing {
            let fits = file.bytes <= bounds.blob && blobs.octets().saturating_add(file.bytes) <= bounds.store;
            if blobs.length(file.hash) == Some(file.bytes) {
                continue;
            }
            if !fits || !fetch_one(&mut hubs, &file, blobs, bounds).await {
                left.push(file);
            }
        }
        left
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

/// Fetches a file from the first hub that has it. One that takes long is not waited for alone: the next is asked as
/// well, and whoever is left behind is not asked again in this round.
async fn fetch_one(hubs: &mut [Option<Hub>], file: &File, blobs: &Arc<Blobs>, bounds: Bounds) -> bool {
    let mut asked = FuturesUnordered::new();
    let mut next = 0;
    loop {
        let more = hubs.get_mut(next..).unwrap_or_default().iter_mut().position(|hub| hub.is_some());
        if let Some(step) = more {
            let place = next + step;
            next = place + 1;
            if let Some(mut hub) = hubs.get_mut(place).and_then(Option::take) {
                asked.push(async move { (place, from(&mut hub, file, blobs, bounds).await, hub) });
            }
        }
        let answered = match more {
            Some(_) => timeout(SLOW, asked.next()).await,
            None => Ok(asked.next().await),
        };
        match answered {
            // It takes long.
            Err(_) => {}
            Ok(None) if more.is_none() => return false,
            Ok(None) => {}
            Ok(Some((place, fetched, hub))) => {
                let is_fetched = fetched.is_ok();
                // Who said no may say yes to another one.
                let is_there = match fetched {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::debug!(%error, path = %file.path, "a file is not fetched");
                        matches!(&error, NotFetched::Client(error) if error.status.is_some())
                    }
                };
                if let Some(free) = hubs.get_mut(place).filter(|_| is_there) {
                    *free = Some(hub);
                }
                if is_fetched {
                    return true;
                }
            }
        }
    }
}

async fn from(hub: &mut Hub, file: &File, blobs: &Arc<Blobs>, bounds: Bounds) -> Result<(), NotFetched> {
    let mut fetching = blobs.fetch(file.hash, bounds.blob, bounds.store).map_err(BlobError::from)?;
    hub.file(file, &mut fetching).await?;
    let (arrived, blobs) = (fetching.end()?, Arc::clone(blobs));
    tokio::task::spawn_blocking(move || blobs.keep(arrived)).await?.map_err(BlobError::from)?;
    Ok(())
}

async fn bring(mut hub: Hub, files: &[File], blobs: &Blobs) -> Result<(), ClientError> {
    for file in files {
        if !hub.has(file.hash).await? {
            hub.bring(file, &blobs.path(file.hash)).await?;
        }
    }
    Ok(())
}
