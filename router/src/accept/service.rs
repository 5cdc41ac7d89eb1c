//! The router's decisions for one session: relay policy, access tables, recipients, mail filters, and the receipt.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;
use switchyard_daemon::session::{SessionId, Stage};
use switchyard_maps::access::Access;
use switchyard_maps::access::standing::{Asked, Standing};
use switchyard_maps::{Answer, Found, Snapshot};
use switchyard_milter_mta::{FilterSession, Judged};
use switchyard_smtp::address::{ForwardPath, ReversePath};
use switchyard_smtp::envelope::{Envelope, MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::serve::Service;
use switchyard_smtp::reply::Reply;
use switchyard_smtp::server::{Client, Event, Transaction};
use switchyard_smtp::trace::Received;

use super::words::{describe, noted, spool_reply, whose};
use super::{LiveOptions, Shared};
use crate::policy::recipient::{Question, judge, judge_rewritten};
use crate::policy::{access, priority};
use crate::route::RouteOptions;
use crate::route::rewrite::{self, RewriteError};
use crate::spool::{Arrival, Held, Holder, NewMessage, Origin, QueueId, Receipt};

/// The router's decisions for one session.
pub(super) struct RouterService {
    shared: Arc<Shared>,
    live: Arc<LiveOptions>,
    /// In the log.
    session: SessionId,
    /// What access tables have said of the client, and waits to be applied.
    of_client: Standing,
    /// The same with what they said of its HELO: what each transaction starts with.
    of_hello: Standing,
    /// This client's session, as the mail filters are told of it.
    filters: FilterSession,
}

/// One transaction, one snapshot of the maps: RSET drops it.
pub(super) struct Kept {
    id: QueueId,
    maps: Snapshot,
    route: Arc<RouteOptions>,
    may_relay: bool,
    /// What access tables have said of its client, its sender and its recipients.
    standing: Standing,
    /// It was taken before, and only its answer was lost: nobody is asked about it again.
    is_known: bool,
}

impl Service for RouterService {
    type Kept = Kept;
    type Took = Receipt;

    async fn connect(&mut self, client: &Client) -> Result<Offer, Reply> {
        let live = Arc::clone(&self.live);
        let LiveOptions { serve, relay, .. } = &*live;
        let own_host = relay.is_own_host(client);
        // An IPv4 client on an IPv6 socket is the IPv4 client it is.
        let address = client.address.ip().to_canonical();
        let mut standing = Standing::default();
        let maps = self.shared.maps.snapshot();
        let answer = Box::pin(maps.settled(|maps| maps.access_client(None, address))).await;
        self.rule(&mut standing, Asked::Client, answer, client, &address)?;
        self.filters = live.filters.session(standing.milters().or(live.usual.as_deref()));
        (self.of_hello, self.of_client) = (standing.clone(), standing);
        if !own_host {
            let word = Box::pin(self.filters.connect(client)).await;
            self.filtered(Stage::Connect, client, word)?;
        }
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
        if !self.live.relay.is_own_host(client) {
            // Our own hosts bring mail of others, and whose it is they say before MAIL.
            let word = Box::pin(self.filters.hello(client)).await;
            self.filtered(Stage::Hello, client, word)?;
        }
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
        let id = self.shared.spool.next_id();
        let is_known = sender.transaction.is_some_and(|id| self.shared.spool.known(id).is_some());
        if is_known {
            self.filters.abort();
        } else {
            let word = Box::pin(self.filters.sender(client, sender, &id.to_string())).await;
            self.filtered(Stage::Sender, client, word)?;
        }
        Ok(Kept { id, maps, route, may_relay: self.live.relay.may_relay(client), standing, is_known })
    }

    async fn recipient(
        &mut self,
        client: &Client,
        transaction: &mut Transaction<Kept>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        let Transaction { envelope, kept, .. } = transaction;
        let Kept { maps, route, may_relay, standing, .. } = kept;
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
        let verdict = judged.verdict().map_err(|reply| of_recipient.refused(reply));
        if let Err(reply) = verdict.and_then(|()| of_recipient.permitted()) {
            Box::pin(self.filters.refused(recipient, &reply)).await;
            return Err(reply);
        }
        let word = Box::pin(self.filters.recipient(recipient)).await;
        self.filtered(Stage::Recipient, client, word)?;
        standing.adopt(&of_recipient);
        Ok(())
    }

    async fn data(&mut self, client: &Client, _transaction: &mut Transaction<Kept>) -> Result<(), Reply> {
        let word = Box::pin(self.filters.data()).await;
        self.filtered(Stage::Content, client, word)
    }

    fn room(&mut self, octets: Option<u64>) -> Result<(), Reply> {
        self.shared.spool.room(octets.unwrap_or(0)).map_err(spool_reply)
    }

    async fn content(&mut self, client: &Client, kept: Kept, mail: MailObject) -> Result<Receipt, Reply> {
        let shared = Arc::clone(&self.shared);
        let Shared { spool, queue, clock, .. } = &*shared;
        let Kept { id, maps, route, may_relay, standing, is_known } = kept;
        let wall = clock.now_wall();
        let at = wall.try_into().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut mail = mail;
        mail.content.prepend(&self.received_field(client, &mail.envelope, id, at));
        let judged = if is_known {
            Judged::unchanged(mail)
        } else {
            let word = self.filters.content(mail).await;
            self.filtered(Stage::Content, client, word)?
        };
        let MailObject { mut envelope, content } = judged.mail;
        // What a filter of the mx holds is held here, where there is a place for it.
        let marked = envelope.sender.hold.take().map(String::from);
        let rewritten = maps.settled(|maps| rewritten(maps, &route, &envelope, wall)).await;
        (envelope.sender.reverse_path, envelope.recipients) = rewritten.map_err(|error| error.reply())?;
        let asked = envelope.sender.priority.map(|asked| priority::allowed(asked, may_relay));
        envelope.sender.priority = standing.priority().or(asked);
        let envelope = Arc::new(envelope);
        // What a filter holds only a hand releases: no map says when it is good again.
        let by_filter = judged.hold.or(marked).map(|reason| Held::new(Holder::Hand, &reason));
        let hold = by_filter.or_else(|| standing.hold().map(|reason| Held::new(Holder::Map, reason)));
        let from = Some(Box::new(whose(client, id)));
        let arrival = Arrival { wall, client: describe(client).into(), from };
        let message = NewMessage { envelope, content, arrival, origin: Origin::Smtp, hold };
        let receipt = spool.accept(id, &message).await.map_err(spool_reply)?;
        if receipt.is_repeated() {
            tracing::info!(id = %receipt.queue_id(), "taken before; nothing is queued again");
            return Ok(receipt);
        }
        tracing::info!(
            %id,
            session = %self.session,
            client = %message.arrival.client,
            from = %message.envelope.sender.reverse_path,
            recipients = message.envelope.recipients.len(),
            size = message.content.len(),
            "queued"
        );
        if let Some(reason) = standing.discard().map(|reason| &**reason).or(judged.discard) {
            // Durable before it is dropped: the receipt is one like any other, and a crash in between delivers.
            spool.done(receipt.queue_id());
            tracing::info!(%id, %reason, "message is discarded");
            return Ok(receipt);
        }
        if let Some(Held { by, reason }) = &message.hold {
            let by = if *by == Holder::Hand { "a filter" } else { "an access table" };
            tracing::info!(%id, %reason, by, "message is on hold");
        }
        queue.admit_new(&receipt, message);
        Ok(receipt)
    }

    fn event(&mut self, event: Event) {
        self.shared.metrics.replied(event);
    }
}

impl RouterService {
    pub(super) fn new(shared: Arc<Shared>, live: Arc<LiveOptions>) -> Self {
        let (of_client, of_hello) = (Standing::default(), Standing::default());
        let session = SessionId::random();
        Self { shared, live, session, of_client, of_hello, filters: FilterSession::default() }
    }

    /// The client is gone.
    pub(super) fn close(self) {
        self.filters.close();
    }

    fn filtered<T>(&self, stage: Stage, client: &Client, word: Result<T, Reply>) -> Result<T, Reply> {
        noted(&self.shared.metrics, self.session, stage, client, word)
    }

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
