//! Queue ids: the microsecond of their birth, never given twice (neither after a crash nor with a clock set
//! back), written as ten characters that sort as they were born.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use switchyard_daemon::clock::Clock;

use super::message::to_micros;

/// Names one queued message, in Received fields, replies, file names and every log line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(u64);

impl QueueId {
    pub(super) const ZERO: Self = Self(0);

    /// The last id there can be: the year 2500. A record with a higher one is damage, and must not drag the
    /// ids to come along with it.
    pub(super) const LAST: u64 = 16_725_225_600_000_000;

    pub(super) fn new(number: u64) -> Option<Self> {
        (number <= Self::LAST).then_some(Self(number))
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [DIGITS[0]; LENGTH];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = DIGITS[(rest % BASE) as usize];
            rest /= BASE;
        }
        text.iter().try_for_each(|digit| write!(formatter, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for QueueId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The text is no queue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a queue id: ten of the digits and consonants 0-9 B-Z b-z without l are wanted")]
pub struct BadQueueId;

impl FromStr for QueueId {
    type Err = BadQueueId;

    fn from_str(text: &str) -> Result<Self, BadQueueId> {
        if text.len() != LENGTH {
            return Err(BadQueueId);
        }
        let mut number = 0_u64;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|digit| *digit == byte).ok_or(BadQueueId)?;
            number = number * BASE + digit as u64;
        }
        Self::new(number).ok_or(BadQueueId)
    }
}

/// As Postfix's long ids: no vowels, so no words; and no `l`, which looks like `1`. In ASCII's order, so that
/// texts sort as numbers do.
const DIGITS: &[u8; 51] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjkmnpqrstvwxyz";
const BASE: u64 = DIGITS.len() as u64;
const LENGTH: usize = 10;

// ---------------------------------------------------------------------------------------------------------

/// Gives out ids: the time, or one more than the last if the clock did not move on.
#[derive(Debug)]
pub(super) struct Ids {
    last: AtomicU64,
    clock: Clock,
}

impl Ids {
    /// Goes on above `high_water`, the highest id that the disk knows.
    pub(super) fn after(high_water: u64, clock: Clock) -> Self {
        let now = micros_now(&clock);
        // With the clock set back, some ids above the disk's highest may have been given out and never
        // written; an hour's worth is left out, more than a process can have had open.
        let start = if now > high_water { high_water } else { high_water.saturating_add(AN_HOUR) };
        Self { last: AtomicU64::new(start.min(QueueId::LAST)), clock }
    }

    pub(super) fn next(&self) -> QueueId {
        let now = micros_now(&self.clock);
        let after = |last: u64| now.max(last + 1).min(QueueId::LAST);
        let mut last = self.last.load(Ordering::Relaxed);
        loop {
            match self.last.compare_exchange_weak(last, after(last), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return QueueId(after(last)),
                Err(other) => last = other,
            }
        }
    }

    /// The highest id given out so far.
    pub(super) fn high_water(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

const AN_HOUR: u64 = 3_600_000_000;

fn micros_now(clock: &Clock) -> u64 {
    u64::try_from(to_micros(clock.now_wall())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn text_reads_back_and_sorts_as_numbers() {
        let ids = [0, 1, 50, 51, 1_795_000_000_000_000, 1_795_000_000_000_001, QueueId::LAST].map(QueueId);
        let texts = ids.map(|id| id.to_string());
        assert!(texts.is_sorted());
        for (id, text) in ids.iter().zip(&texts) {
            assert_eq!((text.len(), text.parse()), (10, Ok(*id)));
        }
        for text in
            ["", "0", "00000000001", "000000000l", "000000000O", "zzzzzzzzzz", "../../../x", "00000000é"]
        {
            assert_eq!(text.parse::<QueueId>(), Err(BadQueueId), "{text}");
        }
    }

    #[test]
    fn h4_no_clock_makes_an_id_come_twice() {
        let start = UNIX_EPOCH + 20_000 * DAY;
        let (clock, hand) = Clock::twin(start);
        let ids = Ids::after(0, clock.clone());
        let mut given = vec![ids.next(), ids.next()];
        hand.set_wall(start - DAY);
        given.push(ids.next());
        hand.set_wall(start + 3650 * DAY);
        given.push(ids.next());
        hand.set_wall(start);
        given.push(ids.next());
        let again = Ids::after(given[3].number(), clock);
        given.push(again.next());
        assert!(given.windows(2).all(|pair| pair[0] < pair[1]), "{given:?}");
    }
}
