//! Hears the hubs: each tells over one connection, which stays open, whatever is newer than the last that was heard.
//!
//! What is heard goes to the agent's life as it came. A hub that is away is asked again, later and later, and never
//! by many hosts at one moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::hubs::Hubs;
use crate::client::{ClientError, Hub, Newest, News, Shown};

/// What a hub showed.
#[derive(Debug)]
pub struct Heard {
    /// Which hub, by its place in the settings.
    pub hub: usize,
    /// Which kind of message.
    pub what: Newest,
    /// What the hub counts it by.
    pub number: u64,
    /// The envelope.
    pub octets: Vec<u8>,
}

/// All ears; who drops them hears no more.
#[derive(Debug)]
pub struct Ears {
    hubs: Arc<Hubs>,
    to: Sender<Heard>,
    from: Receiver<Heard>,
    listening: Vec<JoinSet<()>>,
    /// The newest question that each hub told of.
    questions: Vec<watch::Sender<u64>>,
}

impl Ears {
    /// Listens to every hub.
    #[must_use]
    pub fn open(hubs: Arc<Hubs>) -> Self {
        let (to, from) = mpsc::channel(HEARD);
        let listening = (0..hubs.count()).map(|_| JoinSet::new()).collect();
        let questions = (0..hubs.count()).map(|_| watch::Sender::new(0)).collect();
        let mut ears = Self { hubs, to, from, listening, questions };
        (0..ears.hubs.count()).for_each(|hub| ears.anew(hub));
        ears
    }

    /// Hears a hub from the beginning, whatever it showed before.
    pub fn anew(&mut self, place: usize) {
        let (Some(listening), Some(questions)) = (self.listening.get_mut(place), self.questions.get(place))
        else {
            return;
        };
        *listening = JoinSet::new();
        let to = To { heard: self.to.clone(), questions: questions.clone() };
        listening.spawn(listen(place, Arc::clone(&self.hubs), to));
    }

    /// The newest question of each hub, in the order of the settings.
    pub fn questions(&self) -> impl Iterator<Item = (usize, watch::Receiver<u64>)> {
        self.questions.iter().map(watch::Sender::subscribe).enumerate()
    }

    /// The next message. It never ends: hubs come back.
    pub async fn heard(&mut self) -> Option<Heard> {
        self.from.recv().await
    }
}

/// Where it goes.
#[derive(Debug)]
struct To {
    heard: Sender<Heard>,
    questions: watch::Sender<u64>,
}

/// Listens until nobody wants to hear any more.
async fn listen(place: usize, hubs: Arc<Hubs>, to: To) {
    let (mut known, mut failures) = ([0; 3], 0);
    while let Some(hub) = hubs.dial(place) {
        let (before, began) = (known, Instant::now());
        let heard = hear(place, hub, &mut known, &to).await;
        // What was well for long and breaks is no failure in a row, and is said anew.
        if known != before || began.elapsed() > LONGEST {
            failures = 0;
        }
        match heard {
            Ok(Ended::Ears) => return,
            Ok(Ended::Hub) => tracing::debug!(hub = hubs.address(place), "a hub has said its last"),
            Err(error) if failures == 0 => tracing::warn!(%error, "a hub is not heard"),
            Err(error) => tracing::debug!(%error, "a hub is not heard"),
        }
        failures = (failures + 1).min(MAX_FAILURES);
        sleep(backoff(failures)).await;
    }
}

/// Who ended it.
enum Ended {
    /// Nobody wants to hear any more.
    Ears,
    /// The hub goes, and says so.
    Hub,
}

/// Listens to a hub over one connection.
async fn hear(place: usize, hub: Hub, known: &mut [u64; 3], to: &To) -> Result<Ended, ClientError> {
    let mut told = hub.told(*known).await?;
    while let Some(news) = told.next().await? {
        let (what, Shown { number, octets }) = match news {
            News::Message(what, shown) => (what, shown),
            News::Question(number) => {
                to.questions.send_replace(number);
                // One that always has one more does not keep us busy.
                sleep(A_MOMENT).await;
                continue;
            }
        };
        let at = KINDS.iter().position(|kind| *kind == what);
        // Nor does one that shows the same again and again.
        match at.and_then(|at| known.get_mut(at)) {
            Some(known) if *known != number => *known = number,
            _ => sleep(backoff(1)).await,
        }
        if to.heard.send(Heard { hub: place, what, number, octets }).await.is_err() {
            return Ok(Ended::Ears);
        }
    }
    Ok(Ended::Hub)
}

/// Full jitter: anything up to a bound that doubles with each failure in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.min(MAX_FAILURES)).min(LONGEST);
    most.mul_f64(fastrand::f64())
}

/// What is heard, in the order of its numbers.
const KINDS: [Newest; 3] = [Newest::Root, Newest::Head, Newest::Release];
/// Messages that wait to be taken; who hears more waits.
const HEARD: usize = 16;
/// After a question.
const A_MOMENT: Duration = Duration::from_millis(20);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const MAX_FAILURES: u32 = 10;

#[cfg(test)]
mod tests;
