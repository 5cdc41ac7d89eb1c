//! Hubs tell one another what hosts say, so that at each of them the list, the page and the gates of a rollout know
//! all hosts, whichever hub a host speaks to.
//!
//! About once a second a hub asks each of its `peers` for the words that came there since it asked last. A hub that
//! follows is nobody's peer, so it brings its own words to those that it follows. A word is passed on once, and not
//! to whom it came from; the host's own numbers say which of two is newer. Nothing of it goes through etcd or to a
//! disk.
//!
//! A hub believes another what a host said. That gives it no new power: it drives the same rollouts itself, and hosts
//! take nothing that an admin did not sign.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use switchyard_mapsync_protocol::Timestamp;
use tokio::time::sleep;

use super::Shared;
use super::board::Board;
use super::fleet::{Page, TooMany};
use super::order::Order;
use crate::client::{ClientError, Hub, Said, Words};

/// Words that are passed on at once.
pub(crate) const PAGE: usize = 250;
/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two pages.
const BREATH: Duration = Duration::from_millis(20);
/// After failures in a row.
const LONGEST: Duration = Duration::from_secs(30);
const MAX_FAILURES: u32 = 6;
/// Seconds that a host's clock may be ahead of ours.
const AHEAD: u64 = 3600;

/// Shares what hosts say until the hub drains.
pub(super) async fn share(shared: Shared) {
    let mut sharing = FuturesUnordered::new();
    for board in shared.boards.values() {
        sharing.extend(shared.peers.all(board.environment()).map(|hub| share_with(&shared, board, hub)));
    }
    let share = async {
        while sharing.next().await.is_some() {}
        // A hub alone has nobody to share with.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        () = shared.drain.wait_started() => {}
        () = share => {}
    }
}

/// How far another hub's words are heard, and ours are told to it.
#[derive(Debug, Default)]
struct Places {
    /// Which run of it.
    run: u64,
    heard: u64,
    told: u64,
}

async fn share_with(shared: &Shared, board: &Arc<Board>, mut hub: Hub) {
    let (mut places, mut failures) = (Places::default(), 0);
    loop {
        hub.set_tls(shared.peers.tls());
        let pause = match round(shared, board, &mut hub, &mut places).await {
            Ok(more) => {
                failures = 0;
                if more { BREATH } else { PAUSE.mul_f64(0.75 + fastrand::f64() / 2.0) }
            }
            Err(error) => {
                if failures == 0 {
                    tracing::info!(%error, "what hosts say to another hub is not heard");
                }
                failures = (failures + 1).min(MAX_FAILURES);
                // Full jitter, up to a bound that doubles.
                PAUSE.saturating_mul(1 << failures).min(LONGEST).mul_f64(fastrand::f64())
            }
        };
        sleep(pause).await;
    }
}

/// Hears a page of another hub's words, and tells one of ours where nobody asks for them. Whether there are more.
async fn round(
    shared: &Shared,
    board: &Arc<Board>,
    hub: &mut Hub,
    places: &mut Places,
) -> Result<bool, ClientError> {
    let words = hub.words(places.run, places.heard, board.fleet.run()).await?;
    if words.run != places.run {
        *places = Places { run: words.run, ..Places::default() };
    }
    places.heard = words.place;
    // A host too many is none of the other hub's business.
    let _too_many = hear(shared, board, &words);
    let mut more = words.more;
    if matches!(shared.order, Order::Follows) {
        let told = told(shared, board, places.told, places.run);
        if !told.words.is_empty() {
            hub.bring_words(&told).await?;
        }
        places.told = told.place;
        more |= told.more;
    }
    Ok(more)
}

/// A page of what hosts said, for a hub that is no stranger to the words of this run.
pub(crate) fn told(shared: &Shared, board: &Board, after: u64, without: u64) -> Words {
    let now = shared.clock.now_monotonic();
    let Page { words, place, more } = board.fleet.page(after, without, PAGE);
    let said = words.into_iter().map(|word| Said {
        age: u64::try_from(word.age(now).as_millis()).unwrap_or(u64::MAX),
        status: word.status,
    });
    Words { run: board.fleet.run(), place, more, words: said.collect() }
}

/// Keeps what another hub passes on: of this environment, within the bounds of a status, and as far as there is room.
pub(crate) fn hear(shared: &Shared, board: &Board, words: &Words) -> Result<(), TooMany> {
    let now = shared.clock.now_monotonic();
    let mut all = Ok(());
    // A host whose clock is far ahead would not be heard once that is set right.
    let latest = Timestamp(shared.now().0.saturating_add(AHEAD));
    for Said { age, status } in words.words.iter().take(PAGE).filter(|said| said.status.at <= latest) {
        if status.environment == *board.environment() && status.check().is_ok() {
            let heard = board.fleet.hear_of(status.clone(), Duration::from_millis(*age), words.run, now);
            all = all.and(heard);
        }
    }
    shared.metrics.set_hosts(board.environment(), board.fleet.count());
    all
}
