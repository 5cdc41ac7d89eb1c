//! Who speaks to us, and the way of a message from the first command to its receipt: relay policy and
//! recipients on one snapshot of the maps, then rewriting, then the spool, and only then 250.

mod door;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use switchyard_daemon::clock::Clock;
use switchyard_maps::access::Access;
use switchyard_maps::access::standing::{Asked, Standing};
use switchyard_maps::explain::{Explanation, Message};
use switchyard_maps::{Answer, Found, MapHandle, Snapshot};
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::serve::{Ended, ServeOptions, Service, serve};
use switchyard_smtp::io::stream::Stream;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Event, Transaction};
use switchyard_smtp::trace::Received;
use tokio::net::TcpStream;

pub use door::Door;

use crate::explain;
use crate::metrics::ServerMetrics;
use crate::policy::recipient::{Question, judge, judge_rewritten};
use crate::policy::relay::RelayOptions;
use crate::policy::{access, priority};
use crate::queue::QueueHandle;
use crate::route::RouteOptions;
use crate::route::rewrite::{self, RewriteError};
use crate::spool::{Arrival, Held, Holder, NewMessage, Origin, QueueId, Receipt, Spool, SpoolError};

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

    /// What would become of a message by these maps, and why.
    #[must_use]
    pub fn explain(&self, maps: &Snapshot, message: &Message) -> Explanation {
        let live = self.0.live.load();
        let rooms = explain::Rooms {
            host: &live.serve.host_name,
            relay: &live.relay,
            route: &self.0.route.load(),
            without_srs: None,
            now: self.0.clock.now_wall(),
        };
        rooms.explain(maps, message)
    }

    /// Serves one client to its end.
    async fn serve(self, live: Arc<LiveOptions>, stream: TcpStream, peer: SocketAddr) {
        let mut service = RouterService {
            shared: self.0.clone(),
            live: live.clone(),
            of_client: Standing::default(),
            of_hello: Standing::default(),
        };
        let ended = serve(Stream::Plain(stream), peer, &live.serve, &mut service).await;
        self.0.metrics.ended(ended);
        if ended != Ended::Closed {
            tracing::debug!(client = %peer, ended = ended.as_str(), "session ended");
        }
    }
}

// ---------------------------------------------------------------------------------------------------------

/// The router's decisions for one session.
struct RouterService {
    shared: Arc<Shared>,
    live: Arc<LiveOptions>,
    /// What access tables have said of the client, and waits to be applied.
    of_client: Standing,
    /// The same with what they said of its HELO: what each transaction starts with.
    of_hello: Standing,
}

/// One transaction, one snapshot of the maps: RSET drops it.
struct Kept {
    maps: Snapshot,
    route: Arc<RouteOptions>,
    may_relay: bool,
    /// What access tables have said of its client, its sender and its recipients.
    standing: Standing,
}

impl Service for RouterService {
    type Kept = Kept;
    type Took = Receipt;

    async fn connect(&mut self, client: &Client) -> Result<Offer, Reply> {
        let LiveOptions { serve, relay } = &*self.live;
        let own_host = relay.is_own_host(client);
        // An IPv4 client on an IPv6 socket is the IPv4 client it is.
        let address = client.address.ip().to_canonical();
        let mut standing = Standing::default();
        let maps = self.shared.maps.snapshot();
        let answer = Box::pin(maps.settled(|maps| maps.access_client(None, address))).await;
        self.rule(&mut standing, Asked::Client, answer, client, &address)?;
        (self.of_hello, self.of_client) = (standing.clone(), standing);
        Ok(Offer {
            size: serve.limits.message_size,
            recipients: u32::try_from(serve.limits.recipients).unwrap_or(u32::MAX),
            starttls: serve.tls.is_some(),
            require_tls: relay.require_tls,
            xclient: false,
            xforward: own_host,
            priority: true,
            xtxn: own_host,
        })
    }

    async fn hello(&mut self, client: &Client) -> Result<(), Reply> {
        let mut standing = self.of_client.clone();
        let name = client.helo_name();
        let maps = self.shared.maps.snapshot();
        let answer = Box::pin(maps.settled(|maps| maps.access_helo(name))).await;
        self.rule(&mut standing, Asked::Helo, answer, client, &name)?;
        self.of_hello = standing;
        Ok(())
    }

    async fn sender(&mut self, client: &Client, sender: &Sender) -> Result<Kept, Reply> {
        self.room(None)?;
        let maps = self.shared.maps.snapshot();
        let mut standing = self.of_hello.clone();
        let path = &sender.reverse_path;
        let answer = Box::pin(maps.settled(|maps| maps.access_sender(path))).await;
        self.rule(&mut standing, Asked::Sender, answer, client, path)?;
        let route = self.shared.route.load_full();
        Ok(Kept { maps, route, may_relay: self.live.relay.may_relay(client), standing })
    }

    async fn recipient(
        &mut self,
        client: &Client,
        transaction: &mut Transaction<Kept>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let Transaction { envelope, kept, .. } = transaction;
        let Kept { maps, route, may_relay, standing } = kept;
        let path = &recipient.forward_path;
        let mut of_recipient = standing.clone();
        if let ForwardPath::Mailbox(mailbox) = path {
            let answer = Box::pin(maps.settled(|maps| maps.access_recipient(mailbox))).await;
            self.rule(&mut of_recipient, Asked::Recipient, answer, client, path)?;
        }
        let route = &**route;
        let judged = match judge_rewritten(route, path, self.shared.clock.now_wall()) {
            Some(judged) => judged,
            None => {
                let sender = &envelope.sender.reverse_path;
                let question = Question { may_relay: *may_relay, sender, path };
                Box::pin(maps.settled(|maps| judge(maps, route, &question))).await
            }
        };
        self.shared.metrics.judged(&judged);
        judged.verdict().map_err(|reply| of_recipient.refused(reply))?;
        of_recipient.permitted()?;
        standing.adopt(&of_recipient);
        Ok(())
    }

    fn room(&mut self, octets: Option<u64>) -> Result<(), Reply> {
        self.shared.spool.room(octets.unwrap_or(0)).map_err(spool_reply)
    }

    async fn content(&mut self, client: &Client, kept: Kept, mail: MailObject) -> Result<Receipt, Reply> {
        let Shared { spool, queue, clock, .. } = &*self.shared;
        let route = &*kept.route;
        let id = spool.next_id();
        let MailObject { mut envelope, mut content } = mail;
        let wall = clock.now_wall();
        content.prepend(&self.received_field(
            client,
            &envelope,
            id,
            wall.try_into().unwrap_or(Timestamp::UNIX_EPOCH),
        ));
        let rewritten = kept.maps.settled(|maps| rewritten(maps, route, &envelope, wall)).await;
        (envelope.sender.reverse_path, envelope.recipients) = rewritten.map_err(|error| error.reply())?;
        let asked = envelope.sender.priority.map(|asked| priority::allowed(asked, kept.may_relay));
        envelope.sender.priority = kept.standing.priority().or(asked);
        let envelope = Arc::new(envelope);
        let hold = kept.standing.hold().map(|reason| Held::new(Holder::Map, reason));
        let discard = kept.standing.discard();
        let arrival = Arrival { wall, client: describe(client).into() };
        let message = NewMessage { envelope, content, arrival, origin: Origin::Smtp, hold };
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
        if let Some(reason) = discard {
            // Durable before it is dropped: the receipt is one like any other, and a crash in between delivers.
            spool.done(receipt.queue_id());
            tracing::info!(%id, %reason, "discarded, as an access table asks");
            return Ok(receipt);
        }
        if let Some(reason) = kept.standing.hold() {
            tracing::info!(%id, %reason, "message is on hold, as an access table asks");
        }
        queue.admit_new(&receipt, message);
        Ok(receipt)
    }

    fn event(&mut self, event: Event) {
        self.shared.metrics.replied(event);
    }
}

impl RouterService {
    fn rule(
        &self,
        standing: &mut Standing,
        asked: Asked,
        answer: Answer<Found<Access>>,
        client: &Client,
        about: &dyn std::fmt::Display,
    ) -> Result<(), Reply> {
        let ruled = access::rule(standing, asked, answer, client, about);
        if let Err(reply) = &ruled {
            self.shared.metrics.ruled(asked, reply);
        }
        ruled
    }

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

/// What the maps make of the two sides of an envelope.
fn rewritten(
    maps: &Snapshot,
    route: &RouteOptions,
    envelope: &Envelope,
    now: SystemTime,
) -> Result<(ReversePath, Vec<Recipient>), RewriteError> {
    let sender = rewrite::sender(maps, &envelope.sender.reverse_path)?;
    Ok((sender, rewrite::expand_all(maps, route, &envelope.recipients, now)?))
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
