//! Many hosts that have the first generation in use, and waiting until all of them have done something.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchyard_mapsync::agent::hubs::Hubs;
use switchyard_mapsync_protocol::agent::{Agent, Kept, Set};
use switchyard_mapsync_protocol::head::{Head, HeadRef};
use switchyard_mapsync_protocol::trust::Trusted;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::ground::{Ground, environment, now};
pub use super::host::Stage;
use super::host::{Host, News, live};
use super::proofs::Proofs;
use crate::expect;

/// The hosts; they end when it is dropped.
#[derive(Debug)]
pub struct Crowd {
    hosts: usize,
    news: mpsc::Receiver<News>,
    /// When each host first came so far.
    came: BTreeMap<(Stage, u64), BTreeMap<usize, Instant>>,
    refused: Arc<AtomicU64>,
    /// What changed in tables.
    pub proofs: Arc<Proofs>,
    _living: JoinSet<()>,
}

impl Crowd {
    /// So many hosts, each of which hears these hubs and has a generation in use that was pushed before.
    ///
    /// # Panics
    /// When the generation is none.
    #[must_use]
    pub fn start(ground: &Ground, hosts: usize, hubs: &[usize], (head, envelope): (Head, &[u8])) -> Self {
        let mut trusted = Trusted::begin(&ground.root, &environment()).expect("a root of our own");
        trusted.accept_head(envelope, now()).expect("a head of our own");
        let at: HeadRef = trusted.newest().expect("it was taken");
        let addresses: Vec<String> =
            hubs.iter().filter_map(|hub| ground.addresses().get(*hub)).map(ToString::to_string).collect();
        let (to, news) = mpsc::channel(hosts * ROOM);
        let (proofs, refused): (Arc<Proofs>, Arc<AtomicU64>) = Default::default();
        let mut living = JoinSet::new();
        for number in 0..hosts {
            let name = format!("host{number}.example.org");
            let tls = ground.tls(&format!("spiffe://live/agent/{name}"), &format!("host{number}"));
            let kept = Kept::new(trusted.clone());
            let set = Set { name: at, head: head.clone() };
            let agent = Agent::start(name.clone(), addresses.len(), kept, vec![set], Some(at));
            let hubs = Arc::new(Hubs::new(&addresses, environment(), tls));
            let (news, proofs, refused) = (to.clone(), Arc::clone(&proofs), Arc::clone(&refused));
            living.spawn(live(Host { number, name, agent, hubs, proofs, news, refused }));
        }
        Self { hosts, news, came: BTreeMap::new(), refused, proofs, _living: living }
    }

    /// How many there are.
    #[must_use]
    pub fn hosts(&self) -> usize {
        self.hosts
    }

    /// Messages of hubs that hosts did not take.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until all hosts are so far with a generation, and says when each was.
    ///
    /// # Panics
    /// When one is not for a minute.
    pub async fn all(&mut self, what: Stage, generation: u64) -> Vec<Instant> {
        loop {
            if let Some(came) = self.came.get(&(what, generation)).filter(|came| came.len() >= self.hosts) {
                let came = came.values().copied().collect();
                // Of older generations nothing is asked any more.
                self.came.retain(|(_, of), _| *of >= generation);
                return came;
            }
            let came = || self.came.get(&(what, generation)).map_or(0, BTreeMap::len);
            let news = timeout(expect::PATIENCE, self.news.recv()).await;
            let Ok(Some(news)) = news else {
                panic!("{} of {} hosts are {what:?} with {generation}", came(), self.hosts);
            };
            self.came.entry((news.what, news.generation)).or_default().entry(news.host).or_insert(news.at);
        }
    }
}

/// What a host says before anybody looks, at most.
const ROOM: usize = 256;
