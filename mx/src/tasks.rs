//! The task that lives as long as the process and serves no client: connections that grow old.

use std::sync::Arc;
use std::time::Duration;

use crate::policy::Shared;

/// How often connections are looked at: often enough for the shortest time that makes sense, and a reload may
/// set any.
const LOOK: Duration = Duration::from_secs(1);

/// Says goodbye on connections to routers that nobody used for a while.
pub(crate) async fn tend_connections(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        shared.hand_over.load_full().close_idle(false).await;
    }
}
