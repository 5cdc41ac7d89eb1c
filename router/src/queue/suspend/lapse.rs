//! The end of a suspension that nobody ended by hand. What it kept is due by itself then, for it waits until that
//! moment; but a message of which it kept some recipients, and a full line the others, waits for that line. So an end is
//! looked for at every round of the clock, and what it kept is made due as if a hand had ended it.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Shared, Suspension, Suspensions};

impl Suspensions {
    /// Those that have ended by themselves, each told once. The file has them until it is written next: whoever
    /// reads it looks at the time.
    async fn lapsed(&self, wall: SystemTime) -> Vec<Arc<Suspension>> {
        if self.list.load().iter().all(|suspension| suspension.is_in_force(wall)) {
            return Vec::new();
        }
        let _one_change = self.book.lock().await;
        let list = self.list.load_full();
        let (left, lapsed): (Vec<_>, Vec<_>) =
            list.iter().cloned().partition(|suspension| suspension.is_in_force(wall));
        self.list.store(Arc::new(left));
        lapsed
    }
}

impl Shared {
    /// Makes due what suspensions kept that have ended by themselves.
    pub(in crate::queue) async fn resume_lapsed(&self) {
        let lapsed = self.suspensions.lapsed(self.clock.now_wall()).await;
        if lapsed.is_empty() {
            return;
        }
        for suspension in &lapsed {
            tracing::info!(number = suspension.number, "suspension has ended: {}", suspension.reason);
        }
        let numbers: Vec<u32> = lapsed.iter().map(|suspension| suspension.number).collect();
        self.make_due(&numbers).await;
    }
}
