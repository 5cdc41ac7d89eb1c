//! New settings for a router that runs: whole, or not at all.
//!
//! 1. What takes a restart is put back, and named.
//! 2. Everything that may fail is made: certificates, secrets, routing, delivery, sockets,
//!    maps. An error here changes nothing.
//! 3. What was made is put in place; nothing of that can fail. Open sessions go on under the options they began
//!    with, and so do attempts at delivery; mail that waits goes by the new ones.

use std::sync::PoisonError;

use switchyard_config::{RouterSettings, Settings};
use switchyard_daemon::sockets::Listeners;
use switchyard_maps::watch::Prepared;

use super::options::live_options;
use super::rooms::renewed;
use crate::accept::Door;
use crate::{Router, RouterError};

impl Router {
    /// Takes new settings; returns what is held until a restart.
    pub(crate) async fn take(&self, mut settings: RouterSettings) -> Result<Vec<String>, RouterError> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let Self { front, doors, control, memory, drain, queue, .. } = self;

        let common = &settings.common;
        let live = live_options(&settings, memory, drain)?;
        let means = renewed(&queue.means(), &settings, &self.srs)?;
        let sockets = common.listen.iter().map(|listener| &listener.socket);
        let sockets = doors.prepare(sockets, &mut Listeners::none()).map_err(RouterError::because)?;
        let maps = self.prepare_maps(&settings).await?;
        let asked = control.prepare(common.control.as_deref()).map_err(RouterError::because)?;

        // Routing first: new maps may name new pools. What they make of an old one that is gone is put off.
        front.change(live.clone(), means.routes.clone());
        queue.change(means);
        memory.set_limit(common.limits.content_memory);
        doors.set_max(common.limits.sessions);
        doors.commit(sockets, |_, drain| Door::new(front, &live, drain)).await;
        control.commit(asked).await;
        self.put_maps_in_use(maps).await;
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }

    /// Other maps, or the same to be read in another way; none where the settings say nothing new of them.
    async fn prepare_maps(&self, settings: &RouterSettings) -> Result<Option<Prepared>, RouterError> {
        let (reloader, options) = (self.reloader.clone(), settings.maps.clone());
        // A large set takes a while: not on a thread that serves.
        let prepared = tokio::task::spawn_blocking(move || reloader.prepare(options)).await;
        prepared.map_err(RouterError::because)?.map_err(RouterError::because)
    }

    /// Without new ones, the files of the old ones are looked at once more: SIGHUP means that as well.
    async fn put_maps_in_use(&self, prepared: Option<Prepared>) {
        let reloader = self.reloader.clone();
        let put = move || match prepared {
            Some(prepared) => reloader.commit(prepared),
            // What is wrong with the files is told there, and the old ones hold.
            None => drop(reloader.reload()),
        };
        if let Err(error) = tokio::task::spawn_blocking(put).await {
            tracing::error!(%error, "reading maps ended early");
        }
    }
}
