//! New options for a daemon that runs, on a thread of their own: reading a large set takes a while, and the threads
//! that serve must not wait for it.

use tokio::task::{JoinError, spawn_blocking};

use super::{Prepared, Reloader};
use crate::fault::Faults;
use crate::options::MapOptions;

impl Reloader {
    /// [`Reloader::prepare`]: none where the options say nothing new.
    ///
    /// # Errors
    /// When reading panicked, which is a bug; within, what is wrong with the maps.
    pub async fn prepare_aside(
        &self,
        options: MapOptions,
    ) -> Result<Result<Option<Prepared>, Faults>, JoinError> {
        let reloader = self.clone();
        spawn_blocking(move || reloader.prepare(options)).await
    }

    /// [`Reloader::commit`]. Without a new set, the files of the one in use are looked at once more: SIGHUP means
    /// that as well.
    pub async fn commit_aside(&self, prepared: Option<Prepared>) {
        let reloader = self.clone();
        let put = move || match prepared {
            Some(prepared) => reloader.commit(prepared),
            // What is wrong with the files is told there, and the old ones hold.
            None => drop(reloader.reload()),
        };
        if let Err(error) = spawn_blocking(put).await {
            tracing::error!(%error, "reading maps ended early");
        }
    }
}
