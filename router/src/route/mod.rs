//! Where mail goes: a pure question to one [`Snapshot`](switchyard_maps::Snapshot) of the maps.
//!
//! 1. [`class`]: what kind of recipient this is.
//! 2. [`rewrite`]: what a recipient stands for (virtual aliases), asked once, when the message is taken.
//! 3. [`resolve`]: transport and next hop, asked again at every attempt, so that a swapped map moves mail
//!    that waits.
//! 4. [`forward`] and [`srs`]: whose mail leaves with a reverse-path of ours, and how a report comes back.
//!
//! Invariant: a map that cannot be asked gives a temporary answer here, never "unknown".

pub mod class;
pub mod forward;
pub mod resolve;
pub mod rewrite;
pub mod srs;

use std::sync::Arc;

use switchyard_maps::Route;
use switchyard_smtp::address::{Domain, ForwardPath, Host, LocalPart, Mailbox};

use crate::deliver::Pools;
use srs::Srs;

/// What routing needs to know beside the maps.
#[derive(Debug, Clone)]
pub struct RouteOptions {
    /// Our own mail domain: what the bare `<postmaster>` is completed with (Postfix's `myorigin`).
    pub origin: Domain,
    /// What the transport map leaves open (Postfix's `default_transport` and `relayhost` in one).
    pub default_route: Route,
    /// The pools of the settings, of which `hash:@pool` picks a member.
    pub pools: Arc<Pools>,
    /// What parts a user from an extension (Postfix's `recipient_delimiter`).
    pub recipient_delimiter: String,
    /// Rewrites the senders of forwarded mail, where the settings name a domain for it.
    pub srs: Option<Arc<Srs>>,
}

impl RouteOptions {
    /// Delivers to each recipient's own domain.
    #[must_use]
    pub fn new(origin: Domain) -> Self {
        Self {
            origin,
            default_route: Route::Keep,
            pools: Arc::default(),
            recipient_delimiter: String::new(),
            srs: None,
        }
    }

    /// The recipient as maps are asked about it: the bare postmaster is ours (RFC 5321 §4.5.1).
    ///
    /// `None` cannot happen: `postmaster` is a local part.
    #[must_use]
    pub fn mailbox(&self, path: &ForwardPath) -> Option<Mailbox> {
        match path {
            ForwardPath::Mailbox(mailbox) => Some(mailbox.clone()),
            ForwardPath::Postmaster => Some(Mailbox {
                local: LocalPart::new("postmaster").ok()?,
                host: Host::Domain(self.origin.clone()),
            }),
        }
    }
}
