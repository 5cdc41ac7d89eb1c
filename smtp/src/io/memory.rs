//! A budget for the content that all sessions of a daemon hold in memory at once: over it, new mail is put
//! off with a 452 instead of the host running out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets that may be held, and that are.
#[derive(Debug, Clone)]
pub struct MemoryBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: AtomicU64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// A budget of so many octets.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Inner { limit: AtomicU64::new(limit), used: AtomicU64::new(0) }))
    }

    /// So many octets from now on. What is held stays: over a smaller budget, nothing is added until enough is
    /// given back.
    pub fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// Octets in use.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// True when so many octets more would fit now.
    #[must_use]
    pub fn has_room(&self, octets: u64) -> bool {
        self.used().saturating_add(octets) <= self.0.limit.load(Ordering::Relaxed)
    }

    /// Takes a share that grows with what it is for.
    #[must_use]
    pub fn share(&self) -> MemoryShare {
        MemoryShare { budget: self.clone(), held: 0 }
    }
}

/// A share of the budget; dropping it gives it back.
#[derive(Debug)]
pub struct MemoryShare {
    budget: MemoryBudget,
    held: u64,
}

impl MemoryShare {
    /// Octets in the share.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Makes the share at least so large; false when the budget has not so much left.
    pub fn grow_to(&mut self, octets: u64) -> bool {
        let more = octets.saturating_sub(self.held);
        if more == 0 {
            return true;
        }
        let Inner { limit, used } = &*self.budget.0;
        let before = used.fetch_add(more, Ordering::Relaxed);
        if before.saturating_add(more) > limit.load(Ordering::Relaxed) {
            used.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.held += more;
        true
    }

    /// Gives all of it back; the share may grow again.
    pub fn give_back(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.budget.0.used.fetch_sub(held, Ordering::Relaxed);
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = MemoryBudget::new(100);
        let (mut one, mut two) = (budget.share(), budget.share());
        assert!(one.grow_to(60) && one.grow_to(40) && !two.grow_to(41) && two.grow_to(40));
        assert_eq!(budget.used(), 100);
        drop(one);
        assert_eq!(budget.used(), 40);
        assert!(two.grow_to(100));
        budget.set_limit(50);
        assert!(!budget.has_room(0) && !budget.share().grow_to(1));
        budget.set_limit(101);
        assert!(budget.share().grow_to(1));
        two.give_back();
        two.give_back();
        assert_eq!((budget.used(), two.held()), (0, 0));
        assert!(two.grow_to(101));
        drop(two);
        assert_eq!(budget.used(), 0);
    }
}
