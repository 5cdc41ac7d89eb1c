//! Hears one hub: asks for what is newer than the last that was heard, and waits at the hub until there is.
//!
//! What is heard goes to the agent's life as it came. A hub that is away is asked again, later and later, and never
//! by many hosts at one moment.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use switchyard_mapsync_protocol::Environment;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use crate::client::{Hub, Newest};

/// What a hub showed.
#[derive(Debug)]
pub(super) struct Heard {
    /// Which hub, by its place in the settings.
    pub(super) hub: usize,
    pub(super) what: Newest,
    pub(super) octets: Vec<u8>,
}

/// Listens until nobody wants to hear any more.
pub(super) async fn listen(
    place: usize,
    address: String,
    what: Newest,
    environment: Environment,
    tls: Arc<ClientConfig>,
    to: Sender<Heard>,
) {
    let mut hub = Hub::new(address, environment, tls);
    let (mut known, mut failures) = (0, 0);
    loop {
        let asked = Instant::now();
        match hub.newest(what, known, WAIT).await {
            Ok(Some(shown)) => {
                failures = 0;
                // One that shows the same again and again does not keep us busy.
                if shown.number == known {
                    sleep(backoff(1)).await;
                }
                known = shown.number;
                if to.send(Heard { hub: place, what, octets: shown.octets }).await.is_err() {
                    return;
                }
            }
            // The wait is over, and there is nothing; or the hub goes, and says so early.
            Ok(None) => {
                failures = 0;
                if asked.elapsed() < WAIT / 2 {
                    sleep(backoff(1)).await;
                }
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, ?what, "a hub is not heard");
                } else {
                    tracing::debug!(%error, ?what, "a hub is not heard");
                }
                failures = (failures + 1).min(MAX_FAILURES);
                sleep(backoff(failures)).await;
            }
        }
        if to.is_closed() {
            return;
        }
    }
}

/// Full jitter: anything up to a bound that doubles with each failure in a row.
fn backoff(failures: u32) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.min(MAX_FAILURES)).min(LONGEST);
    most.mul_f64(fastrand::f64())
}

const WAIT: Duration = Duration::from_secs(50);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const MAX_FAILURES: u32 = 10;
