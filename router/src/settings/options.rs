//! From the settings to the options of each room.

use std::collections::BTreeMap;
use std::sync::Arc;

use switchyard_config::{RouterSettings, router as config};
use switchyard_daemon::drain::Drain;
use switchyard_daemon::program::Fault;
use switchyard_maps::{Hop, Nexthop, Route};
use switchyard_milter_mta::{ClientMetrics, Filters};
use switchyard_smtp::client::Timeouts;
use switchyard_smtp::io::memory::MemoryBudget;
use switchyard_smtp::io::serve::{Calm, ServeOptions};
use switchyard_smtp::server::Dialect;

use crate::accept::{ByListener, LiveOptions};
use crate::bounce::BounceOptions;
use crate::deliver::{
    AskedBefore, DeliverOptions, FilterOptions, HostsOptions, Outgoing, Pools, ReuseOptions, TlsOptions,
    WayOut,
};
use crate::policy::relay::RelayOptions;
use crate::queue::QueueOptions;
use crate::queue::schedule::ScheduleOptions;
use crate::queue::window::WindowOptions;
use crate::route::RouteOptions;
use crate::route::srs::{Srs, SrsMetrics, SrsOptions};
use crate::spool::SpoolOptions;

pub(crate) fn live_options(
    settings: &RouterSettings,
    memory: &MemoryBudget,
    drain: &Drain,
    filters: Arc<Filters>,
) -> Result<LiveOptions, Fault> {
    let common = &settings.common;
    let tls = common.tls.as_ref().map(|tls| tls.load()).transpose();
    Ok(LiveOptions {
        serve: ServeOptions {
            host_name: common.host_name.as_str().into(),
            limits: Arc::new(common.limits.session.clone()),
            dialect: Dialect::Smtp,
            tls: tls?,
            memory: memory.clone(),
            drain: drain.token(),
            stress: Arc::new(Calm),
        },
        relay: relay_options(settings),
        filters,
        usual: None,
        by_listener: by_listener(settings),
    })
}

pub(crate) fn by_listener(settings: &RouterSettings) -> Arc<[ByListener]> {
    let listeners = settings.common.listen.iter();
    listeners.filter_map(|listener| Some((listener.name.clone(), listener.milters.clone()?))).collect()
}

/// The filters of one listener, where they are others than the usual ones.
pub(crate) fn of_listener(settings: &RouterSettings, index: usize) -> Option<Arc<[Box<str>]>> {
    settings.common.listen.get(index)?.milters.clone()
}

pub(crate) fn filters(
    settings: &RouterSettings,
    counted: &ClientMetrics,
    memory: &MemoryBudget,
) -> Result<Filters, Fault> {
    Ok(Filters::new(&settings.asked, counted, memory)?)
}

/// Those of the filters that are asked about mail on its way out.
pub(crate) fn outgoing(settings: &RouterSettings, filters: Arc<Filters>) -> Outgoing {
    Outgoing::new(filters, asked_before(settings), settings.deliver.helo_name.as_str())
}

pub(crate) fn asked_before(settings: &RouterSettings) -> Vec<AskedBefore> {
    let way = |way: &config::WayOut| WayOut { transport: way.transport, nexthop: way.nexthop.clone() };
    let asked = |asked: &config::AskedBefore| AskedBefore {
        filter: asked.filter.as_str().into(),
        only: asked.only.iter().map(way).collect(),
    };
    settings.leaving.iter().map(asked).collect()
}

pub(crate) fn relay_options(settings: &RouterSettings) -> RelayOptions {
    let relay = &settings.relay;
    RelayOptions {
        networks: relay.networks.clone(),
        verified_clients: relay.mutual_tls,
        own_hosts: relay.xforward_networks.clone(),
        require_tls: relay.require_tls,
    }
}

pub(crate) fn srs_options(settings: &RouterSettings) -> Option<SrsOptions> {
    let srs = settings.srs.as_ref()?;
    Some(SrsOptions { domain: srs.domain.clone(), secrets: srs.secrets.clone(), max_age: srs.max_age })
}

pub(crate) fn route_options(settings: &RouterSettings, counted: &SrsMetrics) -> Result<RouteOptions, Fault> {
    let RouterSettings { route, rewrite, .. } = settings;
    let nexthop = route.relayhost.clone().unwrap_or(Nexthop::RecipientDomain);
    let default_route = Route::Deliver { transport: Some(route.default_transport), nexthop };
    let srs = srs_options(settings).map(|options| Srs::load(&options, counted.clone())).transpose();
    Ok(RouteOptions {
        origin: rewrite.origin.clone(),
        default_route,
        pools: Arc::new(Pools::new(pool_members(settings))),
        recipient_delimiter: settings.maps.recipient_delimiter.clone(),
        srs: srs?.map(Arc::new),
    })
}

pub(crate) fn pool_members(settings: &RouterSettings) -> BTreeMap<String, Vec<Hop>> {
    settings.pools.iter().map(|(name, pool)| (name.clone(), pool.members.clone())).collect()
}

pub(crate) fn spool_options(settings: &RouterSettings) -> SpoolOptions {
    let spool = &settings.spool;
    SpoolOptions {
        folder: spool.folder.clone(),
        segment_bytes: spool.segment_size,
        max_bytes: spool.max_size,
        min_free_bytes: spool.min_free,
        inline_limit: spool.inline_limit,
        ..SpoolOptions::default()
    }
}

pub(crate) fn queue_options(settings: &RouterSettings) -> QueueOptions {
    let queue = &settings.queue;
    QueueOptions {
        schedule: ScheduleOptions {
            minimal_backoff: queue.minimal_backoff,
            maximal_backoff: queue.maximal_backoff,
            queue_lifetime: queue.queue_lifetime,
            bounce_queue_lifetime: queue.bounce_queue_lifetime,
            delay_warning_time: queue.delay_warning,
        },
        window: WindowOptions {
            initial: queue.initial_destination_concurrency,
            limit: queue.destination_concurrency,
            dead_for: queue.dead_destination_wait,
        },
        active_limit: queue.active_limit,
        content_memory: usize::try_from(queue.content_memory).unwrap_or(usize::MAX),
        ..QueueOptions::default()
    }
}

pub(crate) fn deliver_options(settings: &RouterSettings) -> DeliverOptions {
    let deliver = &settings.deliver;
    let mut own_names: std::collections::BTreeSet<_> = deliver.own_names.iter().cloned().collect();
    own_names.insert(settings.common.host_name.clone());
    DeliverOptions {
        hello_name: deliver.helo_name.to_string(),
        bind: deliver.bind_address,
        timeouts: Timeouts { connect: deliver.connect_timeout, ..Timeouts::default() },
        hosts: HostsOptions {
            own_names,
            filter: FilterOptions {
                own_addresses: deliver.own_addresses.iter().copied().collect(),
                allow: deliver.address_filter_allow.clone(),
            },
            addresses_tried: deliver.addresses_tried,
            mx_port: deliver.port,
        },
        reuse: ReuseOptions { idle: deliver.connection_idle, messages: deliver.connection_messages },
        pools: pool_members(settings),
        dead_host_wait: deliver.dead_host_wait,
        own_hosts: deliver.xforward_networks.clone(),
    }
}

pub(crate) fn tls_options(settings: &RouterSettings) -> TlsOptions {
    let tls = &settings.deliver.tls;
    TlsOptions {
        level: tls.level,
        by_nexthop: settings.deliver.tls_policy.clone(),
        authorities: tls.ca.clone(),
        identity: tls.certificate.clone(),
    }
}

pub(crate) fn bounce_options(settings: &RouterSettings) -> BounceOptions {
    let bounce = &settings.bounce;
    BounceOptions {
        reporting_mta: settings.common.host_name.to_string(),
        max_returned: bounce.size_limit,
        per_domain: bounce.per_domain_limit,
        window: bounce.per_domain_window,
    }
}
