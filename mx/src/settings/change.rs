//! New settings for a front that runs: whole, or not at all.
//!
//! 1. What takes a restart is put back, and named.
//! 2. Everything that may fail is made: certificates, the way to the routers, sockets, maps.
//!    An error here changes
//!    nothing.
//! 3. What was made is put in place; nothing of that can fail. Open sessions go on under the rules they began
//!    with; their next message goes to the new routers.

use std::sync::{Arc, PoisonError};

use switchyard_config::{MxSettings, Settings};
use switchyard_daemon::program::Fault;
use switchyard_daemon::sockets::Listeners;

use super::options::{explaining, high};
use crate::Mx;

impl Mx {
    /// Takes new settings; returns what is held until a restart.
    pub(crate) async fn take(&self, mut settings: MxSettings) -> Result<Vec<String>, Fault> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);
        let Self { kept, doors, control, .. } = self;

        let common = &settings.common;
        let hand_over = is_another_way(&before, &settings).then(|| kept.hand_over(&settings)).transpose()?;
        let filters = kept.filters.load().renewed(&settings.asked)?;
        let filters = Arc::new(filters);
        let live = kept.live(&settings, Arc::clone(&filters))?;
        let sockets = common.listen.iter().map(|listener| &listener.socket);
        let sockets = doors.prepare(sockets, &mut Listeners::none())?;
        let maps = self.reloader.prepare_aside(settings.maps.clone()).await;
        let maps = maps??;
        let asked = control.prepare(common.control.as_deref())?;

        if let Some(hand_over) = hand_over {
            let before = kept.shared.hand_over.swap(Arc::new(hand_over));
            before.close_idle(true).await;
        }
        kept.filters.store(filters);
        kept.load.set_high(high(&settings));
        kept.memory.set_limit(common.limits.content_memory);
        doors.set_max(common.limits.sessions);
        doors.commit(sockets, |index, drain| kept.door(&settings, index, &live, drain)).await;
        control.commit(asked).await;
        self.reloader.commit_aside(maps).await;
        self.explains.store(Arc::new(explaining(&settings)));
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }
}

/// Whether routers are reached in another way. A certificate may be another one under the same name: with any
/// file in play they are read again.
fn is_another_way(before: &MxSettings, now: &MxSettings) -> bool {
    let tls = &now.routers.tls;
    before.routers != now.routers
        || before.common.host_name != now.common.host_name
        || before.common.dns != now.common.dns
        || tls.ca.is_some()
        || tls.certificate.is_some()
}
