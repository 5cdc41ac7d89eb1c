//! One set at one generation: what a transaction, or a delivery attempt, asks from its start to its end.

mod questions;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::access::Access;
use crate::answer::{self, Answer, Place, Unavailable};
use crate::chain::{Found, Hit, Pending, Why};
use crate::entry::Route;
use crate::metrics::MapMetrics;
use crate::name::MapName;
use crate::set::{MapSet, Slot};
use crate::shadow::{self, Compared, Example, Shadow};
use crate::trace::Trace;

/// A set in use.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) generation: u64,
    pub(crate) set: Arc<MapSet>,
}

/// A set, held: swaps do not reach it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    current: Arc<Current>,
    metrics: Option<MapMetrics>,
    trace: Option<Trace>,
    /// Questions that servers are yet to be asked; none when nobody waits for the answers.
    pending: Option<Arc<Mutex<Vec<Pending>>>>,
    /// The candidate that is asked too, and never answers.
    shadow: Option<Arc<Shadow>>,
}

/// Whose address is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The sender's.
    Sender,
    /// A recipient's.
    Recipient,
}

impl Snapshot {
    pub(crate) fn new(
        current: Arc<Current>,
        metrics: Option<MapMetrics>,
        shadow: Option<Arc<Shadow>>,
    ) -> Self {
        Self { current, metrics, trace: None, pending: None, shadow }
    }

    /// The same set, asked with notes taken: what every table says to every question from now on.
    #[must_use]
    pub fn traced(&self) -> (Self, Trace) {
        let trace = Trace::default();
        // What is asked to see what is asked is not counted.
        (Self { metrics: None, shadow: None, trace: Some(trace.clone()), ..self.clone() }, trace)
    }

    /// Puts `question`, and puts it again once the servers it needs have been asked: so a question stays
    /// plain code that does no I/O. It may be put several times and must change nothing but its answer.
    pub async fn settled<T>(&self, question: impl Fn(&Self) -> T) -> T {
        let pending = Arc::new(Mutex::new(Vec::new()));
        let asking = Self { pending: Some(Arc::clone(&pending)), ..self.clone() };
        for _ in 0..MAX_ROUNDS {
            let mark = self.trace.as_ref().map(Trace::mark);
            let answer = question(&asking);
            let open = std::mem::take(&mut *pending.lock().unwrap_or_else(PoisonError::into_inner));
            if open.is_empty() {
                return answer;
            }
            if let (Some(trace), Some(mark)) = (&self.trace, mark) {
                // It is put again from its start.
                trace.back_to(mark);
            }
            // What fails is remembered there for a moment, and then an answer too.
            futures_util::future::join_all(open.iter().map(|open| open.remote.fetch(&open.key))).await;
        }
        question(self)
    }

    /// Counts the sets since the daemon started; rolling back counts too.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.current.generation
    }

    /// True when the role has this map, whether or not it can be asked.
    #[must_use]
    pub fn has(&self, map: MapName) -> bool {
        !matches!(self.current.set.slot(map), Slot::Absent)
    }

    /// How many keys a map has.
    #[must_use]
    pub fn entries(&self, map: MapName) -> usize {
        self.current.set.entries(map)
    }

    fn route_of(
        &self,
        map: MapName,
        about: &dyn fmt::Display,
        ask: impl for<'a> Fn(&'a MapSet, Option<&'a Trace>) -> Asked<'a, ()>,
    ) -> Answer<answer::Found<Route>> {
        self.question(map, about, |set, trace| {
            let Some((hit, ())) = ask(set, trace)? else { return Ok(None) };
            let route = set.routes.get(&map).and_then(|routes| routes.read(&hit, &set.words));
            Ok(Some((hit, route)))
        })
    }

    fn access(
        &self,
        map: MapName,
        about: &dyn fmt::Display,
        ask: impl for<'a> Fn(&'a MapSet, Option<&'a Trace>) -> Asked<'a, ()>,
    ) -> Answer<answer::Found<Access>> {
        self.question(map, about, |set, trace| {
            let Some((hit, ())) = ask(set, trace)? else { return Ok(None) };
            let access = set.access.get(&map).and_then(|access| access.read(&hit, &set.words));
            Ok(Some((hit, access)))
        })
    }

    /// Every question to a map comes by here.
    fn question<T: Compared>(
        &self,
        map: MapName,
        about: &dyn fmt::Display,
        ask: impl for<'a> Fn(&'a MapSet, Option<&'a Trace>) -> Asked<'a, Option<T>>,
    ) -> Answer<answer::Found<T>> {
        let asked = ask(&self.current.set, self.trace.as_ref());
        if let Err(Why::Unknown(pending)) = &asked {
            self.wait_for(pending);
            // It will be put again, to the candidate too.
            return told(map, asked);
        }
        let answer = told(map, asked);
        if let Some(metrics) = &self.metrics {
            metrics.asked(map, &answer);
        }
        if let Some(shadow) = &self.shadow {
            self.compare(shadow, map, about, &answer, ask);
        }
        answer
    }

    /// Puts the question to the candidate too.
    fn compare<T: Compared>(
        &self,
        shadow: &Shadow,
        map: MapName,
        about: &dyn fmt::Display,
        live: &Answer<answer::Found<T>>,
        ask: impl for<'a> Fn(&'a MapSet, Option<&'a Trace>) -> Asked<'a, Option<T>>,
    ) {
        let (old, new) = (&*self.current.set, &shadow.set);
        let asked = ask(new, None);
        if let Err(Why::Unknown(pending)) = &asked {
            // Known the next time; a candidate holds nobody up.
            return fetch(pending);
        }
        let candidate = told(map, asked);
        let Some(kind) = shadow::compare(map, live, &candidate) else { return shadow.same() };
        let [was, is] = [old, new].map(|set| {
            let trace = Trace::default();
            let _ = ask(set, Some(&trace));
            trace.take()
        });
        if shadow::is_chance([&was, &is], old) {
            return shadow.same();
        }
        let intended = match (live, &candidate) {
            // Nobody means that mail is put off, and a mend is always meant.
            (_, Answer::Unavailable(_)) => false,
            (Answer::Unavailable(_), _) => true,
            _ => shadow::touched([&was, &is], old, new),
        };
        if let Some(metrics) = &self.metrics {
            metrics.differs(map, kind, intended);
        }
        let (live, candidate) = (shadow::show(live), shadow::show(&candidate));
        let (map, asked) = (map.to_string(), about.to_string());
        shadow.differs(Example { map, asked, live, candidate, kind, intended });
    }

    /// A server is to be asked: by who put the question, or else for the next one who puts it.
    fn wait_for(&self, pending: &Pending) {
        match &self.pending {
            Some(open) => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                if open.len() < MAX_PENDING {
                    open.push(pending.clone());
                }
            }
            None => fetch(pending),
        }
    }
}

/// Asks a server for who comes next.
fn fetch(pending: &Pending) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let Pending { remote, key } = pending.clone();
        runtime.spawn(async move { remote.fetch(&key).await });
    }
}

/// How often a question is put again; each time at least one more answer is known.
const MAX_ROUNDS: usize = 100;
/// Questions to servers that one round waits for.
const MAX_PENDING: usize = 1_000;

/// What a set says, with the line that says it.
type Asked<'a, T> = Found<Option<(Hit<'a>, T)>>;

/// The three answers, in one place.
fn told<T>(map: MapName, asked: Asked<'_, Option<T>>) -> Answer<answer::Found<T>> {
    match asked {
        Ok(None) => Answer::NotFound,
        Ok(Some((hit, Some(value)))) => {
            let place = Place { map, file: Arc::clone(hit.file), line: hit.line };
            Answer::Found(answer::Found { value, place })
        }
        Ok(Some((hit, None))) => {
            let why = format!("{}:{}: `{}` is no value for {map}", hit.file.display(), hit.line, hit.text);
            Answer::Unavailable(Unavailable { map, why: why.into() })
        }
        Err(Why::Unavailable(why)) => Answer::Unavailable(Unavailable { map, why }),
        Err(Why::Unknown(_)) => {
            Answer::Unavailable(Unavailable { map, why: "its server has not been asked yet".into() })
        }
    }
}
