//! The tasks that live as long as the process and serve no client: maps that are watched, the pages for probes,
//! connections that grow old.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use switchyard_daemon::http;
use switchyard_daemon::metrics::Registry;
use switchyard_daemon::process::Process;
use switchyard_daemon::sockets::{ListenOn, Listeners};
use switchyard_maps::{MapHandle, MapMetrics, MapOptions, MapSet, Reloader, watch};

use crate::MxError;
use crate::accept::Live;

/// Starts with what maps there are: one that can't be read answers "unavailable" until it is mended.
pub(crate) async fn start_maps(
    options: &MapOptions,
    registry: &Registry,
    process: &mut Process,
) -> Result<(MapHandle, Reloader), MxError> {
    let sources = options.clone();
    let read = tokio::task::spawn_blocking(move || MapSet::start(&sources)).await;
    let (set, faults) = read.map_err(MxError::because)?;
    let maps = MapHandle::new(set);
    let metrics = MapMetrics::register(registry.prometheus()).map_err(MxError::because)?;
    let reloader = Reloader::new(maps.clone(), options.clone(), metrics, &faults);
    let watching = watch::spawn(reloader.clone(), process.drain.token());
    process.tasks.helper("maps", async move {
        if let Err(error) = watching.await {
            tracing::error!(%error, "maps are no longer watched");
        }
    });
    Ok((maps, reloader))
}

/// Metrics and health, wherever they are to be served.
pub(crate) fn serve_pages(
    on: &ListenOn,
    listeners: &mut Listeners,
    registry: &Registry,
    process: &mut Process,
) -> Result<Vec<SocketAddr>, MxError> {
    let mut addresses = Vec::new();
    for socket in listeners.open(on).map_err(MxError::because)? {
        addresses.push(socket.local_addr().map_err(MxError::because)?);
        let pages = http::pages(registry.clone(), process.readiness.clone());
        let registry = registry.clone();
        process.tasks.helper("pages", async move {
            if let Err(error) = http::serve(socket, pages, &registry).await {
                tracing::error!(%error, "metrics are no longer served");
            }
        });
    }
    Ok(addresses)
}

/// Says goodbye on connections to routers that nobody used for a while.
pub(crate) async fn tend_connections(live: Arc<ArcSwap<Live>>, keep: Duration) {
    let mut ticks = tokio::time::interval((keep / 2).max(Duration::from_secs(1)));
    loop {
        ticks.tick().await;
        let hand_over = Arc::clone(&live.load().rules.hand_over);
        hand_over.close_idle(false).await;
    }
}
