//! New options for a daemon that runs: read first ([`Reloader::prepare`]), put in use when all else that is new is
//! good as well ([`Reloader::commit`]).
//!
//! Both have a twin that works on a thread of its own: reading a large set takes a while, and the threads that serve
//! must not wait for it.

use std::sync::{Arc, PoisonError};

use tokio::task::{JoinError, spawn_blocking};

use super::reloader::{Sources, Waiting};
use super::{Reloader, steady};
use crate::fault::Faults;
use crate::guard::over_budget;
use crate::options::MapOptions;
use crate::remote::Remotes;
use crate::set::{MapSet, Verified};

/// A set that was read by other options than those in use, and waits to be put in use with them.
#[derive(Debug)]
pub struct Prepared {
    sources: Sources,
    set: Verified<MapSet>,
}

/// Why a set by other options is not put in use.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// It is bad.
    #[error(transparent)]
    Bad(Faults),
    /// It is good, and too far from the one in use.
    #[error(
        "the maps by the new settings change too much at once:\n{0}\nif it is meant, say `switchyard map accept`, \
         and reload once more"
    )]
    TooMuch(Faults),
}

impl Reloader {
    /// Reads a set by other options; none when they are those in use. It may take seconds, as a reload does.
    ///
    /// The budget is the new options': whoever means it may raise it in the same breath.
    ///
    /// # Errors
    /// With what is wrong; nothing has changed. What changes too much at once waits for [`Self::accept`].
    pub fn prepare(&self, options: MapOptions) -> Result<Option<Prepared>, PrepareError> {
        let sources = self.sources();
        if sources.options == options {
            return Ok(None);
        }
        let remotes = match sources.options.remote == options.remote {
            true => sources.remotes.clone(),
            false => Remotes::new(options.remote.clone(), self.metrics.remote.clone()),
        };
        let (set, faults) = steady::read(&options.files(), || MapSet::start_with(&options, &remotes));
        if !faults.is_empty() {
            return Err(PrepareError::Bad(faults));
        }
        let faults = over_budget(&self.handle.set(), set.get(), options.budget);
        let digest = set.get().digest();
        if !faults.is_empty() && !self.is_accepted(digest) {
            self.wait_with(Some(Waiting::Settings(digest)));
            return Err(PrepareError::TooMuch(faults));
        }
        Ok(Some(Prepared { sources: Sources { options, remotes }, set }))
    }

    /// Puts a set in use together with the options that it was read by: its files are watched from now on.
    pub fn commit(&self, prepared: Prepared) {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Prepared { sources, set } = prepared;
        self.was_read(set.get());
        self.wait_with(None);
        self.put_in_use(set);
        self.sources.send_replace(Arc::new(sources));
    }

    /// [`Reloader::prepare`]: none where the options say nothing new.
    ///
    /// # Errors
    /// When reading panicked, which is a bug; within, what is wrong with the maps.
    pub async fn prepare_aside(
        &self,
        options: MapOptions,
    ) -> Result<Result<Option<Prepared>, PrepareError>, JoinError> {
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
