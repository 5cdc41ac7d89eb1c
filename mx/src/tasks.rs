//! The task that lives as long as the process and serves no client: connections that grow old.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::accept::Live;

/// Says goodbye on connections to routers that nobody used for a while.
pub(crate) async fn tend_connections(live: Arc<ArcSwap<Live>>, keep: Duration) {
    let mut ticks = tokio::time::interval((keep / 2).max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let hand_over = Arc::clone(&live.load().rules.hand_over);
        hand_over.close_idle(false).await;
    }
}
