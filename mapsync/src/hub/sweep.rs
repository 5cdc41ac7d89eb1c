//! Files that nothing names any more: what was brought for a push that never came, and what only generations of long ago
//! have. They are looked for now and then, so that a store does not fill up by itself.
//!
//! What the newest [`LEAST`] generations and the released one name stays, and what older ones name as far as it fits in
//! half of `limits.store_size`; the messages themselves stay in any case. A file that somebody brought or asked about
//! within [`GRACE`] stays too, for its push may be under way. Files go in the turns of all environments, and only if
//! nothing was taken since they were looked at: a head that names one of them comes before, or finds it missing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::HeadRef;

use super::Shared;
use super::board::{Board, NotKept, said};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3600);
/// How long a push may take from its first file to its head.
const GRACE: Duration = Duration::from_secs(86_400);
/// Generations whose files stay in any case.
pub(super) const LEAST: usize = 16;
/// Generations that are looked at together.
const PAGE: usize = 64;

/// Where an environment is: its newest head, and the released one.
type Place = [Option<HeadRef>; 2];

/// Sweeps until the hub drains.
pub(super) async fn sweep(shared: Shared) {
    loop {
        tokio::select! {
            biased;
            () = shared.drain.wait_started() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        match swept(&shared).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "files that nothing names any more are gone"),
            Err(error) => tracing::warn!(%error, "files that nothing names any more are not looked for"),
        }
    }
}

/// Looks once; how many files are gone.
async fn swept(shared: &Shared) -> Result<usize, NotKept> {
    let mut places = Vec::new();
    for board in shared.boards.values() {
        places.push((Arc::clone(board), board.turn().await.place_of_heads()));
    }
    let budget = shared.bounds.load().store / 2 / (places.len() as u64).max(1);
    let old = shared.clock.now_wall().checked_sub(GRACE).unwrap_or(SystemTime::UNIX_EPOCH);
    let (blobs, looked_at) = (Arc::clone(&shared.blobs), places.clone());
    let unnamed = tokio::task::spawn_blocking(move || {
        let mut names = HashSet::new();
        for (board, place) in &looked_at {
            name(board, *place, budget, &mut names)?;
        }
        let mut unnamed = blobs.all_before(old)?;
        unnamed.retain(|hash| !names.contains(hash));
        Ok::<_, NotKept>(unnamed)
    });
    let unnamed = unnamed.await??;
    if unnamed.is_empty() {
        return Ok(0);
    }
    let mut turns = Vec::new();
    for (board, place) in places {
        let turn = board.turn().await;
        if turn.place_of_heads() != place {
            // The next look sees what is new.
            return Ok(0);
        }
        turns.push(turn);
    }
    let blobs = Arc::clone(&shared.blobs);
    let gone = tokio::task::spawn_blocking(move || {
        let _nobody_takes_messages = turns;
        unnamed.into_iter().filter(|hash| blobs.remove_before(*hash, old)).count()
    });
    let gone = gone.await?;
    shared.metrics.swept(gone, shared.blobs.octets());
    Ok(gone)
}

/// Adds what an environment names. Blocks on the disk.
fn name(board: &Board, place: Place, budget: u64, names: &mut HashSet<Hash>) -> Result<(), NotKept> {
    let [newest, released] = place;
    let (mut octets, mut generations) = (0_u64, 0);
    let mut add = |head: &[u8], octets: &mut u64| {
        for file in said(head)?.1.files {
            if names.insert(file.hash) {
                *octets = octets.saturating_add(file.bytes);
            }
        }
        Ok::<_, NotKept>(())
    };
    if let Some(head) = released.map(|head| board.head(head.generation)).transpose()?.flatten() {
        add(&head, &mut octets)?;
    }
    // Above the newest are only those of keys that count no more: numbers began anew.
    let mut before = newest.map_or(u64::MAX, |newest| newest.generation.saturating_add(1));
    loop {
        let page = board.history(before, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        before = said(last)?.1.generation;
        for head in &page {
            if generations >= LEAST && octets > budget {
                return Ok(());
            }
            add(head, &mut octets)?;
            generations += 1;
        }
    }
}

#[cfg(test)]
mod tests;
