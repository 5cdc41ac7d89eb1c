//! Answers what an admin asks of all hosts: named checks of what is in use here, and nothing else.
//!
//! That a hub has a question is heard by the ears; what it is, and the answer, do not wait for files that are
//! fetched. Nothing waits for it but the next question: one is answered after the other, and who asks much is
//! answered half of the time at most, for the host has mail to do.

mod find;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use switchyard_daemon::clock::Clock;
use switchyard_mapsync_protocol::question::{Answer, Asked, Check, Finding};
use switchyard_mapsync_protocol::status::Status;
use switchyard_mapsync_protocol::{Environment, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};

use super::disk::Disk;
use super::hubs::Hubs;
use super::life::Host;
use crate::client::ClientError;

/// The host that is asked.
#[derive(Debug)]
pub(super) struct Own {
    name: String,
    environment: Environment,
    disk: Arc<Disk>,
    clock: Clock,
    /// Held while something is looked up: whichever hub asks, once at a time.
    looking: Arc<Mutex<()>>,
}

impl Own {
    pub(super) fn of(host: &Host) -> Self {
        Self {
            name: host.name.clone(),
            environment: host.environment.clone(),
            disk: Arc::clone(&host.disk),
            clock: host.clock.clone(),
            looking: Arc::default(),
        }
    }
}

/// Answers one hub until there is nobody who hears it.
pub(super) async fn keep_answering(
    own: Arc<Own>,
    hubs: Arc<Hubs>,
    place: usize,
    mut questions: watch::Receiver<u64>,
    said: watch::Receiver<Option<Status>>,
) {
    while questions.changed().await.is_ok() {
        let mut asked = open(&hubs, place).await;
        if asked.is_err() {
            // A connection may have ended while nobody used it; the next one is new.
            asked = open(&hubs, place).await;
        }
        let asked = match asked {
            Ok(asked) => asked,
            Err(error) => {
                tracing::debug!(%error, "what a hub asks is not heard");
                continue;
            }
        };
        for Asked { number, checks } in asked {
            let status = said.borrow().clone();
            let began = Instant::now();
            let findings = found(&own, status.clone(), checks).await;
            let worked = began.elapsed();
            let answer = Answer {
                environment: own.environment.clone(),
                host: own.name.clone(),
                role: status.map(|status| status.role).unwrap_or_default(),
                question: number,
                findings,
            };
            match told(&hubs, place, &answer).await {
                Ok(()) => tracing::debug!(number, hub = hubs.address(place), "answered"),
                Err(error) => tracing::debug!(%error, number, "an answer is not heard"),
            }
            sleep(worked.min(PATIENCE)).await;
        }
    }
}

/// One finding for each check.
async fn found(own: &Arc<Own>, status: Option<Status>, checks: Vec<Check>) -> Vec<Finding> {
    let (count, own, runtime) = (checks.len(), Arc::clone(own), Handle::current());
    let looked = async {
        let alone = Arc::clone(&own.looking).lock_owned().await;
        // Files are read: not on a thread that hears hubs. Who is not waited for any more is still alone.
        let looked = tokio::task::spawn_blocking(move || {
            let _alone = alone;
            let now = own.clock.now_wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            runtime.block_on(find::all(&own.disk, status.as_ref(), Timestamp(now.as_secs()), &checks))
        });
        looked.await
    };
    let why = match timeout(PATIENCE, looked).await {
        Ok(Ok(findings)) => return findings,
        Ok(Err(error)) => format!("looking ended early: {error}"),
        Err(_) => format!("not found out within {} s", PATIENCE.as_secs()),
    };
    vec![Finding::unknown(why); count]
}

async fn open(hubs: &Hubs, place: usize) -> Result<Vec<Asked>, ClientError> {
    let Some(mut lent) = hubs.ask_now(place) else { return Ok(Vec::new()) };
    let asked = lent.hub.questions().await?;
    lent.give_back();
    Ok(asked)
}

async fn told(hubs: &Hubs, place: usize, answer: &Answer) -> Result<(), ClientError> {
    let Some(mut lent) = hubs.ask_now(place) else { return Ok(()) };
    lent.hub.answer_question(answer).await?;
    lent.give_back();
    Ok(())
}

/// For all checks of a question.
const PATIENCE: Duration = Duration::from_secs(30);
