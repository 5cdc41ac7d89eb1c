//! How many sessions each network holds: one IPv4 address, or one IPv6 /64, which is what one site gets.
//!
//! A network stands in the table only while it holds a session, so the table is bounded by the cap on
//! sessions, whoever comes and goes (R10).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Networks(Mutex<HashMap<IpAddr, usize>>);

impl Networks {
    /// A place for one more session of that network, unless it holds `cap` of them; a cap of zero is none.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr, cap: usize) -> Option<Place> {
        let network = network_of(address);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = table.entry(network).or_default();
        if cap > 0 && *held >= cap {
            return None;
        }
        *held += 1;
        Some(Place { networks: Arc::clone(self), network })
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A session's place in its network; dropping it makes room.
#[derive(Debug)]
pub(crate) struct Place {
    networks: Arc<Networks>,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.networks.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = table.get_mut(&self.network) {
            *held -= 1;
            if *held == 0 {
                table.remove(&self.network);
            }
        }
    }
}

/// The network's first address stands for it.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & (!0 << 64)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_cap_and_leaves_no_trace() {
        let networks = Arc::new(Networks::default());
        let enter = |address: &str, cap| networks.enter(address.parse().unwrap(), cap);
        let one = enter("192.0.2.1", 2);
        let two = enter("::ffff:192.0.2.1", 2);
        assert!(one.is_some() && two.is_some());
        assert!(enter("192.0.2.1", 2).is_none(), "full");
        assert!(enter("192.0.2.1", 0).is_some(), "no cap");
        assert!(enter("192.0.2.2", 2).is_some(), "another network");
        drop(one);
        assert!(enter("192.0.2.1", 2).is_some(), "room again");
        let six = enter("2001:db8:0:1::1", 1);
        assert!(six.is_some());
        assert!(enter("2001:db8:0:1:ffff::2", 1).is_none(), "the same /64");
        assert!(enter("2001:db8:0:2::1", 1).is_some(), "another /64");
        drop((two, six));
        assert_eq!(networks.len(), 0);
    }

    #[test]
    fn r10_a_crowd_that_left_holds_no_memory() {
        let networks = Arc::new(Networks::default());
        for host in 0..100_000_u32 {
            assert!(networks.enter(IpAddr::V4(host.into()), 1).is_some());
        }
        assert_eq!(networks.len(), 0);
    }
}
