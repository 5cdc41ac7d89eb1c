//! A connection to one address of a next hop: dialled, with as much TLS as is owed, and looked at.

use std::net::IpAddr;
use std::sync::Arc;

use switchyard_maps::{Destination, Transport};
use switchyard_smtp::address::Host;
use switchyard_smtp::io::dial::{Connection, DialError, Target};
use switchyard_smtp::io::tls_client::TlsLevel;
use switchyard_smtp::status::EnhancedStatus;

use super::hosts::{Candidate, Place};
use super::outcome::{Fate, Verdict};
use super::reuse::Kept;
use super::{Deliverer, tls_policy};

impl Deliverer {
    /// Connects to one address, with as much TLS as the destination is owed.
    pub(super) async fn connect(
        &self,
        destination: &Destination,
        candidate: &Candidate,
    ) -> Result<Kept, Fate> {
        let level = match candidate.place {
            Place::Tcp(_) => self.tls.level(destination),
            Place::Unix(_) => TlsLevel::None,
        };
        let names = Names::of(candidate);
        let connected = Box::pin(self.dial(destination.transport, candidate, level)).await;
        let connection = connected.map_err(|error| {
            if !error.is_tls() {
                self.dead.bury(&candidate.place, self.clock.now_monotonic(), self.dead_host_wait);
            }
            self.count_tls(level, "failed");
            // RFC 7504: 521 is for good; any other refusal may pass.
            let gone = error.refusal().is_some_and(|reply| reply.code.get() == 521);
            let verdict = if gone { Verdict::Bounced } else { Verdict::Deferred };
            Fate::said(verdict, &error.reply(), error.refusal().is_some(), &names.host, &names.relay)
        })?;
        self.dead.revive(&candidate.place);
        let peer = connection.peer_addr();
        // The address that really answers, for what the DNS chose: a socket can be diverted after it was resolved.
        if let Some(peer) = peer.filter(|_| candidate.filtered)
            && !self.hosts.permits(peer.ip())
        {
            let status = EnhancedStatus::new(4, 4, 4);
            return Err(Fate::local(Verdict::Deferred, status, format!("the peer is at {}", peer.ip())));
        }
        self.count_tls(
            level,
            match connection.tls() {
                None if level == TlsLevel::None => "none",
                None => "not_offered",
                Some(tls) if tls.verified => "verified",
                Some(_) => "encrypted",
            },
        );
        let is_own =
            |peer: IpAddr| self.own_hosts.iter().any(|network| network.contains(&peer.to_canonical()));
        Ok(Kept {
            is_own: peer.is_some_and(|peer| is_own(peer.ip())),
            connection: Box::new(connection),
            relay: names.relay,
            host: names.host,
            rules: Arc::clone(&self.rules),
        })
    }

    async fn dial(
        &self,
        transport: Transport,
        candidate: &Candidate,
        level: TlsLevel,
    ) -> Result<Connection, DialError> {
        let options = self.dial_options(transport);
        let target = match &candidate.place {
            Place::Tcp(address) => Target::Tcp(*address),
            Place::Unix(path) => Target::Unix(path.to_path_buf()),
        };
        let connection = Connection::connect(&target, options).await?;
        let offered = connection.extensions().starttls;
        let name = match (level, tls_policy::server_name(candidate)) {
            (TlsLevel::None, _) | (_, None) => return Ok(connection),
            (TlsLevel::May, _) if !offered => return Ok(connection),
            (_, Some(name)) => name,
        };
        match connection.starttls(self.tls.client(level), name).await {
            // RFC 7435: opportunistic TLS that does not work is as none; the old connection is spoilt.
            Err(error) if error.is_tls() && level == TlsLevel::May => {
                tracing::debug!(host = %candidate.name, "TLS failed, going on without: {error}");
                self.count_tls(level, "failed");
                Connection::connect(&target, options).await
            }
            done => done,
        }
    }

    fn count_tls(&self, level: TlsLevel, result: &str) {
        self.metrics.tls.with_label_values(&[tls_policy::label(level), result]).inc();
    }
}

/// What a candidate is called.
struct Names {
    host: Arc<str>,
    relay: Arc<str>,
}

impl Names {
    fn of(candidate: &Candidate) -> Self {
        match &candidate.place {
            Place::Unix(path) => Self { host: "localhost".into(), relay: path.display().to_string().into() },
            Place::Tcp(address) => Self {
                host: candidate.name.to_string().into(),
                relay: match &candidate.name {
                    Host::Domain(domain) => format!("{domain}[{}]:{}", address.ip(), address.port()).into(),
                    Host::Literal(_) => format!("[{}]:{}", address.ip(), address.port()).into(),
                },
            },
        }
    }
}
