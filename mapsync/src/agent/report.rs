//! What this host says about itself, to every hub: when it changes, and every few seconds.

use std::path::Path;
use std::time::Duration;

use switchyard_mapsync_protocol::status::Status;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

use crate::client::Hub;

/// Tells one hub until there is nobody who says anything. One that does not listen misses a word, and nothing waits.
pub(super) async fn keep_telling(mut hub: Hub, mut status: Receiver<Option<Status>>) {
    loop {
        let word = status.borrow_and_update().clone();
        if let Some(word) = word
            && let Err(error) = hub.report(&word).await
        {
            tracing::debug!(%error, "a hub did not hear how we are");
        }
        // Hosts that began together do not speak together for ever.
        let pause = EVERY.mul_f64(0.75 + fastrand::f64() / 2.0);
        if let Ok(Err(_gone)) = timeout(pause, status.changed()).await {
            return;
        }
    }
}

/// Octets left where sets are kept; none where the system does not say.
pub(super) fn disk_free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

const EVERY: Duration = Duration::from_secs(10);
