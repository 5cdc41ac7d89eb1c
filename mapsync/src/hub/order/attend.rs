//! Hears what other hubs wrote into the ledger, and takes it: at once when etcd says that something is new, and every
//! few seconds in any case. What can be shown is shown at once; files are fetched meanwhile (`lacking`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::gateway::LedgerError;
use super::lacking::lacking;
use super::ledger::{Ledger, Place, Tail};
use crate::hub::Shared;
use crate::hub::board::NotKept;
use crate::hub::board::turn::{Entry, Turn, Waits};

/// How often the ledger is looked at although nobody says that something is new.
const POLL: Duration = Duration::from_secs(5);

/// All that the ledger has is taken, and the turn goes on.
pub(super) struct CaughtUp {
    pub(super) turn: Turn,
    pub(super) tail: Tail,
    /// What is not taken yet because of a clock.
    pub(super) waits: Waits,
}

/// Takes what others write until the hub drains.
pub(super) async fn attend(shared: &Shared, ledger: &Ledger) {
    let news = Notify::new();
    tokio::select! {
        biased;
        () = shared.drain.wait_started() => {}
        () = ledger.watch(&news) => {}
        () = hear(shared, ledger, &news) => {}
        () = lacking(shared) => {}
    }
}

async fn hear(shared: &Shared, ledger: &Ledger, news: &Notify) {
    let (mut was_heard, mut was_late) = (true, false);
    loop {
        let (mut is_heard, mut is_late) = (true, false);
        for board in shared.boards.values() {
            match caught_up(shared, ledger, board.turn().await).await {
                Ok(CaughtUp { waits, .. }) => is_late |= waits.any(),
                Err(error) => {
                    is_heard = false;
                    // Once is enough, until it is heard again.
                    if was_heard {
                        tracing::warn!(%error, "what other hubs take is not heard");
                    }
                }
            }
        }
        if is_heard && !was_heard {
            tracing::info!("what other hubs take is heard again");
        }
        if is_late && !was_late {
            tracing::warn!("what another hub took is not in time by the clock here: it is tried again");
        }
        shared.metrics.ledger.set(i64::from(is_heard));
        (was_heard, was_late) = (is_heard, is_late);
        tokio::select! {
            () = news.notified() => {}
            () = sleep(POLL) => {}
        }
    }
}

/// Takes all that the ledger has, and shows what can be shown of it. A ledger that this hub has not met before is told
/// what the hub has.
pub(super) async fn caught_up(shared: &Shared, ledger: &Ledger, turn: Turn) -> Result<CaughtUp, NotKept> {
    let name = turn.board().environment().to_string();
    let (mut turn, place) = turn.off(|turn| turn.place()).await?;
    let (mut place, mut own, mut waits) = (place?, None, Waits::default());
    let tail = loop {
        let page = ledger.read(&name, place.as_ref()).await?;
        if own.is_none() && (page.is_another || page.tail.is_empty()) {
            let (at, all) = turn.off(|turn| turn.own()).await?;
            (turn, own) = (at, Some(all?));
        }
        let (entries, heard) = match (page.heard, own.as_mut().and_then(|own| own.first())) {
            (Some(heard), _) => (page.entries, heard),
            (None, None) => break page.tail,
            (None, Some(first)) => match written(shared, ledger, &name, &page.tail, first).await? {
                Some(place) => (vec![first.clone()], place),
                // Another hub was faster: what it wrote comes first.
                None => continue,
            },
        };
        if let Some(own) = &mut own {
            own.retain(|entry| !entries.contains(entry));
        }
        let (now, at) = (shared.now(), heard.clone());
        let (free, told) = turn.off(move |turn| turn.hear(&entries, Some(&at), waits, now)).await?;
        (turn, place, waits) = (free, Some(heard), told?.waits);
    };
    Ok(CaughtUp { turn: shown(shared, turn).await?, tail, waits })
}

/// Writes a message at the end of the ledger, and counts what etcd does not take.
pub(super) async fn written(
    shared: &Shared,
    ledger: &Ledger,
    environment: &str,
    tail: &Tail,
    entry: &Entry,
) -> Result<Option<Place>, LedgerError> {
    let written = ledger.append(environment, tail, entry).await;
    if written.is_err() {
        shared.metrics.unwritten.inc();
    }
    written
}

/// Shows what is trusted as far as its files are here; what it lacks, `lacking` fetches.
pub(super) async fn shown(shared: &Shared, turn: Turn) -> Result<Turn, NotKept> {
    let blobs = Arc::clone(&shared.blobs);
    let (turn, lacks) = turn.off(move |turn| turn.show(Some(&blobs))).await?;
    shared.metrics.set_awaited(turn.board().environment(), lacks?.len());
    shared.tell(turn.board());
    Ok(turn)
}
