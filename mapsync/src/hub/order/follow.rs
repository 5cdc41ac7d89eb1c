//! A hub that follows others: it hears them as a host does, and shows what they show once it has the files.
//!
//! It takes no pushes, so it needs nothing that hubs agree by: one at the far end of a thin line hands out there what
//! came over the line once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use switchyard_mapsync_protocol::envelope::{Malformed, Signed};
use switchyard_mapsync_protocol::release::Release;
use tokio::time::{Instant, sleep};

use super::attend::shown;
use super::lacking::lacking;
use crate::client::{ClientError, Hub, Newest};
use crate::hub::Shared;
use crate::hub::board::turn::{Entry, Waits};
use crate::hub::board::{Board, Kind, NotKept};

const WAIT: Duration = Duration::from_secs(50);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const MAX_FAILURES: u32 = 10;
/// Roots that are heard at once.
const STEPS: u64 = 100;

/// What another hub shows is not taken.
#[derive(Debug, thiserror::Error)]
enum NotHeard {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the other hub shows what cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    NotKept(#[from] NotKept),
    /// It may be taken once another message was heard, or never.
    #[error("it shows what this hub does not take")]
    Refused,
    #[error("its root {0} is further ahead than one comes step by step")]
    Far(u64),
}

/// Takes what other hubs show until this one drains.
pub(super) async fn follow(shared: &Shared) {
    let mut ears = FuturesUnordered::new();
    for board in shared.boards.values() {
        for what in [Newest::Root, Newest::Head, Newest::Release, Newest::Plan] {
            ears.extend(shared.peers.all(board.environment()).map(|hub| hear(shared, board, hub, what)));
        }
    }
    tokio::select! {
        biased;
        () = shared.drain.wait_started() => {}
        () = ears.collect() => {}
        () = lacking(shared) => {}
    }
}

/// Hears one hub for one kind of message.
async fn hear(shared: &Shared, board: &Arc<Board>, mut hub: Hub, what: Newest) {
    let (mut known, mut failures) = (0, 0);
    loop {
        let asked = Instant::now();
        hub.set_tls(shared.peers.tls());
        let heard = heard(shared, board, &mut hub, what, known).await;
        match heard {
            Ok(Some(number)) if number != known => {
                (known, failures) = (number, 0);
                continue;
            }
            // The wait is over and there is nothing. One that says so at once, or shows the same again, does not keep
            // us busy.
            Ok(_) => failures = u32::from(asked.elapsed() < WAIT / 2),
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, ?what, "another hub is not heard");
                }
                failures = (failures + 1).min(MAX_FAILURES);
            }
        }
        if failures > 0 {
            sleep(backoff(failures)).await;
        }
    }
}

/// Takes the next message of a kind; its number, if there is one.
async fn heard(
    shared: &Shared,
    board: &Arc<Board>,
    hub: &mut Hub,
    what: Newest,
    known: u64,
) -> Result<Option<u64>, NotHeard> {
    let Some(newest) = hub.newest(what, known, WAIT).await? else { return Ok(None) };
    let entries = match what {
        Newest::Root => roots(board, hub, newest.number, newest.octets).await?,
        Newest::Head => vec![Entry::new(Kind::Head, newest.octets)],
        Newest::Plan => vec![Entry::new(Kind::Plan, newest.octets)],
        Newest::Release => {
            // The one that it names may be older than the newest, and this hub has not seen it then.
            let named = Signed::from_json(&newest.octets)?.read::<Release>()?.names();
            let head = hub.head(named.generation).await?;
            vec![Entry { head: Some(head.into()), ..Entry::new(Kind::Release, newest.octets) }]
        }
    };
    let now = shared.now();
    let waits = Waits::default();
    let (turn, told) = board.turn().await.off(move |turn| turn.hear(&entries, None, waits, now)).await?;
    let refused = told?.refused;
    shown(shared, turn).await?;
    if refused > 0 { Err(NotHeard::Refused) } else { Ok(Some(newest.number)) }
}

/// The roots from the one after ours on, step by step: each signs the next.
async fn roots(board: &Board, hub: &mut Hub, newest: u64, octets: Vec<u8>) -> Result<Vec<Entry>, NotHeard> {
    let ours = board.watch().borrow().number(Kind::Root);
    if newest.saturating_sub(ours) > STEPS {
        return Err(NotHeard::Far(newest));
    }
    let mut roots = Vec::new();
    for version in ours.saturating_add(1)..newest {
        roots.push(Entry::new(Kind::Root, hub.root(version).await?));
    }
    if newest > ours {
        roots.push(Entry::new(Kind::Root, octets));
    }
    Ok(roots)
}

/// Full jitter: anything up to a bound that doubles with each failure in a row.
fn backoff(failures: u32) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.min(MAX_FAILURES)).min(LONGEST);
    most.mul_f64(fastrand::f64())
}
