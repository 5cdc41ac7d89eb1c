//! Fetches what is missing here from the other hubs: for each environment by itself, and nobody waits for it. What came
//! is shown; what did not is tried again, less and less often, and at once when something else is missing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

use super::attend::shown;
use crate::hub::Shared;
use crate::hub::board::Board;

/// After the first round that does not bring all, and at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Fetches what is missing until the hub drains.
pub(super) async fn lacking(shared: &Shared) {
    let boards: FuturesUnordered<_> = shared.boards.values().map(|board| fetch(shared, board)).collect();
    boards.collect::<()>().await;
}

async fn fetch(shared: &Shared, board: &Arc<Board>) {
    let (mut lacks, mut pause) = (board.lacks(), FIRST);
    loop {
        // Who tells of it lives as long as the board.
        let Ok(missing) = lacks.wait_for(|missing| !missing.is_empty()).await.map(|missing| missing.clone())
        else {
            return;
        };
        let bounds = **shared.bounds.load();
        let left = shared.peers.fetch(board.environment(), missing, &shared.blobs, bounds).await;
        shared.metrics.stored.set(i64::try_from(shared.blobs.octets()).unwrap_or(i64::MAX));
        let told = shown(shared, board.turn().await).await;
        if let Err(error) = &told {
            tracing::warn!(%error, "what was fetched is not shown");
        }
        if told.is_ok() && board.lacks().borrow().is_empty() {
            pause = FIRST;
            continue;
        }
        if pause == FIRST {
            let environment = board.environment();
            tracing::warn!(%environment, files = left.len(), "files are on no hub that can be asked, or have no room");
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST),
            _ = lacks.changed() => pause = FIRST,
        }
    }
}
