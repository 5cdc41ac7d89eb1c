//! One host: hears hubs, decides by the protocol's state machine, fetches, checks, and says how it is.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchyard_mapsync::agent::ears::{Ears, Heard};
use switchyard_mapsync::agent::hubs::Hubs;
use switchyard_mapsync::agent::report::keep_telling;
use switchyard_mapsync::client::{ClientError, Newest};
use switchyard_mapsync_protocol::agent::{self, Action, Agent, Input, Outcome};
use switchyard_mapsync_protocol::head::File;
use switchyard_mapsync_protocol::question::{Answer, Asked, Check, Finding};
use switchyard_mapsync_protocol::status::{Counters, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::ground::{environment, now};
use super::proofs::Proofs;

/// Something that a host did.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    pub(super) host: usize,
    pub(super) what: Stage,
    pub(super) generation: u64,
    pub(super) at: Instant,
}

/// How far a host is with a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Fetched, and every hash and signature of it checked.
    Verified,
    /// A hub has taken its word that it is.
    VerifiedTold,
    /// In use.
    Active,
    /// A hub has taken its word that it is.
    ActiveTold,
}

/// A host that lives until it is dropped.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) agent: Agent,
    pub(super) hubs: Arc<Hubs>,
    pub(super) proofs: Arc<Proofs>,
    pub(super) news: mpsc::Sender<News>,
    /// Messages that no host takes: there should be none.
    pub(super) refused: Arc<AtomicU64>,
}

enum Done {
    Asked { hub: usize, asked: agent::Asked, octets: Option<Vec<u8>> },
    Fetched { hub: usize, file: File, delta: bool, outcome: Outcome },
}

struct Life {
    own: Host,
    ears: Ears,
    jobs: JoinSet<Done>,
    said: watch::Sender<Option<Status>>,
    rest: Option<Instant>,
}

/// Lives.
pub(super) async fn live(own: Host) {
    let mut beside = JoinSet::new();
    let said = watch::Sender::new(None);
    for hub in 0..own.hubs.count() {
        let (news, number) = (own.news.clone(), own.number);
        let heard = move |status: &Status| {
            let places =
                [(Stage::VerifiedTold, status.progress.staged), (Stage::ActiveTold, status.progress.active)];
            for (what, head) in places.into_iter().filter_map(|(what, head)| Some((what, head?))) {
                let told = News { host: number, what, generation: head.generation, at: Instant::now() };
                // There is room for all that hosts say before anybody looks.
                let _who_looks_has_gone = news.try_send(told);
            }
        };
        beside.spawn(keep_telling(Arc::clone(&own.hubs), hub, said.subscribe(), heard));
    }
    let ears = Ears::open(Arc::clone(&own.hubs));
    for (hub, questions) in ears.questions() {
        let (hubs, name, said) = (Arc::clone(&own.hubs), own.name.clone(), said.subscribe());
        beside.spawn(keep_answering((hubs, hub), name, questions, said));
    }
    let mut life = Life { own, ears, jobs: JoinSet::new(), said, rest: None };
    life.told(Input::Rested);
    loop {
        let rest = life.rest;
        tokio::select! {
            Some(heard) = life.ears.heard() => life.heard(heard),
            Some(Ok(done)) = life.jobs.join_next() => life.done(done),
            () = sleep_until(rest.unwrap_or_else(Instant::now)), if rest.is_some() => {
                life.rest = None;
                life.told(Input::Rested);
            }
        }
    }
}

impl Life {
    fn heard(&mut self, Heard { hub, what, number, octets }: Heard) {
        match what {
            // The one root that there is.
            Newest::Root if number <= self.own.agent.trusted().root().version => {}
            Newest::Root => self.told(Input::Root { hub, envelope: &octets }),
            Newest::Head => self.told(Input::Head { hub, envelope: &octets }),
            Newest::Release => self.told(Input::Release { hub, envelope: &octets }),
            Newest::Plan => {}
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Fetched { hub, file, delta, outcome } => {
                self.told(Input::Fetched { hub, file: &file, delta, outcome });
            }
            Done::Asked { hub, asked, octets: None } => self.told(Input::Lacks { hub, asked }),
            Done::Asked { hub, asked: agent::Asked::Root(_), octets: Some(envelope) } => {
                self.told(Input::Root { hub, envelope: &envelope });
            }
            Done::Asked { hub, asked: agent::Asked::Head(_), octets: Some(envelope) } => {
                self.told(Input::Head { hub, envelope: &envelope });
            }
        }
    }

    fn told(&mut self, input: Input<'_>) {
        let mut actions = VecDeque::from(self.handle(input));
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Stage(set) => {
                    self.say(Stage::Verified, set.name.generation);
                    actions.extend(self.handle(Input::Staged(Ok(()))));
                }
                Action::Flip { to, .. } => {
                    actions.extend(self.handle(Input::Flipped(Ok(()))));
                    self.say(Stage::Active, to.generation);
                }
                Action::Fetch { hub, file, base } => {
                    let (hubs, proofs) = (Arc::clone(&self.own.hubs), Arc::clone(&self.own.proofs));
                    self.jobs.spawn(async move {
                        let delta = base.is_some();
                        let outcome = fetch(&hubs, &proofs, hub, &file, base).await;
                        Done::Fetched { hub, file, delta, outcome }
                    });
                }
                Action::AskRoot { hub, version } => self.ask(hub, agent::Asked::Root(version)),
                Action::AskHead { hub, head } => self.ask(hub, agent::Asked::Head(head)),
                Action::AskAgain { hub } => self.ears.anew(hub),
                Action::Rest(time) => self.rest = Instant::now().checked_add(time),
                Action::Refused { .. } => drop(self.own.refused.fetch_add(1, Ordering::Relaxed)),
                // What only a disk is needed for.
                Action::Keep(_) | Action::Remove(_) | Action::Tidy(_) | Action::Report => {}
            }
        }
        self.tell();
    }

    fn handle(&mut self, input: Input<'_>) -> Vec<Action> {
        self.own.agent.handle(input, now(), fastrand::u64(..))
    }

    fn say(&self, what: Stage, generation: u64) {
        let news = News { host: self.own.number, what, generation, at: Instant::now() };
        let _who_looks_has_gone = self.own.news.try_send(news);
    }

    fn ask(&mut self, hub: usize, asked: agent::Asked) {
        let hubs = Arc::clone(&self.own.hubs);
        self.jobs.spawn(async move {
            let octets = one(&hubs, hub, asked).await.ok();
            Done::Asked { hub, asked, octets }
        });
    }

    /// As an agent says it: at once when it has come to another place.
    fn tell(&self) {
        let progress = self.own.agent.progress();
        self.said.send_if_modified(|said| {
            let is_other = said.as_ref().is_none_or(|said| said.progress != progress);
            *said = Some(Status {
                environment: environment(),
                host: self.own.name.clone(),
                role: "mx".to_owned(),
                site: "here".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                nonce: said.as_ref().map_or(1, |said| said.nonce.saturating_add(1)),
                at: now(),
                progress,
                counters: Counters::default(),
                disk_free: 1 << 30,
            });
            is_other
        });
    }
}

/// Answers one hub: what the host knows of itself, and nothing for which it would need a disk.
async fn keep_answering(
    (hubs, hub): (Arc<Hubs>, usize),
    host: String,
    mut questions: watch::Receiver<u64>,
    said: watch::Receiver<Option<Status>>,
) {
    while questions.changed().await.is_ok() {
        let Some(status) = said.borrow().clone() else { continue };
        let answered = async {
            let mut lent = hubs.ask(hub).await?;
            for Asked { number, checks } in lent.hub.questions().await? {
                let findings = checks.iter().map(|check| found(check, &status)).collect();
                let (host, role) = (host.clone(), status.role.clone());
                let answer = Answer { environment: environment(), host, role, question: number, findings };
                lent.hub.answer_question(&answer).await?;
            }
            lent.give_back();
            Ok::<_, ClientError>(())
        };
        // Who asked hears who is silent.
        let _unheard = answered.await;
    }
}

fn found(check: &Check, status: &Status) -> Finding {
    match check {
        Check::Generation => {
            let active = status.progress.active.map_or(0, |head| head.generation);
            Finding::fine(format!("generation {active}"))
        }
        Check::Version => Finding::fine(&status.version),
        Check::State => Finding::fine(format!("{:?}", status.progress.state)),
        Check::Disk => Finding::fine(format!("{} octets", status.disk_free)),
        Check::Deaths => Finding::fine(status.counters.deaths.to_string()),
        _ => Finding::unknown("needs a disk"),
    }
}

async fn one(hubs: &Hubs, hub: usize, asked: agent::Asked) -> Result<Vec<u8>, ClientError> {
    let mut lent = hubs.ask(hub).await?;
    let octets = match asked {
        agent::Asked::Root(version) => lent.hub.root(version).await?,
        agent::Asked::Head(head) => lent.hub.head(head.generation).await?,
    };
    lent.give_back();
    Ok(octets)
}

async fn fetch(hubs: &Hubs, proofs: &Proofs, hub: usize, file: &File, base: Option<File>) -> Outcome {
    let fetched = async {
        let mut lent = hubs.ask(hub).await?;
        let mut octets = Vec::new();
        match &base {
            None => drop(lent.hub.file(file, &mut io::sink()).await?),
            Some(base) => drop(lent.hub.delta(base, file, &mut octets).await?),
        }
        lent.give_back();
        Ok::<_, ClientError>(octets)
    };
    let octets = match fetched.await {
        Ok(octets) => octets,
        Err(error) if error.status.is_some() => return Outcome::Missing,
        Err(error) => return Outcome::Away(error.to_string()),
    };
    match base {
        Some(base) if !proofs.holds(octets, &base, file).await => {
            Outcome::Bad("it leads to another table".to_owned())
        }
        _ => Outcome::Got,
    }
}
