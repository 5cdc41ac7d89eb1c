//! Who speaks to us, and the way of a message from the first command to its receipt: relay policy and
//! recipients on one snapshot of the maps, then rewriting, then the spool, and only then 250.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use switchyard_daemon::clock::Clock;
use switchyard_maps::{MapHandle, Snapshot};
use switchyard_smtp::envelope::{Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::serve::{Ended, ServeOptions, Service, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Event, Transaction};
use switchyard_smtp::trace::Received;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::metrics::ServerMetrics;
use crate::policy::recipient::judge;
use crate::policy::relay::RelayOptions;
use crate::queue::QueueHandle;
use crate::route::{RouteOptions, rewrite};
use crate::spool::{Arrival, NewMessage, Origin, QueueId, Receipt, Spool, SpoolError};

/// What a running router may change without a restart.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Limits, certificate and the like.
    pub serve: ServeOptions,
    /// Who may relay.
    pub relay: RelayOptions,
}

/// The front of the router: what all its sessions share. Clones share one.
#[derive(Debug, Clone)]
pub struct Front(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: ArcSwap<LiveOptions>,
    maps: MapHandle,
    route: RouteOptions,
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
            route,
            spool,
            queue,
            clock,
            metrics,
        }))
    }

    /// New sessions get these options; open ones keep theirs.
    pub fn change(&self, live: LiveOptions) {
        self.0.live.store(Arc::new(live));
    }

    /// Serves one client to its end.
    pub async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let live = self.0.live.load_full();
        let mut service = RouterService { shared: self.0.clone(), live: live.clone() };
        let ended = serve(Stream::Plain(stream), peer, &live.serve, &mut service).await;
        self.0.metrics.ended(ended);
        if ended != Ended::Closed {
            tracing::debug!(client = %peer, ended = ended.as_str(), "session ended");
        }
    }

    /// Tells one client too many to come again.
    pub async fn refuse(mut stream: TcpStream) {
        let mut reply = Vec::new();
        table::TOO_MANY_SESSIONS.write_to(&mut reply);
        // The socket closes either way; said goodbye to, it does not take the reply with it.
        let goodbye = async {
            stream.write_all(&reply).await?;
            stream.shutdown().await
        };
        let _best_effort = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The router's decisions for one session.
struct RouterService {
    shared: Arc<Shared>,
    live: Arc<LiveOptions>,
}

/// One transaction, one snapshot of the maps: RSET drops it.
struct Kept {
    maps: Snapshot,
    may_relay: bool,
}

impl Service for RouterService {
    type Kept = Kept;
    type Took = Receipt;

    async fn connect(&mut self, client: &Client) -> Result<Offer, Reply> {
        let LiveOptions { serve, relay } = &*self.live;
        let own_host = relay.is_own_host(client);
        Ok(Offer {
            size: serve.limits.message_size,
            recipients: u32::try_from(serve.limits.recipients).unwrap_or(u32::MAX),
            starttls: serve.tls.is_some(),
            require_tls: relay.require_tls,
            xclient: false,
            xforward: own_host,
            xtxn: own_host,
        })
    }

    async fn hello(&mut self, _client: &Client) -> Result<(), Reply> {
        Ok(())
    }

    async fn sender(&mut self, client: &Client, _sender: &Sender) -> Result<Kept, Reply> {
        self.room(None)?;
        Ok(Kept { maps: self.shared.maps.snapshot(), may_relay: self.live.relay.may_relay(client) })
    }

    async fn recipient(
        &mut self,
        _client: &Client,
        transaction: &mut Transaction<Kept>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let Kept { maps, may_relay } = &transaction.kept;
        let judged = judge(maps, &self.shared.route, *may_relay, &recipient.forward_path);
        self.shared.metrics.judged(&judged);
        judged.verdict()
    }

    fn room(&mut self, octets: Option<u64>) -> Result<(), Reply> {
        self.shared.spool.room(octets.unwrap_or(0)).map_err(spool_reply)
    }

    async fn content(&mut self, client: &Client, kept: Kept, mail: MailObject) -> Result<Receipt, Reply> {
        let Shared { spool, queue, route, clock, .. } = &*self.shared;
        let id = spool.next_id();
        let MailObject { mut envelope, mut content } = mail;
        let wall = clock.now_wall();
        content.prepend(&self.received_field(
            client,
            &envelope,
            id,
            wall.try_into().unwrap_or(Timestamp::UNIX_EPOCH),
        ));
        envelope.recipients =
            rewrite::expand_all(&kept.maps, route, &envelope.recipients).map_err(|error| error.reply())?;
        let envelope = Arc::new(envelope);
        let arrival = Arrival { wall, client: describe(client).into() };
        let message = NewMessage { envelope, content, arrival, origin: Origin::Smtp, hold: false };
        let receipt = spool.accept(id, &message).await.map_err(spool_reply)?;
        if receipt.is_repeated() {
            tracing::info!(id = %receipt.queue_id(), "taken before; nothing is queued again");
            return Ok(receipt);
        }
        tracing::info!(
            %id,
            client = %message.arrival.client,
            from = %message.envelope.sender.reverse_path,
            recipients = message.envelope.recipients.len(),
            size = message.content.len(),
            "queued"
        );
        queue.admit_new(&receipt, message);
        Ok(receipt)
    }

    fn event(&mut self, event: Event) {
        self.shared.metrics.replied(event);
    }
}

impl RouterService {
    fn received_field(&self, client: &Client, envelope: &Envelope, id: QueueId, at: Timestamp) -> String {
        let only = match &*envelope.recipients {
            [recipient] => Some(recipient.forward_path.to_string()),
            _ => None,
        };
        Received {
            helo: client.helo_name(),
            address: client.address.ip(),
            by: &self.live.serve.host_name,
            protocol: client.protocol(envelope.sender.smtputf8),
            tls: client.tls.as_deref(),
            id: &id.to_string(),
            recipient: only.as_deref(),
            at,
        }
        .field()
    }
}

/// The client as the log and a report name it: where our own front handed over, the client behind it.
fn describe(client: &Client) -> String {
    let behind = client.forwarded.as_deref();
    let address = behind.and_then(|behind| behind.address).unwrap_or_else(|| client.address.ip());
    let helo = behind.and_then(|behind| behind.helo.as_deref()).unwrap_or_else(|| client.helo_name());
    let session = behind.and_then(|behind| behind.ident.as_deref());
    match session {
        Some(session) => format!("{helo}[{address}] session {session}"),
        None => format!("{helo}[{address}]"),
    }
}

fn spool_reply(error: SpoolError) -> Reply {
    match error {
        SpoolError::Full => table::NO_ROOM,
        SpoolError::Busy => table::LOCAL_ERROR.with_text("Too much waits for the disk, try again"),
        SpoolError::TooLarge => table::TOO_BIG,
        SpoolError::Closed => table::SHUTTING_DOWN,
        SpoolError::Poisoned => table::NO_ROOM.with_text("The disk does not take mail, try again"),
        SpoolError::Failed(_) | SpoolError::Unknown | SpoolError::Damaged => table::SPOOL_ERROR,
    }
}
