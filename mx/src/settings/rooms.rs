//! From the settings to what a reload replaces: the rules of new sessions, and the way to the routers.

use std::sync::Arc;

use switchyard_config::MxSettings;
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::dial::DialOptions;
use switchyard_smtp::io::serve::ServeOptions;
use switchyard_smtp::server::Dialect;

use super::options::{router_address, router_tls};
use crate::accept::Live;
use crate::deliver::{self, Connector, HandOver, HandOverOptions};
use crate::policy::{Rules, Shared};
use crate::{Kept, MxError};

impl Kept {
    pub(crate) fn live(&self, settings: &MxSettings, hand_over: Arc<HandOver>) -> Result<Live, MxError> {
        let MxSettings { common, trust, routers, .. } = settings;
        let limits = &common.limits;
        let tls = common.tls.as_ref().map(|tls| tls.load()).transpose();
        let tls = tls.map_err(MxError::because)?;
        let offer = Offer {
            size: limits.session.message_size,
            recipients: u32::try_from(limits.session.recipients).unwrap_or(u32::MAX),
            starttls: tls.is_some(),
            require_tls: false,
            xclient: false,
            xforward: false,
            xtxn: false,
        };
        let serve = ServeOptions {
            host_name: common.host_name.as_str().into(),
            limits: Arc::new(limits.session.clone()),
            dialect: Dialect::Smtp,
            tls,
            memory: self.memory.clone(),
            drain: self.drain.clone(),
            stress: Arc::clone(&self.load) as _,
        };
        let rules = Rules {
            host_name: common.host_name.clone(),
            offer,
            xclient_networks: trust.xclient_networks.clone(),
            sessions_per_network: limits.sessions_per_network,
            refused_recipient_memory: routers.refused_recipient_memory,
            hand_over,
            shared: Arc::clone(&self.shared),
        };
        Ok(Live { serve, rules: Arc::new(rules), proxy_networks: trust.proxy_networks.clone() })
    }

    pub(crate) fn hand_over(&self, settings: &MxSettings) -> Result<HandOver, MxError> {
        let routers = &settings.routers;
        let tls = router_tls(&routers.tls).map_err(MxError::because)?;
        let mut dial = DialOptions::new(settings.common.host_name.as_str());
        dial.timeouts = deliver::timeouts(routers.connect_timeout);
        let dial = Arc::new(dial);
        let connectors = routers.pool.iter().map(|peer| Connector {
            address: router_address(peer),
            dial: Arc::clone(&dial),
            tls: tls.clone(),
            resolver: self.resolver.clone(),
        });
        let options = HandOverOptions {
            connections: routers.connections,
            hand_overs: routers.hand_overs,
            connection_idle: routers.connection_idle,
            retry_dead_after: routers.retry_dead_after,
        };
        let Shared { clock, metrics, .. } = &*self.shared;
        Ok(HandOver::new(
            connectors.collect(),
            &options,
            clock.clone(),
            metrics.clone(),
            self.service.clone(),
        ))
    }
}
