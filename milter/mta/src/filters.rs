//! The filters that a daemon asks, as the settings of the moment have them.

use std::sync::Arc;

use switchyard_milter_protocol::io::client::{Chain, ClientMetrics, Pool, Shadow};

use crate::options::{LoadError, MilterOptions};
use crate::session::FilterSession;

/// Who asks, and whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Our host's name.
    pub host: String,
    /// The filters, in the order in which they are asked.
    pub filters: Vec<MilterOptions>,
}

/// The pools of all filters. A session keeps those that it began with.
#[derive(Debug)]
pub struct Filters {
    pub(crate) host: Box<str>,
    pub(crate) pools: Vec<Arc<Pool>>,
    /// Those that only watch.
    pub(crate) shadows: Vec<Arc<Shadow>>,
}

impl Filters {
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// When certificates cannot be read.
    pub fn new(asked: &Asked, metrics: &ClientMetrics) -> Result<Self, LoadError> {
        let pool = |options: &MilterOptions| Ok(Arc::new(Pool::new(options.load()?, metrics.clone())));
        let of = |shadow| asked.filters.iter().filter(move |filter| filter.shadow == shadow);
        let pools = of(false).map(pool).collect::<Result<_, _>>()?;
        let watching: Vec<Arc<Pool>> = of(true).map(pool).collect::<Result<_, _>>()?;
        let shadows = watching.into_iter().map(|pool| Arc::new(Shadow::new(pool))).collect();
        Ok(Self { host: asked.host.as_str().into(), pools, shadows })
    }

    /// For one client.
    #[must_use]
    pub fn session(self: &Arc<Self>) -> FilterSession {
        FilterSession::new(self.clone())
    }

    /// With each filter, for one client.
    pub(crate) fn chain(&self) -> Chain {
        Chain::with_shadows(self.pools.iter().cloned(), self.shadows.clone())
    }

    /// The names of those whose word counts, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.iter().map(|pool| &*pool.options().name)
    }
}
