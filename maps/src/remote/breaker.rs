//! Leaves a server alone that does not reply. Reads no clock: the time is handed in.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::RemoteOptions;
use super::metrics::BreakerGauge;

/// Closed while requests are replied to; open after some in a row were not.
#[derive(Debug)]
pub(super) struct Breaker {
    limit: u32,
    pause: Duration,
    state: State,
    gauge: BreakerGauge,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { why: Arc<str>, until: Instant },
}

impl Breaker {
    pub(super) fn new(options: &RemoteOptions, gauge: BreakerGauge) -> Self {
        Self {
            limit: options.breaker_failures,
            // The one request that is let through has ended when the next may be.
            pause: options.breaker_pause.max(options.timeout),
            state: State::Closed { failures: 0 },
            gauge,
        }
    }

    /// Why it is open.
    pub(super) fn open(&self) -> Option<Arc<str>> {
        match &self.state {
            State::Closed { .. } => None,
            State::Open { why, .. } => Some(Arc::clone(why)),
        }
    }

    /// Why no request may be sent now.
    pub(super) fn refuses(&self, now: Instant) -> Option<Arc<str>> {
        match &self.state {
            State::Open { why, until } if now < *until => Some(Arc::clone(why)),
            State::Open { .. } | State::Closed { .. } => None,
        }
    }

    /// Takes leave to send a request: while it is open, one each pause.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Arc<str>> {
        if let Some(why) = self.refuses(now) {
            return Err(why);
        }
        if let State::Open { until, .. } = &mut self.state {
            *until = now + self.pause;
        }
        Ok(())
    }

    /// A request was replied to. True when that closed it.
    pub(super) fn succeeded(&mut self) -> bool {
        self.gauge.set(false);
        let before = std::mem::replace(&mut self.state, State::Closed { failures: 0 });
        matches!(before, State::Open { .. })
    }

    /// A request was not. True when that opened it.
    pub(super) fn failed(&mut self, now: Instant, reason: Arc<str>) -> bool {
        match &mut self.state {
            State::Closed { failures } => {
                *failures += 1;
                let opens = *failures >= self.limit;
                if opens {
                    self.gauge.set(true);
                    self.state = State::Open { why: reason, until: now + self.pause };
                }
                opens
            }
            State::Open { why, .. } => {
                *why = reason;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_lets_one_through_each_pause() {
        let options = RemoteOptions {
            timeout: Duration::from_secs(1),
            breaker_failures: 3,
            breaker_pause: Duration::from_secs(10),
            ..RemoteOptions::default()
        };
        let mut breaker = Breaker::new(&options, BreakerGauge::default());
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let fail = |breaker: &mut Breaker, seconds| breaker.failed(after(seconds), "gone".into());

        assert!(!fail(&mut breaker, 0) && !fail(&mut breaker, 0));
        assert!(!breaker.succeeded());
        assert!(!fail(&mut breaker, 0) && !fail(&mut breaker, 0) && breaker.open().is_none());
        assert!(fail(&mut breaker, 0));
        assert_eq!(breaker.open().as_deref(), Some("gone"));

        assert_eq!(breaker.admit(after(9)), Err("gone".into()));
        assert!(breaker.refuses(after(9)).is_some() && breaker.refuses(after(10)).is_none());
        assert_eq!(breaker.admit(after(10)), Ok(()));
        // Its end decides; until then no other is sent.
        assert!(breaker.refuses(after(10)).is_some() && breaker.admit(after(19)).is_err());
        assert!(!fail(&mut breaker, 11) && breaker.admit(after(19)).is_err());
        assert_eq!(breaker.admit(after(20)), Ok(()));
        assert!(breaker.succeeded() && breaker.open().is_none() && breaker.admit(after(20)).is_ok());
    }
}
