//! One timer for all that a connection waits for.
//!
//! A message is a row of short waits, each with an end of its own that hardly ever comes. To set a timer for each would
//! cost more than the wait: the run time's driver is woken whenever a timer is set that is the first of all. So the
//! timer stands where it was set last, and is set anew only when it is too late for a wait, or went off too early.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer.
#[derive(Debug)]
pub(super) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// Nobody waits yet. Needs the run time.
    pub(super) fn new(first: Instant) -> Self {
        Self(Box::pin(sleep_until(first)))
    }

    /// Waits until then at most; `None` when the time is over.
    pub(super) async fn within<T>(&mut self, until: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if self.0.deadline() > until {
                self.0.as_mut().reset(until);
            }
            loop {
                ready!(self.0.as_mut().poll(context));
                if Instant::now() >= until {
                    return Poll::Ready(None);
                }
                self.0.as_mut().reset(until);
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time_whatever_the_one_before_was() {
        let start = Instant::now();
        let mut alarm = Alarm::new(start + 30 * SECOND);
        for (until, ends) in [(60, 60), (70, 70), (300, 300), (310, 310), (305, 310)] {
            assert_eq!(alarm.within(start + until * SECOND, pending::<()>()).await, None);
            assert_eq!(start.elapsed().as_secs(), ends, "until {until}");
        }
        // Set far away by a wait that was answered, it is in time for a shorter one.
        assert_eq!(alarm.within(start + 900 * SECOND, tokio::time::sleep(SECOND)).await, Some(()));
        assert_eq!(alarm.within(start + 320 * SECOND, pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 320);
        assert_eq!(alarm.within(start, async { 1 }).await, Some(1), "what is there is there");
    }
}
