//! New settings for a router that runs: whole, or not at all.
//!
//! 1. What takes a restart is put back, and named.
//! 2. Everything that may fail is made: certificates, secrets, routing, delivery, sockets,
//!    maps. An error here changes nothing.
//! 3. What was made is put in place; nothing of that can fail. Open sessions go on under the options they began
//!    with, and so do attempts at delivery; mail that waits goes by the new ones.

use std::sync::{Arc, PoisonError};

use switchyard_config::{RouterSettings, Settings};
use switchyard_daemon::program::Fault;
use switchyard_daemon::sockets::Listeners;

use super::options::{live_options, of_listener};
use super::rooms::renewed;
use crate::Router;
use crate::accept::Door;

impl Router {
    /// Takes new settings; returns what is held until a restart.
    pub(crate) async fn take(&self, mut settings: RouterSettings) -> Result<Vec<String>, Fault> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let Self { front, doors, control, memory, drain, queue, .. } = self;

        let common = &settings.common;
        let filters = front.filters().renewed(&settings.asked)?;
        let live = live_options(&settings, memory, drain, Arc::new(filters))?;
        let means = renewed(&queue.means(), &settings, &self.srs, Arc::clone(&live.filters))?;
        let sockets = common.listen.iter().map(|listener| &listener.socket);
        let sockets = doors.prepare(sockets, &mut Listeners::none())?;
        let maps = self.reloader.prepare_aside(settings.maps.clone()).await;
        let maps = maps??;
        let asked = control.prepare(common.control.as_deref())?;

        // Routing first: new maps may name new pools. What they make of an old one that is gone is put off.
        front.change(live.clone(), means.routes.clone());
        queue.change(means);
        memory.set_limit(common.limits.content_memory);
        doors.set_max(common.limits.sessions);
        let of_listener = |index| of_listener(&settings, index);
        doors.commit(sockets, |index, drain| Door::new(front, &live, of_listener(index), drain)).await;
        control.commit(asked).await;
        self.reloader.commit_aside(maps).await;
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }
}
