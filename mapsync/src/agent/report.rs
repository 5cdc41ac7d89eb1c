//! What this host says about itself, to every hub: when it changes, and every few seconds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchyard_mapsync_protocol::status::{State, Status};
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

use super::hubs::Hubs;
use crate::client::ClientError;

/// Tells one hub until there is nobody who says anything. One that does not listen misses a word, and nothing waits;
/// `heard` is told of the words that the hub took.
pub async fn keep_telling(
    hubs: Arc<Hubs>,
    place: usize,
    mut status: Receiver<Option<Status>>,
    heard: impl Fn(&Status),
) {
    loop {
        // What it is only on its way to is said if it stays there for long enough to be seen.
        let passes = status.borrow().as_ref().is_some_and(is_passing);
        let settled = |status: &Option<Status>| !status.as_ref().is_some_and(is_passing);
        if passes && let Ok(Err(_gone)) = timeout(PASSING, status.wait_for(settled)).await {
            return;
        }
        let word = status.borrow_and_update().clone();
        if let Some(word) = word {
            match tell(&hubs, place, &word).await {
                Ok(()) => heard(&word),
                Err(error) => tracing::debug!(%error, "a hub did not hear how we are"),
            }
        }
        // Hosts that began together do not speak together for ever.
        let pause = EVERY.mul_f64(0.75 + fastrand::f64() / 2.0);
        if let Ok(Err(_gone)) = timeout(pause, status.changed()).await {
            return;
        }
    }
}

/// Over a connection that files come by as well.
async fn tell(hubs: &Hubs, place: usize, word: &Status) -> Result<(), ClientError> {
    let Some(mut lent) = hubs.ask_now(place) else { return Ok(()) };
    lent.hub.report(word).await?;
    lent.give_back();
    Ok(())
}

/// Whether it is about to be somewhere else.
fn is_passing(status: &Status) -> bool {
    matches!(status.progress.state, State::Fetching | State::Staging)
}

/// Octets left where sets are kept; none where the system does not say.
pub(super) fn disk_free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

const EVERY: Duration = Duration::from_secs(10);
/// How long a host that fetches or compiles is not said to: mostly it has done so by then.
const PASSING: Duration = Duration::from_secs(1);
