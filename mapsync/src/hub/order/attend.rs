//! Hears what other hubs wrote into the ledger, and takes it: at once when etcd says that something is new, and every
//! few seconds in any case.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::ledger::{Ledger, Tail};
use crate::hub::Shared;
use crate::hub::board::NotKept;
use crate::hub::board::turn::Turn;

/// How often the ledger is looked at although nobody says that something is new.
const POLL: Duration = Duration::from_secs(5);
/// While files are awaited.
const SOON: Duration = Duration::from_secs(1);

/// Takes what others write until the hub drains.
pub(super) async fn attend(shared: &Shared, ledger: &Ledger) {
    let news = Notify::new();
    tokio::select! {
        biased;
        () = shared.drain.wait_started() => {}
        () = ledger.watch(&news) => {}
        () = hear(shared, ledger, &news) => {}
    }
}

async fn hear(shared: &Shared, ledger: &Ledger, news: &Notify) {
    let mut was_heard = true;
    loop {
        let (mut is_heard, mut pause) = (true, POLL);
        for board in shared.boards.values() {
            if let Err(error) = caught_up(shared, ledger, board.turn().await).await {
                is_heard = false;
                // Once is enough, until it is heard again.
                if was_heard {
                    tracing::warn!(%error, "what other hubs take is not heard");
                }
            } else if shared.metrics.awaited(board.environment()) > 0 {
                pause = SOON;
            }
        }
        if is_heard && !was_heard {
            tracing::info!("what other hubs take is heard again");
        }
        shared.metrics.ledger.set(i64::from(is_heard));
        was_heard = is_heard;
        tokio::select! {
            () = news.notified() => {}
            () = sleep(pause) => {}
        }
    }
}

/// Takes all that the ledger has, fetches what files it needs, and shows it once they are here. A ledger that this hub
/// has not met before is told what the hub has.
pub(super) async fn caught_up(
    shared: &Shared,
    ledger: &Ledger,
    mut turn: Turn,
) -> Result<(Turn, Tail), NotKept> {
    let name = turn.board().environment().to_string();
    let mut own = None;
    let tail = loop {
        let (at, place) = turn.off(|turn| turn.place()).await?;
        turn = at;
        let page = ledger.read(&name, place?.as_ref()).await?;
        if own.is_none() && (page.is_another || page.tail.is_empty()) {
            let (at, all) = turn.off(|turn| turn.own()).await?;
            (turn, own) = (at, Some(all?));
        }
        let (entries, heard) = match (page.heard, own.as_mut().and_then(|own| own.first())) {
            (Some(heard), _) => (page.entries, heard),
            (None, None) => break page.tail,
            (None, Some(first)) => match ledger.append(&name, &page.tail, first).await? {
                Some(place) => (vec![first.clone()], place),
                // Another hub was faster: what it wrote comes first.
                None => continue,
            },
        };
        if let Some(own) = &mut own {
            own.retain(|entry| !entries.contains(entry));
        }
        let now = shared.now();
        let (at, told) = turn.off(move |turn| turn.hear(&entries, Some(&heard), now)).await?;
        turn = at;
        told?;
    };
    Ok((completed(shared, turn).await?, tail))
}

/// Fetches the files that what is trusted needs, and shows it if they are all here.
pub(super) async fn completed(shared: &Shared, turn: Turn) -> Result<Turn, NotKept> {
    let blobs = Arc::clone(&shared.blobs);
    let (turn, missing) = turn.off(move |turn| turn.missing(&blobs)).await?;
    let bounds = **shared.bounds.load();
    let environment = turn.board().environment().clone();
    let missing = shared.peers.fetch(&environment, missing?, &shared.blobs, bounds).await;
    shared.metrics.set_awaited(&environment, missing.len());
    if !missing.is_empty() {
        return Ok(turn);
    }
    let (turn, told) = turn.off(|turn| turn.show()).await?;
    told?;
    shared.tell(turn.board());
    Ok(turn)
}
