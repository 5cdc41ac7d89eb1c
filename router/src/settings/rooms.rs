//! From the settings to the rooms of a daemon that starts, and to what a reload puts in their place.

use std::sync::Arc;

use switchyard_config::RouterSettings;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::program::Fault;
use switchyard_milter_mta::Filters;

use super::options::{
    bounce_options, deliver_options, outgoing, queue_options, route_options, spool_options, tls_options,
};
use crate::bounce::{BounceMetrics, Bouncer};
use crate::deliver::{DeliverMetrics, Deliverer, Resolver, ResolverOptions, TlsPolicy};
use crate::queue::Means;
use crate::queue::suspend::Suspensions;
use crate::route::srs::SrsMetrics;
use crate::spool::{Folder, Recovered, Spool, SpoolMetrics};

pub(crate) async fn open_spool(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<(Spool, Recovered), Fault> {
    let options = spool_options(settings);
    let metrics = SpoolMetrics::register(registry)?;
    let clock = clock.clone();
    // Recovery reads the whole log: not on a thread that serves.
    let opened = tokio::task::spawn_blocking(move || {
        let disk = Folder::claim(&options.folder)?;
        Spool::open(&options, disk, clock, metrics)
    });
    let (spool, recovered) = opened.await??;
    tracing::info!(
        messages = recovered.messages.len(),
        corrupt = recovered.corrupt,
        torn = recovered.torn,
        "spool recovered"
    );
    Ok((spool, recovered))
}

/// Beside the spool, in a folder that is ours alone once the spool is open.
pub(crate) fn suspensions(settings: &RouterSettings) -> Result<Suspensions, Fault> {
    Ok(Suspensions::open(Some(&settings.spool.folder.join("suspended.json")))?)
}

pub(crate) fn deliverer(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<Deliverer, Fault> {
    let (resolver, tls) = (resolver(settings)?, tls_policy(settings)?);
    let metrics = DeliverMetrics::register(registry)?;
    let chance = fastrand::Rng::new();
    Ok(Deliverer::new(deliver_options(settings), resolver, tls, metrics, clock.clone(), chance))
}

pub(crate) fn bouncer(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<Bouncer, Fault> {
    let metrics = BounceMetrics::register(registry)?;
    Ok(Bouncer::new(bounce_options(settings), metrics, clock.clone()))
}

/// What stands for the old one when settings change; certificates are read again, for they may be others under the
/// same name.
pub(crate) fn renewed(
    before: &Means,
    settings: &RouterSettings,
    counted: &SrsMetrics,
    filters: Arc<Filters>,
) -> Result<Means, Fault> {
    let (resolver, tls) = (resolver(settings)?, tls_policy(settings)?);
    Ok(Means {
        options: queue_options(settings),
        routes: route_options(settings, counted)?,
        outgoing: outgoing(settings, filters),
        deliverer: before.deliverer.renewed(deliver_options(settings), resolver, tls),
        bouncer: before.bouncer.renewed(bounce_options(settings)),
    })
}

fn resolver(settings: &RouterSettings) -> Result<Resolver, Fault> {
    let dns = &settings.common.dns;
    let options =
        ResolverOptions { servers: dns.servers.clone(), timeout: dns.timeout, ..ResolverOptions::default() };
    Ok(Resolver::new(&options)?)
}

fn tls_policy(settings: &RouterSettings) -> Result<TlsPolicy, Fault> {
    Ok(TlsPolicy::new(&tls_options(settings))?)
}
