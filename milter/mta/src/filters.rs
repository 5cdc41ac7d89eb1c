//! The filters that a daemon asks, as the settings of the moment have them.

use std::sync::Arc;

use switchyard_milter_protocol::io::client::{ClientMetrics, Pool};

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
}

impl Filters {
    /// Connects nowhere yet.
    ///
    /// # Errors
    /// When certificates cannot be read.
    pub fn new(asked: &Asked, metrics: &ClientMetrics) -> Result<Self, LoadError> {
        let pool = |options: &MilterOptions| Ok(Arc::new(Pool::new(options.load()?, metrics.clone())));
        let pools = asked.filters.iter().map(pool).collect::<Result<_, _>>()?;
        Ok(Self { host: asked.host.as_str().into(), pools })
    }

    /// For one client.
    #[must_use]
    pub fn session(self: &Arc<Self>) -> FilterSession {
        FilterSession::new(self.clone())
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pools.iter().map(|pool| &*pool.options().name)
    }
}
