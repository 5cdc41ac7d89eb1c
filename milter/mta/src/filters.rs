//! The filters that a daemon may ask, as the settings of the moment have them, and those that one client's mail is
//! shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchyard_milter_protocol::io::client::{Chain, ClientMetrics, Pool, Shadow};
use switchyard_smtp::io::memory::MemoryBudget;

use crate::options::{LoadError, MilterOptions};
use crate::session::FilterSession;

/// Who asks, and whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Our host's name.
    pub host: String,
    /// All filters.
    pub filters: Vec<MilterOptions>,
    /// The names of those that are asked about a client for whom no map says otherwise, in their order.
    pub order: Vec<String>,
}

impl Asked {
    /// The names of those whose word counts, as they are usually asked, in their order.
    pub fn usual(&self) -> impl Iterator<Item = &str> {
        let counts =
            |name: &&String| self.filters.iter().any(|filter| filter.name == **name && !filter.shadow);
        self.order.iter().filter(counts).map(String::as_str)
    }

    /// The names of those that only watch.
    pub fn watching(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().filter(|filter| filter.shadow).map(|filter| filter.name.as_str())
    }
}

/// The pools of all filters. A session keeps those that it began with.
#[derive(Debug)]
pub struct Filters {
    host: Box<str>,
    memory: MemoryBudget,
    metrics: ClientMetrics,
    members: BTreeMap<Box<str>, Member>,
    order: Vec<Box<str>>,
}

#[derive(Debug, Clone)]
struct Member {
    options: MilterOptions,
    part: Part,
}

#[derive(Debug, Clone)]
enum Part {
    Asked(Arc<Pool>),
    /// It only watches.
    Watching(Arc<Shadow>),
}

/// Those that one client's mail is shown.
#[derive(Debug)]
pub(crate) struct Team {
    pub(crate) host: Box<str>,
    pub(crate) memory: MemoryBudget,
    pools: Vec<Arc<Pool>>,
    shadows: Vec<Arc<Shadow>>,
    /// A map chooses one that the settings do not name: nobody can say what it would have said.
    pub(crate) lacks_one: bool,
}

impl Filters {
    /// Connects nowhere yet. Messages that filters change have room in this memory.
    ///
    /// # Errors
    /// When certificates cannot be read.
    pub fn new(asked: &Asked, metrics: &ClientMetrics, memory: &MemoryBudget) -> Result<Self, LoadError> {
        Self::after(&BTreeMap::new(), asked, metrics, memory)
    }

    /// By other settings. A filter that they leave as it was keeps its connections; of any other, those that sessions
    /// from before still hold count within its new bound. Nothing is different before somebody is asked by these.
    ///
    /// # Errors
    /// When certificates cannot be read.
    pub fn renewed(&self, asked: &Asked) -> Result<Self, LoadError> {
        Self::after(&self.members, asked, &self.metrics, &self.memory)
    }

    fn after(
        before: &BTreeMap<Box<str>, Member>,
        asked: &Asked,
        metrics: &ClientMetrics,
        memory: &MemoryBudget,
    ) -> Result<Self, LoadError> {
        let mut members = BTreeMap::new();
        for filter in &asked.filters {
            let name: Box<str> = filter.name.as_str().into();
            let member = match before.get(&name) {
                Some(known) if known.options == *filter && !filter.reads_files() => known.clone(),
                known => Member::new(filter, known.map(Member::pool), metrics)?,
            };
            members.insert(name, member);
        }
        let order = asked.order.iter().map(|name| name.as_str().into()).collect();
        let (host, memory, metrics) = (asked.host.as_str().into(), memory.clone(), metrics.clone());
        Ok(Self { host, memory, metrics, members, order })
    }

    /// For one client: with the filters that a map chose for it, or the usual ones. Where a map chooses one that is not
    /// here, the client is told to come again, for what nobody judges must not be taken.
    #[must_use]
    pub fn session(&self, chosen: Option<&[Box<str>]>) -> FilterSession {
        let (host, memory) = (self.host.clone(), self.memory.clone());
        let mut team = Team { host, memory, pools: Vec::new(), shadows: Vec::new(), lacks_one: false };
        for name in chosen.unwrap_or(&self.order) {
            match self.part(name) {
                Some(Part::Asked(pool)) => team.pools.push(pool.clone()),
                Some(Part::Watching(shadow)) => team.shadows.push(shadow.clone()),
                // Settings and maps change one after the other.
                None => {
                    team.lacks_one = true;
                    tracing::warn!(filter = &**name, "a map chooses a filter that the settings do not name");
                }
            }
        }
        FilterSession::with(team)
    }

    /// The names of those whose word counts, as they are usually asked, in their order.
    pub fn usual(&self) -> impl Iterator<Item = &str> {
        let names = self.order.iter().map(|name| &**name);
        names.filter(|name| matches!(self.part(name), Some(Part::Asked(_))))
    }

    /// The names of those that only watch.
    pub fn watching(&self) -> impl Iterator<Item = &str> {
        let watching = self.members.iter().filter(|(_, member)| matches!(member.part, Part::Watching(_)));
        watching.map(|(name, _)| &**name)
    }

    fn part(&self, name: &str) -> Option<&Part> {
        self.members.get(name).map(|member| &member.part)
    }
}

impl Member {
    fn new(
        options: &MilterOptions,
        before: Option<&Pool>,
        metrics: &ClientMetrics,
    ) -> Result<Self, LoadError> {
        let loaded = options.load()?;
        let pool = Arc::new(match before {
            Some(before) => before.renewed(loaded),
            None => Pool::new(loaded, metrics.clone()),
        });
        let part = match options.shadow {
            true => Part::Watching(Arc::new(Shadow::new(pool))),
            false => Part::Asked(pool),
        };
        Ok(Self { options: options.clone(), part })
    }

    fn pool(&self) -> &Pool {
        match &self.part {
            Part::Asked(pool) => pool,
            Part::Watching(shadow) => shadow.pool(),
        }
    }
}

impl Team {
    /// It asks nobody, and everything goes on.
    pub(crate) fn is_empty(&self) -> bool {
        !self.lacks_one && self.pools.is_empty() && self.shadows.is_empty()
    }

    /// With each filter, for one client.
    pub(crate) fn chain(&self) -> Chain {
        Chain::with_shadows(self.pools.iter().cloned(), self.shadows.clone())
    }
}
