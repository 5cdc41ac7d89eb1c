//! What a client is allowed, in the order in which it asks: connect → HELO → MAIL → RCPT → content. What is allowed
//! by our own rules is put to the mail filters, stage by stage.
//!
//! One [`Policy`] belongs to one session and holds nothing but what differs
//! between sessions; the rest is in [`Rules`], which a reload replaces as a whole for the sessions to come.

mod access;
mod connect;
mod content;
mod hello;
pub(crate) mod recipient;
mod refused;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::session::{SessionId, Stage};
use switchyard_maps::MapHandle;
use switchyard_maps::access::standing::Standing;
use switchyard_milter_mta::{FilterSession, Filters};
use switchyard_smtp::address::Domain;
use switchyard_smtp::envelope::{MailObject, Recipient, Sender};
use switchyard_smtp::extension::Offer;
use switchyard_smtp::io::serve::Service;
use switchyard_smtp::reply::{Reply, table};
use switchyard_smtp::server::{Client, Event, Transaction};

use content::FrontTook;
pub(crate) use refused::RefusedRecipients;
pub(crate) use sender::Held;

use crate::accept::networks::{Networks, Place};
use crate::deliver::HandOver;
use crate::metrics::{Metrics, Reason};

/// What the sessions that begin under it are judged by.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Our name, for Received fields.
    pub(crate) host_name: Domain,
    /// What is offered to everybody.
    pub(crate) offer: Offer,
    /// Who may say by XCLIENT whom it stands for.
    pub(crate) xclient_networks: Vec<IpNet>,
    /// Sessions of one network; zero is no bound.
    pub(crate) sessions_per_network: usize,
    /// How long a router's refusal of a recipient is remembered; zero is not at all.
    pub(crate) refused_recipient_memory: Duration,
    /// Who is asked about each message.
    pub(crate) filters: Arc<Filters>,
    /// Those that outlive a reload.
    pub(crate) shared: Arc<Shared>,
}

/// What sessions old and new share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) maps: MapHandle,
    /// The way to the routers: each message takes the newest.
    pub(crate) hand_over: ArcSwap<HandOver>,
    pub(crate) networks: Arc<Networks>,
    pub(crate) refused: RefusedRecipients,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

/// The decisions about one session.
#[derive(Debug)]
pub(crate) struct Policy {
    rules: Arc<Rules>,
    /// The filters that are asked about a client for whom no map chooses, where its listener says so.
    usual: Option<Arc<[Box<str>]>>,
    /// In every log line of the session.
    id: SessionId,
    /// Held while the session lasts.
    place: Option<Place>,
    /// Whether the connection, not the client it stands for, may say XCLIENT; found out once.
    may_xclient: Option<bool>,
    /// What access tables have said of the client, and waits to be applied.
    of_client: Standing,
    /// The same with what they said of its HELO: what each transaction starts with.
    of_hello: Standing,
    /// This client's session, as the mail filters are told of it.
    filters: FilterSession,
}

impl Policy {
    pub(crate) fn new(rules: Arc<Rules>, usual: Option<Arc<[Box<str>]>>, id: SessionId) -> Self {
        Self {
            rules,
            usual,
            id,
            filters: FilterSession::default(),
            place: None,
            may_xclient: None,
            of_client: Standing::default(),
            of_hello: Standing::default(),
        }
    }

    /// The client is gone.
    pub(crate) fn close(self) {
        self.filters.close();
    }

    /// Passes on what a filter says, counted at its stage.
    fn filtered<T>(&self, stage: Stage, client: &Client, word: Result<T, Reply>) -> Result<T, Reply> {
        word.inspect_err(|reply| {
            self.rules.shared.metrics.verdict(stage, Some(reply.code), Reason::Filter);
            let (session, reason) = (self.id, Reason::Filter.label());
            tracing::info!(%session, client = %client.address.ip(), reason, %reply, "refused");
        })
    }
}

impl Service for Policy {
    type Kept = Held;
    type Took = FrontTook;

    async fn connect(&mut self, client: &Client) -> Result<Offer, Reply> {
        self.decide_connect(client).await
    }

    async fn hello(&mut self, client: &Client) -> Result<(), Reply> {
        self.decide_hello(client).await
    }

    async fn sender(&mut self, client: &Client, sender: &Sender) -> Result<Held, Reply> {
        self.decide_sender(client, sender).await
    }

    async fn recipient(
        &mut self,
        client: &Client,
        transaction: &mut Transaction<Held>,
        recipient: &Recipient,
    ) -> Result<(), Reply> {
        self.decide_recipient(client, transaction, recipient).await
    }

    async fn data(&mut self, client: &Client, _transaction: &mut Transaction<Held>) -> Result<(), Reply> {
        let word = Box::pin(self.filters.data()).await;
        self.filtered(Stage::Content, client, word)
    }

    fn room(&mut self, _octets: Option<u64>) -> Result<(), Reply> {
        self.decide_room()
    }

    async fn content(&mut self, client: &Client, kept: Held, mail: MailObject) -> Result<FrontTook, Reply> {
        self.decide_content(client, kept, mail).await
    }

    fn event(&mut self, event: Event) {
        self.rules.shared.metrics.replies.count(event.code);
    }
}

/// 451, never 550: a map that cannot say has not said no.
const CANNOT_KNOW: Reply = table::LOCAL_ERROR;
