//! From the settings to the rooms of a daemon that starts.

use std::net::SocketAddr;

use switchyard_config::RouterSettings;
use switchyard_daemon::accept::{AcceptMetrics, Sessions};
use switchyard_daemon::clock::Clock;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::sockets::Listeners;

use super::options::{bounce_options, deliver_options, spool_options, tls_options};
use crate::RouterError;
use crate::accept::Front;
use crate::bounce::{BounceMetrics, Bouncer};
use crate::deliver::{DeliverMetrics, Deliverer, Resolver, ResolverOptions, TlsPolicy};
use crate::queue::suspend::Suspensions;
use crate::spool::{Folder, Recovered, Spool, SpoolMetrics};

pub(crate) async fn open_spool(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<(Spool, Recovered), RouterError> {
    let options = spool_options(settings);
    let metrics = SpoolMetrics::register(registry).map_err(RouterError::because)?;
    let clock = clock.clone();
    // Recovery reads the whole log: not on a thread that serves.
    let opened = tokio::task::spawn_blocking(move || {
        let disk = Folder::claim(&options.folder)?;
        Spool::open(&options, disk, clock, metrics)
    });
    let (spool, recovered) = opened.await.map_err(RouterError::because)?.map_err(RouterError::because)?;
    tracing::info!(
        messages = recovered.messages.len(),
        corrupt = recovered.corrupt,
        torn = recovered.torn,
        "spool recovered"
    );
    Ok((spool, recovered))
}

/// Beside the spool, in a folder that is ours alone once the spool is open.
pub(crate) fn suspensions(settings: &RouterSettings) -> Result<Suspensions, RouterError> {
    Suspensions::open(Some(&settings.spool.folder.join("suspended.json"))).map_err(RouterError::because)
}

pub(crate) fn deliverer(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<Deliverer, RouterError> {
    let dns = &settings.common.dns;
    let options =
        ResolverOptions { servers: dns.servers.clone(), timeout: dns.timeout, ..ResolverOptions::default() };
    let resolver = Resolver::new(&options).map_err(RouterError::because)?;
    let tls = TlsPolicy::new(&tls_options(settings)).map_err(RouterError::because)?;
    let metrics = DeliverMetrics::register(registry).map_err(RouterError::because)?;
    let chance = fastrand::Rng::new();
    Ok(Deliverer::new(deliver_options(settings), resolver, tls, metrics, clock.clone(), chance))
}

pub(crate) fn bouncer(
    settings: &RouterSettings,
    registry: &Registry,
    clock: &Clock,
) -> Result<Bouncer, RouterError> {
    let metrics = BounceMetrics::register(registry).map_err(RouterError::because)?;
    Ok(Bouncer::new(bounce_options(settings), metrics, clock.clone()))
}

pub(crate) fn listen(
    settings: &RouterSettings,
    listeners: &mut Listeners,
    registry: &Registry,
    process: &mut Process,
    front: &Front,
) -> Result<Vec<SocketAddr>, RouterError> {
    let accepting = AcceptMetrics::register(registry, "smtp_server").map_err(RouterError::because)?;
    let sessions = Sessions::new(settings.common.limits.sessions, process.drain.clone(), accepting);
    let mut addresses = Vec::new();
    for listener in &settings.common.listen {
        for socket in listeners.open(&listener.socket).map_err(RouterError::because)? {
            addresses.push(socket.local_addr().map_err(RouterError::because)?);
            let front = front.clone();
            let accepting = switchyard_daemon::accept::accept(
                socket,
                sessions.clone(),
                move |stream, peer| front.clone().serve(stream, peer),
                |stream, _peer| Front::refuse(stream),
            );
            process.tasks.essential("accept", accepting);
        }
    }
    Ok(addresses)
}
