//! Hears the hubs: asks each for what is newer than the last that was heard, and waits at the hub until there is.
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
use crate::client::{Hub, Newest};

/// What a hub showed.
#[derive(Debug)]
pub(super) struct Heard {
    /// Which hub, by its place in the settings.
    pub(super) hub: usize,
    pub(super) what: Newest,
    /// What the hub counts it by.
    pub(super) number: u64,
    pub(super) octets: Vec<u8>,
}

/// All ears; who drops them hears no more.
#[derive(Debug)]
pub(super) struct Ears {
    hubs: Arc<Hubs>,
    to: Sender<Heard>,
    from: Receiver<Heard>,
    listening: Vec<JoinSet<()>>,
    /// The newest question that each hub told of.
    questions: Vec<watch::Sender<u64>>,
}

impl Ears {
    /// Listens to every hub.
    pub(super) fn open(hubs: Arc<Hubs>) -> Self {
        let (to, from) = mpsc::channel(HEARD);
        let listening = (0..hubs.count()).map(|_| JoinSet::new()).collect();
        let questions = (0..hubs.count()).map(|_| watch::Sender::new(0)).collect();
        let mut ears = Self { hubs, to, from, listening, questions };
        (0..ears.hubs.count()).for_each(|hub| ears.anew(hub));
        ears
    }

    /// Hears a hub from the beginning, whatever it showed before.
    pub(super) fn anew(&mut self, place: usize) {
        let (Some(listening), Some(questions)) = (self.listening.get_mut(place), self.questions.get(place))
        else {
            return;
        };
        *listening = JoinSet::new();
        for what in [Newest::Root, Newest::Head, Newest::Release] {
            if let Some(hub) = self.hubs.dial(place) {
                listening.spawn(listen(place, hub, what, self.to.clone(), questions.clone()));
            }
        }
    }

    /// The newest question of each hub, in the order of the settings.
    pub(super) fn questions(&self) -> impl Iterator<Item = (usize, watch::Receiver<u64>)> {
        self.questions.iter().map(watch::Sender::subscribe).enumerate()
    }

    /// The next message. It never ends: hubs come back.
    pub(super) async fn heard(&mut self) -> Option<Heard> {
        self.from.recv().await
    }
}

/// Listens until nobody wants to hear any more.
async fn listen(place: usize, mut hub: Hub, what: Newest, to: Sender<Heard>, questions: watch::Sender<u64>) {
    let (mut known, mut failures) = (0, 0);
    // One of the ears is enough for them, and it needs no connection more.
    if what == Newest::Release {
        hub.hear_questions();
    }
    loop {
        let (asked, question) = (Instant::now(), hub.question());
        let newest = hub.newest(what, known, WAIT).await;
        let is_asked = hub.question() != question;
        if is_asked {
            questions.send_replace(hub.question());
        }
        match newest {
            Ok(Some(shown)) => {
                failures = 0;
                // One that shows the same again and again does not keep us busy.
                if shown.number == known {
                    sleep(backoff(1)).await;
                }
                known = shown.number;
                let heard = Heard { hub: place, what, number: shown.number, octets: shown.octets };
                if to.send(heard).await.is_err() {
                    return;
                }
            }
            // The wait is over, and there is nothing; or the hub goes, and says so early.
            Ok(None) => {
                failures = 0;
                if is_asked {
                    sleep(A_MOMENT).await;
                } else if asked.elapsed() < WAIT / 2 {
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
    }
}

/// Full jitter: anything up to a bound that doubles with each failure in a row.
pub(super) fn backoff(failures: u32) -> Duration {
    let most = FIRST.saturating_mul(1 << failures.min(MAX_FAILURES)).min(LONGEST);
    most.mul_f64(fastrand::f64())
}

/// Messages that wait to be taken; who hears more waits.
const HEARD: usize = 16;
const WAIT: Duration = Duration::from_secs(50);
/// After a question: a hub that always has one more does not keep us busy.
const A_MOMENT: Duration = Duration::from_millis(20);
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const MAX_FAILURES: u32 = 10;
