//! From the settings to what a reload replaces: the rules of new sessions, and the way to the routers.

use std::sync::Arc;

use switchyard_config::MxSettings;
use switchyard_config::common::Common;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_daemon::program::Fault;
use switchyard_daemon::service::ServiceManager;
use switchyard_milter_mta::Filters;
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::dial::DialOptions;
use switchyard_smtp::io::serve::ServeOptions;
use switchyard_smtp::server::Dialect;

use super::options::{router_address, router_tls};
use crate::Kept;
use crate::accept::{Door, Live};
use crate::deliver::{self, Connector, HandOver, HandOverOptions, Resolver};
use crate::metrics::Metrics;
use crate::policy::{Rules, Shared};

impl Kept {
    /// What sessions begin with from now on, and which filters they ask.
    pub(crate) fn live(&self, settings: &MxSettings, filters: Arc<Filters>) -> Result<Live, Fault> {
        let MxSettings { common, trust, routers, .. } = settings;
        let limits = &common.limits;
        let tls = common.tls.as_ref().map(|tls| tls.load()).transpose();
        let tls = tls?;
        let offer = Offer {
            size: limits.session.message_size,
            recipients: u32::try_from(limits.session.recipients).unwrap_or(u32::MAX),
            starttls: tls.is_some(),
            require_tls: false,
            xclient: false,
            xforward: false,
            priority: false,
            xtxn: false,
        };
        let serve = ServeOptions {
            host_name: common.host_name.as_str().into(),
            limits: Arc::new(limits.session.clone()),
            dialect: Dialect::Smtp,
            tls,
            memory: self.memory.clone(),
            drain: self.drain.token(),
            stress: Arc::clone(&self.load) as _,
        };
        let rules = Rules {
            host_name: common.host_name.clone(),
            offer,
            xclient_networks: trust.xclient_networks.clone(),
            sessions_per_network: limits.sessions_per_network,
            refused_recipient_memory: routers.refused_recipient_memory,
            filters,
            shared: Arc::clone(&self.shared),
        };
        Ok(Live { serve, rules: Arc::new(rules), proxy_networks: trust.proxy_networks.clone() })
    }

    /// One listener's door, of those in the settings.
    pub(crate) fn door(&self, settings: &MxSettings, index: usize, live: &Live, drain: &Drain) -> Door {
        let listener = settings.common.listen.get(index);
        Door {
            live: live.behind(drain),
            load: Arc::clone(&self.load),
            name: listener.map(|listener| listener.name.clone()).unwrap_or_default(),
            proxy_protocol: listener.is_some_and(|listener| listener.proxy_protocol),
            milters: listener.and_then(|listener| listener.milters.clone()),
        }
    }

    /// The way to the routers.
    pub(crate) fn hand_over(&self, settings: &MxSettings) -> Result<HandOver, Fault> {
        let Shared { clock, metrics, .. } = &*self.shared;
        hand_over(settings, clock, metrics, &self.service)
    }
}

/// The way to the routers, for a front that starts.
pub(crate) fn hand_over(
    settings: &MxSettings,
    clock: &Clock,
    metrics: &Metrics,
    service: &ServiceManager,
) -> Result<HandOver, Fault> {
    let MxSettings { common: Common { dns, .. }, routers, .. } = settings;
    let resolver = Resolver::new(&dns.servers, dns.timeout)?;
    let tls = router_tls(&routers.tls)?;
    let mut dial = DialOptions::new(settings.common.host_name.as_str());
    dial.timeouts = deliver::timeouts(routers.connect_timeout);
    let dial = Arc::new(dial);
    let connectors = routers.pool.iter().map(|peer| Connector {
        address: router_address(peer),
        dial: Arc::clone(&dial),
        tls: tls.clone(),
        resolver: resolver.clone(),
    });
    let options = HandOverOptions {
        connections: routers.connections,
        hand_overs: routers.hand_overs,
        connection_idle: routers.connection_idle,
        retry_dead_after: routers.retry_dead_after,
    };
    Ok(HandOver::new(connectors.collect(), &options, clock.clone(), metrics.clone(), service.clone()))
}
