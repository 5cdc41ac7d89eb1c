//! One attempt at handing a message to a next hop.
//!
//! 0. [`outgoing`]: the mail filters that are asked before, about the copy for this next hop.
//! 1. [`pools`] and [`hosts`]: the next hop becomes a list of addresses, in order.
//! 2. [`attempt`]: the first of them that takes the mail; the next one only while nobody has accepted any of
//!    it and nothing may have been taken without our knowing.
//! 3. `connect`: one of them is dialled; [`tls_policy`]: how much TLS that hop is owed.
//! 4. [`outcome`]: what the peer said becomes sent, deferred or bounced, for each recipient.
//! 5. [`reuse`]: the connection goes back to whoever asked, for the next message.
//!
//! Invariants kept here:
//! - What the DNS chose is connected to as it was resolved, and checked again at the peer's own address.
//! - A connection lost after the end of data is "not known": the mail is kept and tried again (RFC 1047).

pub mod attempt;
mod connect;
mod dead;
pub mod filter;
pub mod hosts;
mod metrics;
pub mod outcome;
pub mod outgoing;
pub mod pools;
pub mod resolver;
pub mod reuse;
#[cfg(test)]
mod tests;
pub mod tls_policy;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use switchyard_daemon::clock::Clock;
use switchyard_maps::{Destination, Hop, Nexthop, Transport};
use switchyard_smtp::client::{Protocol, Timeouts};
use switchyard_smtp::io::dial::DialOptions;

pub use attempt::{Attempt, Attempted};
use dead::DeadHosts;
pub use filter::FilterOptions;
pub use hosts::HostsOptions;
use hosts::{Candidate, Hosts, Nowhere};
pub use metrics::DeliverMetrics;
pub use outcome::{Fate, Verdict};
pub use outgoing::{AskedBefore, Outgoing, WayOut};
pub use pools::Pools;
pub use resolver::{Resolver, ResolverOptions};
use reuse::Rules;
pub use reuse::{Kept, ReuseOptions};
pub use tls_policy::{TlsOptions, TlsPolicy, TlsPolicyError};

/// How mail is handed over.
#[derive(Debug, Clone)]
pub struct DeliverOptions {
    /// What we call ourselves.
    pub hello_name: String,
    /// The address of ours to connect from.
    pub bind: Option<IpAddr>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
    /// Which addresses.
    pub hosts: HostsOptions,
    /// Connections kept.
    pub reuse: ReuseOptions,
    /// The pools that `@name` stands for.
    pub pools: BTreeMap<String, Vec<Hop>>,
    /// How long an address that did not answer is tried last.
    pub dead_host_wait: Duration,
    /// Hosts of ours: they are told whose mail it is.
    pub own_hosts: Vec<IpNet>,
}

impl Default for DeliverOptions {
    fn default() -> Self {
        Self {
            hello_name: "localhost".to_owned(),
            bind: None,
            timeouts: Timeouts::default(),
            hosts: HostsOptions::default(),
            reuse: ReuseOptions::default(),
            pools: BTreeMap::new(),
            dead_host_wait: Duration::from_secs(60),
            own_hosts: Vec::new(),
        }
    }
}

/// Makes attempts.
#[derive(Debug)]
pub struct Deliverer {
    smtp: DialOptions,
    lmtp: DialOptions,
    hosts: Hosts,
    pools: Pools,
    tls: TlsPolicy,
    reuse: ReuseOptions,
    rules: Arc<Rules>,
    dead_host_wait: Duration,
    own_hosts: Vec<IpNet>,
    dead: Arc<DeadHosts>,
    metrics: DeliverMetrics,
    clock: Clock,
    chance: Mutex<fastrand::Rng>,
}

impl Deliverer {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        options: DeliverOptions,
        resolver: Resolver,
        tls: TlsPolicy,
        metrics: DeliverMetrics,
        clock: Clock,
        chance: fastrand::Rng,
    ) -> Self {
        let hello_name: Arc<str> = options.hello_name.into();
        let dial = |protocol| DialOptions {
            protocol,
            hello_name: Arc::clone(&hello_name),
            bind: options.bind,
            timeouts: options.timeouts,
        };
        Self {
            smtp: dial(Protocol::Smtp),
            lmtp: dial(Protocol::Lmtp),
            hosts: Hosts::new(options.hosts, resolver),
            pools: Pools::new(options.pools),
            tls,
            reuse: options.reuse,
            rules: Arc::new(Rules),
            dead_host_wait: options.dead_host_wait,
            own_hosts: options.own_hosts,
            dead: Arc::default(),
            metrics,
            clock,
            chance: Mutex::new(chance),
        }
    }

    /// One for other settings, which knows of the same dead hosts. Connections that this one made are not used by
    /// it.
    #[must_use]
    pub fn renewed(&self, options: DeliverOptions, resolver: Resolver, tls: TlsPolicy) -> Self {
        let chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
        let dead = Arc::clone(&self.dead);
        Self { dead, ..Self::new(options, resolver, tls, metrics, clock, chance) }
    }

    /// How long connections are kept.
    #[must_use]
    pub fn reuse(&self) -> &ReuseOptions {
        &self.reuse
    }

    fn dial_options(&self, transport: Transport) -> &DialOptions {
        match transport {
            Transport::Smtp => &self.smtp,
            Transport::Lmtp => &self.lmtp,
        }
    }

    /// The addresses to try for a destination now, the likely dead ones last.
    async fn candidates(&self, destination: &Destination) -> Result<Vec<Candidate>, Nowhere> {
        let members;
        let hops: &[Hop] = match &destination.nexthop {
            Nexthop::Pool(name) => {
                members = self.pools.members(name);
                &members
            }
            Nexthop::Hashed { pool, member } => {
                members = match member {
                    Some(member) => self.pools.behind(pool, member),
                    None => self.pools.members(pool),
                };
                &members
            }
            other => other.hops(),
        };
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).fork();
        let mut found = self.hosts.find(hops, destination.transport, &mut chance).await?;
        self.dead.put_last(&mut found, self.clock.now_monotonic());
        Ok(found)
    }
}
