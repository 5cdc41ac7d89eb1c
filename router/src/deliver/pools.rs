//! Named pools of next hops: each attempt starts at the next member, and the others stand by in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchyard_maps::Hop;

/// The pools of the settings.
#[derive(Debug, Default)]
pub struct Pools(BTreeMap<String, Pool>);

#[derive(Debug)]
struct Pool {
    members: Vec<Hop>,
    turn: AtomicUsize,
}

impl Pools {
    /// Takes the pools by name.
    #[must_use]
    pub fn new(pools: BTreeMap<String, Vec<Hop>>) -> Self {
        let pools = pools.into_iter();
        Self(pools.map(|(name, members)| (name, Pool { members, turn: AtomicUsize::new(0) })).collect())
    }

    /// The members in the order to try them now; empty for a pool that the settings do not name.
    #[must_use]
    pub fn members(&self, name: &str) -> Vec<Hop> {
        let Some(pool) = self.0.get(name).filter(|pool| !pool.members.is_empty()) else { return Vec::new() };
        let mut members = pool.members.clone();
        let turn = pool.turn.fetch_add(1, Ordering::Relaxed) % members.len();
        members.rotate_left(turn);
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchyard_smtp::address::Host;

    #[test]
    fn each_member_has_its_turn_and_the_others_stand_by() {
        let hop = |text: &str| Hop::Host { host: Host::parse(text).unwrap(), port: None };
        let pools =
            Pools::new(BTreeMap::from([("inside".to_owned(), vec![hop("a.x"), hop("b.x"), hop("c.x")])]));
        let order = || pools.members("inside").iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(
            [order(), order(), order(), order()],
            ["[a.x] [b.x] [c.x]", "[b.x] [c.x] [a.x]", "[c.x] [a.x] [b.x]", "[a.x] [b.x] [c.x]"]
        );
        assert!(pools.members("nowhere").is_empty());
    }
}
