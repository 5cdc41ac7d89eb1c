//! Named pools of next hops: each attempt starts at the next member, and the others stand by in order.
//!
//! `hash:@pool` is for members that are not each other's equals, mailbox servers say: by rendezvous hashing each
//! address has its own member, and keeps it when another one comes or goes. The others stand by in an order that
//! is that member's own, so that all mail of one member is one destination, with one bound on its connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest;
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

    /// Every pool's name.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The members in the order of the settings; empty for a pool that they do not name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<Hop> {
        self.0.get(name).map(|pool| pool.members.clone()).unwrap_or_default()
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

    /// The member that an address falls to; none for a pool that is empty, or that the settings do not name.
    #[must_use]
    pub fn member_of(&self, name: &str, address: &str) -> Option<Hop> {
        self.0.get(name)?.members.iter().max_by_key(|member| weight(member, address)).cloned()
    }

    /// A member and those that stand by for it, in order.
    #[must_use]
    pub fn behind(&self, name: &str, first: &Hop) -> Vec<Hop> {
        let Some(pool) = self.0.get(name) else { return Vec::new() };
        let mut others: Vec<&Hop> = pool.members.iter().filter(|member| *member != first).collect();
        let first_text = first.to_string();
        others.sort_by_cached_key(|member| std::cmp::Reverse(weight(member, &first_text)));
        [first].into_iter().chain(others).cloned().collect()
    }
}

/// How much a member and an address belong together, the same on every host.
fn weight(member: &Hop, address: &str) -> u64 {
    let text = format!("{member}\0{address}");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |weight, octet| weight << 8 | u64::from(*octet))
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

    #[test]
    fn an_address_keeps_its_member_when_another_comes() {
        let hop =
            |number: usize| Hop::Host { host: Host::parse(&format!("m{number}.x")).unwrap(), port: None };
        let pools = |members: std::ops::Range<usize>| {
            Pools::new(BTreeMap::from([("inside".to_owned(), members.map(hop).collect())]))
        };
        let (before, after) = (pools(0..4), pools(0..5));
        let mut shares = BTreeMap::new();
        let mut moved = 0;
        for user in 0..5000 {
            let address = format!("user{user}@example.org");
            let member = before.member_of("inside", &address).unwrap();
            let now = after.member_of("inside", &address).unwrap();
            if now != member {
                assert_eq!(now, hop(4), "nobody moves but to the one that came");
                moved += 1;
            }
            *shares.entry(member).or_insert(0) += 1;
        }
        // A fifth of them, and a fourth for each before, give or take four standard deviations.
        assert!((887..=1113).contains(&moved), "{moved}");
        assert!(shares.values().all(|share| (1127..=1373).contains(share)), "{shares:?}");
        assert_eq!(before.member_of("nowhere", "user@example.org"), None);
    }

    #[test]
    fn all_others_stand_by_in_an_order_of_the_members_own() {
        let hop = |name: &str| Hop::Host { host: Host::parse(name).unwrap(), port: None };
        let all = [hop("a.x"), hop("b.x"), hop("c.x"), hop("d.x")];
        let pools = Pools::new(BTreeMap::from([("inside".to_owned(), all.to_vec())]));
        for first in &all {
            let order = pools.behind("inside", first);
            assert_eq!((order.first(), pools.behind("inside", first)), (Some(first), order.clone()));
            assert!(order.len() == all.len() && all.iter().all(|member| order.contains(member)));
        }
        assert!(pools.behind("nowhere", &all[0]).is_empty());
    }
}
