//! What the filter thinks while an MTA tells: a session's client, a message's pieces, and the answer at its end.
//!
//! A message is one of two kinds. Ours, from our networks or from who has authenticated, is signed; any other is
//! verified. Rules and maps are taken once, when the message begins, and hold until it ends.

use std::sync::Arc;

use switchyard_daemon::clock::Clock;
use switchyard_maps::{MapHandle, Snapshot};
use switchyard_milter_protocol::event::{Client as Peer, Event, Path};
use switchyard_milter_protocol::macros::Macros;
use switchyard_smtp::io::memory::MemoryBudget;

use crate::answer::{Answer, Work};
use crate::dns::Dns;
use crate::message::{Client, Envelope, Message, Unread};
use crate::metrics::Metrics;
use crate::report::Reports;
use crate::rules::Live;
use crate::sign::ring::KeyRing;

/// Recipients of one message that are looked at for copies.
const MAX_RECIPIENTS: usize = 10_000;
/// Octets of a client's own words that are kept.
const MAX_WORD: usize = 1_024;

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) live: arc_swap::ArcSwap<Live>,
    pub(crate) maps: MapHandle,
    pub(crate) ring: KeyRing,
    /// Keys are to be listed and looked for anew.
    pub(crate) new_keys: tokio::sync::Notify,
    pub(crate) dns: Dns,
    /// Who is told of what was seen; none for nobody.
    pub(crate) reports: Option<Arc<Reports>>,
    pub(crate) memory: MemoryBudget,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("live", &self.live)
            .field("ring", &self.ring)
            .finish_non_exhaustive()
    }
}

/// One connection's state.
#[derive(Debug)]
pub(crate) struct Talk {
    shared: Arc<Shared>,
    client: Client,
    begun: Option<Box<Begun>>,
}

/// A message on its way in.
#[derive(Debug)]
struct Begun {
    live: Arc<Live>,
    maps: Snapshot,
    envelope: Envelope,
    message: Message,
}

impl Talk {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, client: Client::default(), begun: None }
    }

    /// Something happened before the end of a message. With `leading_space` a field's value has its own. What comes
    /// back is why the message at hand cannot be read any more.
    pub(crate) fn hear(&mut self, event: Event, macros: &Macros, leading_space: bool) -> Option<Unread> {
        match event {
            Event::Connect(connect) => {
                self.begun = None;
                let address = match connect.client {
                    Peer::Inet(address) => Some(address.ip().to_canonical()),
                    Peer::Unknown | Peer::Unix(_) => None,
                };
                self.client = Client { address, ..Client::default() };
            }
            Event::Helo(name) => self.client.hello = word(&name),
            Event::EnvFrom(path) => self.begin(&path, macros),
            Event::EnvRcpt(path) => {
                if let Some(begun) = &mut self.begun
                    && begun.envelope.recipients.len() < MAX_RECIPIENTS
                {
                    begun.envelope.recipients.push(mailbox(&path));
                }
            }
            Event::Header(field) => {
                if let Some(begun) = &mut self.begun {
                    if leading_space {
                        begun.message.field(&field.name, &field.value);
                    } else {
                        begun.message.field(&field.name, &[b" ", &field.value[..]].concat());
                    }
                }
            }
            Event::Eoh => {
                if let Some(begun) = &mut self.begun {
                    begun.message.end_of_header();
                }
            }
            Event::Body(chunk) => {
                if let Some(begun) = &mut self.begun {
                    begun.message.body(&chunk);
                }
            }
            Event::Data | Event::Unknown(_) | Event::Eom(_) => {}
        }
        self.begun.as_ref().and_then(|begun| begun.message.unread())
    }

    /// The message is over, with this last bit of its body.
    pub(crate) async fn answer(&mut self, rest: &[u8], macros: &Macros) -> Answer {
        let Some(mut begun) = self.begun.take() else { return Answer::unchanged() };
        begun.message.body(rest);
        if let Some(id) = macros.text("i") {
            begun.envelope.queue_id = id.to_owned();
        }
        let Begun { live, maps, envelope, message } = &*begun;
        let work = Work { shared: &self.shared, live, maps, client: &self.client, envelope, message };
        work.answer().await
    }

    /// The message at hand is dropped.
    pub(crate) fn forget_message(&mut self) {
        self.begun = None;
    }

    /// Another client's session follows.
    pub(crate) fn forget_client(&mut self) {
        self.begun = None;
        self.client = Client::default();
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    fn begin(&mut self, path: &Path, macros: &Macros) {
        let live = self.shared.live.load_full();
        self.client.authenticated =
            macros.text("auth_authen").or(macros.text("auth_type")).is_some_and(|who| !who.is_empty());
        self.begun = Some(Box::new(Begun {
            message: Message::new(live.bounds, &self.shared.memory),
            maps: self.shared.maps.snapshot(),
            envelope: Envelope { sender: mailbox(path), ..Envelope::default() },
            live,
        }));
    }
}

/// Octets of a client as text; what is none is replaced.
fn word(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets.get(..MAX_WORD).unwrap_or(octets)).into_owned()
}

/// A path without its brackets.
fn mailbox(path: &Path) -> String {
    let text = word(&path.path);
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    inner.unwrap_or(&text).to_owned()
}
