//! In which order messages are taken, when there are several hubs.
//!
//! A hub alone is its own order. Hubs that share an etcd write each message into one `ledger` there, and take what
//! stands in it one after the other, so that of two pushes at two hubs one wins. A hub that follows others takes
//! what they show (`follow`). Neither etcd nor another hub is believed: each hub checks everything as a host would.
//!
//! The way of a push with a ledger: heard to its end → looked at (`board/turn`) → its files on enough hubs
//! (`peers`) → looked at again → its place in the ledger → kept and shown. `attend` hears what others write, `lacking`
//! fetches the files of that.

mod attend;
mod follow;
mod gateway;
mod lacking;
mod ledger;
mod peers;

use std::sync::Arc;
use std::time::Duration;

use switchyard_mapsync_protocol::head::File;
use tokio::time::timeout;

use self::attend::{CaughtUp, caught_up, shown, written};
pub(crate) use self::gateway::{Fault, Gateway, LedgerError};
pub(crate) use self::ledger::{Ledger, Place};
pub(crate) use self::peers::Peers;
use super::Shared;
use super::board::turn::{Brought, Look};
use super::board::{Board, Kept, NotKept};

/// Who says what comes next.
#[derive(Debug)]
pub(crate) enum Order {
    /// This hub alone.
    Alone,
    /// All hubs of an etcd.
    Ledger(Ledger),
    /// Other hubs; this one takes no pushes.
    Follows,
}

/// Takes what other hubs take, until this one drains.
pub(crate) async fn heard(shared: Shared) {
    match &shared.order {
        Order::Alone => shared.drain.wait_started().await,
        Order::Follows => Box::pin(follow::follow(&shared)).await,
        Order::Ledger(ledger) => Box::pin(attend::attend(&shared, ledger)).await,
    }
}

/// How often a push begins anew because others write meanwhile.
const TRIES: usize = 8;
/// How long a push waits for its files to be copied: less than the patience of whoever asks.
const COPYING: Duration = Duration::from_secs(15);

/// Takes what is brought, if it is in order.
pub(crate) async fn push(shared: &Shared, board: &Arc<Board>, brought: Brought) -> Result<Kept, NotKept> {
    let kept = match &shared.order {
        Order::Follows => return Err(NotKept::Follows(shared.peers.names())),
        Order::Alone => {
            let (blobs, now) = (Arc::clone(&shared.blobs), shared.now());
            let taken = board.turn().await.off(move |turn| match turn.look(&brought, &blobs, now)? {
                Look::Known(kept) => Ok(kept),
                Look::New(checked) => {
                    let kept = turn.keep(*checked, None)?;
                    turn.show(None)?;
                    Ok(kept)
                }
            });
            taken.await?.1
        }
        Order::Ledger(ledger) => agreed(shared, ledger, board, brought).await,
    }?;
    shared.tell(board);
    Ok(kept)
}

/// Takes it if all hubs do.
async fn agreed(
    shared: &Shared,
    ledger: &Ledger,
    board: &Arc<Board>,
    brought: Brought,
) -> Result<Kept, NotKept> {
    let mut are_copied = false;
    for _ in 0..TRIES {
        let CaughtUp { turn, tail, waits } = caught_up(shared, ledger, board.turn().await).await?;
        let (blobs, now, again) = (Arc::clone(&shared.blobs), shared.now(), brought.clone());
        let (turn, looked) = turn.off(move |turn| turn.look(&again, &blobs, now)).await?;
        let checked = match looked? {
            Look::Known(kept) => return Ok(kept),
            Look::New(checked) => checked,
        };
        if !are_copied && !checked.files.is_empty() {
            // It may take long, and others have their turn meanwhile.
            drop(turn);
            copied(shared, board, checked.files).await?;
            are_copied = true;
            continue;
        }
        let name = board.environment().to_string();
        if let Some(place) = written(shared, ledger, &name, &tail, &checked.entry).await? {
            // What waits for a clock comes before it, and is heard again.
            let place = Some(place).filter(|_| !waits.any());
            let (turn, kept) = turn.off(move |turn| turn.keep(*checked, place.as_ref())).await?;
            shown(shared, turn).await?;
            return kept;
        }
    }
    Err(NotKept::Crowded)
}

/// Copies the files of a push to enough other hubs. What takes longer than whoever pushes waits goes on without them:
/// they ask again.
async fn copied(shared: &Shared, board: &Arc<Board>, files: Vec<File>) -> Result<(), NotKept> {
    let copying = async {
        let one_at_a_time = Arc::clone(&board.copying).lock_owned().await;
        let (peers, blobs) = (Arc::clone(&shared.peers), Arc::clone(&shared.blobs));
        let environment = board.environment().clone();
        let copying = tokio::spawn(async move {
            let _one_at_a_time = one_at_a_time;
            peers.spread(&environment, &files, &blobs).await
        });
        copying.await?
    };
    timeout(COPYING, copying).await.map_err(|_| NotKept::Copying)?
}
