//! What a reload replaces: how messages are signed, verified and bounded. A message keeps what it began with.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use switchyard_maps::options::MapOptions;
use switchyard_smtp::address::Domain;

use crate::message::{Bounds, Client};
use crate::sign::signature::Coverage;
use crate::verify::policy::Obeyed;

/// The rules in force.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// Bounds of a message.
    pub(crate) bounds: Bounds,
    /// How long an MTA may say nothing.
    pub(crate) idle: Duration,
    /// Whose mail is ours.
    pub(crate) networks: Vec<IpNet>,
    /// Whether those who have authenticated are.
    pub(crate) authenticated: bool,
    /// Where key files stand.
    pub(crate) keys: PathBuf,
    /// The maps that name them.
    pub(crate) maps: MapOptions,
    /// What a signature covers.
    pub(crate) coverage: Coverage,
    /// How often keys are looked for in the DNS again.
    pub(crate) recheck: Duration,
    /// Whether mail that no key may sign comes again later.
    pub(crate) tempfail_without_key: bool,
    /// Whose verdicts ours are.
    pub(crate) authserv_id: Domain,
    /// For all that the DNS is asked about a message.
    pub(crate) timeout: Duration,
    /// How much of a DMARC policy is done.
    pub(crate) obeyed: Obeyed,
    /// Whose keys seal what was verified.
    pub(crate) seal: Option<Domain>,
}

/// Whose mail it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A host of ours: it may speak in our name.
    OurHost,
    /// Somebody who has authenticated.
    OurUser,
    /// Anybody.
    World,
}

impl Live {
    /// Whose mail a client's is.
    pub(crate) fn origin(&self, client: &Client) -> Origin {
        let is_near = match client.address {
            Some(address) => self.networks.iter().any(|network| network.contains(&address)),
            // It came over no network at all: from this host.
            None => true,
        };
        match (is_near, client.authenticated && self.authenticated) {
            (true, _) => Origin::OurHost,
            (false, true) => Origin::OurUser,
            (false, false) => Origin::World,
        }
    }
}
