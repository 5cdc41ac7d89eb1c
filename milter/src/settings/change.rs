//! New settings for a filter that runs: whole, or not at all.
//!
//! 1. What takes a restart is put back, and named.
//! 2. Everything that may fail is made: the resolver, sockets, maps. An error here changes nothing.
//! 3. What was made is put in place; nothing of that can fail. Messages go on under the rules they began with, and
//!    keys are listed and looked for in the DNS anew, since a file may hold another key under the same name.

use std::sync::{Arc, PoisonError};

use switchyard_config::{MilterSettings, Settings};
use switchyard_daemon::drain::Drain;
use switchyard_daemon::program::Fault;
use switchyard_daemon::sockets::Listeners;

use super::live;
use crate::accept::Door;
use crate::{Filter, dns};

impl Filter {
    /// Takes new settings; returns what is held until a restart.
    pub(crate) async fn take(&self, mut settings: MilterSettings) -> Result<Vec<String>, Fault> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let Self { shared, control, doors, .. } = self;

        // A new resolver begins without what the old one remembers: only where it is another.
        let resolver = (before.dns != settings.dns)
            .then(|| dns::resolver(&settings.dns.servers, settings.dns.timeout))
            .transpose()?;
        let sockets = doors.prepare(&super::places(&settings), &mut Listeners::none());
        let sockets = sockets?;
        let maps = self.reloader.prepare_aside(settings.maps.clone()).await;
        let maps = maps??;
        let asked = control.prepare(settings.control.as_deref())?;

        if let Some(resolver) = resolver {
            shared.dns.store(Arc::new(resolver));
        }
        shared.live.store(Arc::new(live(&settings)));
        shared.memory.set_limit(settings.limits.content_memory);
        doors.set_max(settings.limits.sessions);
        let door = |_, drain: &Drain| Door { shared: Arc::clone(shared), drain: drain.clone() };
        doors.commit(sockets, door).await;
        control.commit(asked).await;
        self.reloader.commit_aside(maps).await;
        shared.new_keys.notify_one();
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }
}
