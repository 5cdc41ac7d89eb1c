//! The settings of the hub, taken apart, and new ones for a hub that runs: whole, or not at all.
//!
//! Certificates are read again at every reload, so that they can be replaced without a restart; who is connected
//! stays connected.

use std::sync::{Arc, PoisonError};

use rustls::ClientConfig;
use switchyard_config::{HubSettings, RolloutGates, Settings};
use switchyard_daemon::program::Fault;
use switchyard_daemon::sockets::Listeners;
use switchyard_mapsync_protocol::rollout::Gates;

use super::Hub;
use super::order::{Gateway, Ledger, Order, Peers};
use crate::tls::MutualTls;

/// Bounds of what is kept, and of what is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Octets of one file.
    pub(crate) blob: u64,
    /// Octets of all files.
    pub(crate) store: u64,
    /// What goes past the steps of a rollout needs two signatures.
    pub(crate) second_signature: bool,
}

pub(crate) fn bounds(settings: &HubSettings) -> Bounds {
    Bounds {
        blob: settings.limits.blob_size,
        store: settings.limits.store_size,
        second_signature: settings.rollout.second_signature,
    }
}

/// What a step of a rollout must pass.
pub(crate) fn gates(settings: &HubSettings) -> Gates {
    let RolloutGates { bake, silence, patience, .. } = settings.rollout;
    Gates { bake, silence, patience, ..Gates::default() }
}

pub(crate) fn mutual_tls(settings: &HubSettings) -> MutualTls {
    let tls = &settings.tls;
    MutualTls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        authorities: tls.client_ca.clone(),
    }
}

/// The certificates for etcd, read now; none on plain TCP.
pub(crate) fn to_etcd(settings: &HubSettings) -> Result<Option<Arc<ClientConfig>>, Fault> {
    let Some(tls) = &settings.etcd.tls else { return Ok(None) };
    let tls = MutualTls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        authorities: tls.client_ca.clone(),
    };
    Ok(Some(tls.client()?))
}

/// Who says what comes next, and the other hubs.
pub(crate) fn order(settings: &HubSettings) -> Result<(Order, Peers), Fault> {
    let (etcd, peers) = (&settings.etcd, &settings.peers);
    let order = match (&etcd.members[..], &peers[..]) {
        ([], []) => Order::Alone,
        ([], _) => Order::Follows,
        (members, _) => {
            let members = members.iter().map(ToString::to_string).collect();
            Order::Ledger(Ledger::new(Gateway::new(members, to_etcd(settings)?), etcd.prefix.clone()))
        }
    };
    let tls = mutual_tls(settings).client()?;
    Ok((order, Peers::new(peers.iter().map(ToString::to_string).collect(), tls, etcd.copies)))
}

impl Hub {
    /// Takes new settings; returns what is held until a restart.
    pub(crate) async fn take(&self, mut settings: HubSettings) -> Result<Vec<String>, Fault> {
        let before = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held = before.hold(&mut settings);

        let tls = mutual_tls(&settings).server()?;
        let to_peers = mutual_tls(&settings).client()?;
        let to_etcd = to_etcd(&settings)?;
        let sockets = settings.listen.iter().map(|listener| &listener.socket);
        let sockets = self.doors.prepare(sockets, &mut Listeners::none())?;
        let asked = self.control.prepare(settings.control.as_deref())?;

        self.shared.peers.set_tls(to_peers);
        self.shared.gates.store(Arc::new(gates(&settings)));
        if let Order::Ledger(ledger) = &self.shared.order {
            ledger.set_tls(to_etcd);
        }
        self.shared.bounds.store(Arc::new(bounds(&settings)));
        self.doors.set_max(settings.limits.connections);
        self.doors.commit(sockets, |_, drain| self.door(&tls, drain)).await;
        self.control.commit(asked).await;
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(held)
    }
}
