//! The time, handed in: the system's clock, or a twin that a test moves by hand.
//!
//! Two readings are told apart on purpose. Deadlines and ages are measured on the monotonic one, which no
//! administrator can set back; dates in headers and in the log come from the wall.

use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

/// A source of time. Cheap to clone; every clone of a twin moves together.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Twin(watch::Receiver<Reading>),
}

/// What a twin shows.
#[derive(Debug, Clone, Copy)]
struct Reading {
    monotonic: Instant,
    wall: SystemTime,
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `wall` until its [`Hand`] moves it.
    #[must_use]
    pub fn twin(wall: SystemTime) -> (Self, Hand) {
        let (hand, face) = watch::channel(Reading { monotonic: Instant::now(), wall });
        (Self(Source::Twin(face)), Hand(hand))
    }

    /// Time for measuring: never goes back, means nothing outside this process.
    #[must_use]
    pub fn now_monotonic(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            Source::Twin(face) => face.borrow().monotonic,
        }
    }

    /// Time for people and for the disk: may jump when somebody sets it.
    #[must_use]
    pub fn now_wall(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Twin(face) => face.borrow().wall,
        }
    }

    /// Waits until the monotonic time has come; at once if it has passed. Safe to drop at any point.
    pub async fn sleep_until(&self, when: Instant) {
        match &self.0 {
            Source::System => tokio::time::sleep_until(when.into()).await,
            Source::Twin(face) => {
                let mut face = face.clone();
                if face.wait_for(|reading| reading.monotonic >= when).await.is_err() {
                    // The hand is gone, so this time never comes.
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// Waits for `time` from now on.
    pub async fn sleep(&self, time: Duration) {
        match self.now_monotonic().checked_add(time) {
            Some(when) => self.sleep_until(when).await,
            None => std::future::pending().await,
        }
    }
}

/// Moves a twin clock.
#[derive(Debug)]
pub struct Hand(watch::Sender<Reading>);

impl Hand {
    /// Lets `time` pass, on both readings; wakes whoever sleeps until then.
    pub fn advance(&self, time: Duration) {
        self.0.send_modify(|reading| {
            reading.monotonic += time;
            reading.wall += time;
        });
    }

    /// Sets the wall time, as an administrator or NTP would; the monotonic time does not move.
    pub fn set_wall(&self, wall: SystemTime) {
        self.0.send_modify(|reading| reading.wall = wall);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use futures_util::FutureExt;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_twin_moves_only_by_hand() {
        let (clock, hand) = Clock::twin(UNIX_EPOCH);
        let copy = clock.clone();
        let start = clock.now_monotonic();
        assert_eq!((copy.now_monotonic(), copy.now_wall()), (start, UNIX_EPOCH));

        hand.advance(HOUR);
        assert_eq!((copy.now_monotonic(), copy.now_wall()), (start + HOUR, UNIX_EPOCH + HOUR));

        hand.set_wall(UNIX_EPOCH);
        assert_eq!((copy.now_monotonic(), copy.now_wall()), (start + HOUR, UNIX_EPOCH));
    }

    #[test]
    fn a_sleeper_wakes_when_its_time_has_come_and_not_before() {
        let (clock, hand) = Clock::twin(UNIX_EPOCH);
        let mut sleeper = Box::pin(clock.sleep(2 * HOUR));
        assert!(sleeper.as_mut().now_or_never().is_none());
        hand.advance(HOUR);
        assert!(sleeper.as_mut().now_or_never().is_none());
        hand.set_wall(UNIX_EPOCH + 9 * HOUR);
        assert!(sleeper.as_mut().now_or_never().is_none(), "the wall wakes nobody");
        hand.advance(HOUR);
        assert!(sleeper.as_mut().now_or_never().is_some());
        assert!(clock.sleep_until(clock.now_monotonic()).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_system_clock_sleeps_in_the_run_time() {
        let before = tokio::time::Instant::now();
        Clock::system().sleep(HOUR).await;
        assert!(before.elapsed() >= HOUR);
    }
}
