//! Who speaks to us, and the way of a message from the first command to its receipt: relay policy and
//! recipients on one snapshot of the maps, then the mail filters, then rewriting, then the spool, and only then 250.
//!
//! [`Front`] is what all sessions share, [`Door`] one listener's way in, and `service` the decisions for one session.

mod door;
mod service;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use switchyard_daemon::clock::Clock;
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{MapHandle, Snapshot};
use switchyard_milter_mta::Filters;
use switchyard_smtp::io::serve::{Ended, ServeOptions, serve};
use switchyard_smtp::io::stream::Stream;
use tokio::net::TcpStream;

pub use door::Door;

use crate::explain;
use crate::metrics::ServerMetrics;
use crate::policy::relay::RelayOptions;
use crate::queue::QueueHandle;
use crate::route::RouteOptions;
use crate::spool::Spool;
use service::RouterService;

/// What a running router may change without a restart.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Limits, certificate and the like.
    pub serve: ServeOptions,
    /// Who may relay.
    pub relay: RelayOptions,
    /// Who is asked about each message.
    pub filters: Arc<Filters>,
    /// Which of them, for whom no map chooses: by the listener, where that says so.
    pub usual: Option<Arc<[Box<str>]>>,
    /// The same of every listener that says so, by its name.
    pub by_listener: Arc<[ByListener]>,
}

/// A listener's name, and the filters that are asked about mail that comes in there.
pub type ByListener = (String, Arc<[Box<str>]>);

/// The front of the router: what all its sessions share. Clones share one.
#[derive(Debug, Clone)]
pub struct Front(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: ArcSwap<LiveOptions>,
    maps: MapHandle,
    route: ArcSwap<RouteOptions>,
    spool: Spool,
    queue: QueueHandle,
    clock: Clock,
    metrics: ServerMetrics,
}

/// The rooms behind the front.
#[derive(Debug)]
pub struct Rooms {
    /// Routing maps.
    pub maps: MapHandle,
    /// The origin, for addresses without a domain.
    pub route: RouteOptions,
    /// Where mail becomes durable.
    pub spool: Spool,
    /// Where it waits for delivery.
    pub queue: QueueHandle,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: ServerMetrics,
}

impl Front {
    /// A front over these rooms.
    #[must_use]
    pub fn new(live: LiveOptions, rooms: Rooms) -> Self {
        let Rooms { maps, route, spool, queue, clock, metrics } = rooms;
        Self(Arc::new(Shared {
            live: ArcSwap::from_pointee(live),
            maps,
            route: ArcSwap::from_pointee(route),
            spool,
            queue,
            clock,
            metrics,
        }))
    }

    /// New transactions are routed so from now on. New sessions get their options by their doors, and so does what
    /// is explained; open ones keep theirs.
    pub fn change(&self, live: LiveOptions, route: RouteOptions) {
        self.0.live.store(Arc::new(live));
        self.0.route.store(Arc::new(route));
    }

    /// Who is asked by the settings of this moment.
    #[must_use]
    pub fn filters(&self) -> Arc<Filters> {
        Arc::clone(&self.0.live.load().filters)
    }

    /// What would become of a message by these maps, and why.
    #[must_use]
    pub fn explain(&self, maps: &Snapshot, message: &Message) -> Explanation {
        let (live, means) = (self.0.live.load(), self.0.queue.means());
        let rooms = explain::Rooms {
            host: &live.serve.host_name,
            relay: &live.relay,
            route: &self.0.route.load(),
            filters: live.filters.usual().collect(),
            watching: live.filters.watching().collect(),
            by_listener: &live.by_listener,
            leaving: means.outgoing.asked(),
            without_srs: None,
            now: self.0.clock.now_wall(),
        };
        rooms.explain(maps, message)
    }

    /// Serves one client to its end.
    async fn serve(self, live: Arc<LiveOptions>, stream: TcpStream, peer: SocketAddr) {
        let mut service = RouterService::new(self.0.clone(), live.clone());
        let ended = serve(Stream::Plain(stream), peer, &live.serve, &mut service).await;
        service.close();
        self.0.metrics.ended(ended);
        if ended != Ended::Closed {
            tracing::debug!(client = %peer, ended = ended.as_str(), "session ended");
        }
    }
}
