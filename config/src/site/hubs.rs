//! What must be so of all hubs of a site together: one of them, or several that agree, take pushes; others follow.

use super::{Role, Site};
use crate::check::Faults;
use crate::{HubSettings, Settings as _};

impl Site {
    /// Hubs that would each take pushes of their own.
    pub(super) fn hubs_apart(&self) -> Faults {
        let mut faults = Faults::new();
        let (mut alone, mut agreeing) = (Vec::new(), 0);
        for host in self.hosts.iter().filter(|host| host.role == Role::Hub) {
            // What is wrong with its settings is said elsewhere.
            let Ok(document) = self.document(host, None) else { return faults };
            let Ok(settings) = HubSettings::from_document(&document, None) else { return faults };
            match (settings.etcd.members.is_empty(), settings.peers.is_empty()) {
                (false, _) => agreeing += 1,
                (true, true) => alone.push(host),
                (true, false) => {}
            }
        }
        let takers = alone.len() + usize::from(agreeing > 0);
        let way = "state the fact `etcd_members`, or let all but one follow by `peers` in host/NAME.toml";
        if let Some(second) = alone.last().filter(|_| takers > 1) {
            let message =
                format!("`{}` and another hub would each take pushes of their own: {way}", second.name);
            faults.push(second.place.clone(), message);
        }
        faults
    }
}
