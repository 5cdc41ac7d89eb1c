//! Which router a message is offered to: the one with the least in hand, of those that answer.
//!
//! A router that failed is left alone for a while; then one message is let through to it (half open), and what
//! becomes of that decides for the rest. With no router left the client keeps its mail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// With no router left, one message a second finds out whether one is back.
const PAUSE_WITHOUT_OTHERS: Duration = Duration::from_secs(1);

/// The routers by their place in the settings, and what is known of each.
#[derive(Debug)]
pub(crate) struct Routers {
    states: Vec<RouterState>,
    retry_dead_after: Duration,
    /// Where the search begins, so that equals take turns.
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct RouterState {
    in_hand: AtomicUsize,
    health: Mutex<Health>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Health {
    #[default]
    Answers,
    Dead {
        since: Instant,
    },
    /// One message is on its way to a router that was dead.
    Probing,
}

impl Routers {
    pub(crate) fn new(count: usize, retry_dead_after: Duration) -> Self {
        let states = std::iter::repeat_with(RouterState::default).take(count).collect();
        Self { states, retry_dead_after, turn: AtomicUsize::new(0) }
    }

    /// A router to try, and the right to say what became of it; none when each has been tried or is dead.
    pub(crate) fn choose(&self, tried: &[usize], now: Instant) -> Option<Choice<'_>> {
        let count = self.states.len();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut candidates: Vec<usize> = (0..count)
            .map(|step| (turn % count.max(1) + step) % count)
            .filter(|index| !tried.contains(index))
            .collect();
        // Stable: equals stay in the order of their turn.
        candidates.sort_by_key(|index| self.states[*index].in_hand.load(Ordering::Relaxed));
        candidates.into_iter().find_map(|index| self.take(index, now))
    }

    /// That router and no other, unless it is dead.
    pub(crate) fn take(&self, index: usize, now: Instant) -> Option<Choice<'_>> {
        let state = self.states.get(index)?;
        let pause = self.pause();
        let mut health = state.health.lock().unwrap_or_else(PoisonError::into_inner);
        match *health {
            Health::Answers => {}
            Health::Dead { since } if since + pause <= now => *health = Health::Probing,
            Health::Dead { .. } | Health::Probing => return None,
        }
        let probes = *health == Health::Probing;
        state.in_hand.fetch_add(1, Ordering::Relaxed);
        Some(Choice { routers: self, index, probes, now })
    }

    /// How long a dead router is left alone: not for long when there is no other to take the mail.
    fn pause(&self) -> Duration {
        let answers = |state: &RouterState| {
            *state.health.lock().unwrap_or_else(PoisonError::into_inner) == Health::Answers
        };
        if self.states.iter().any(answers) {
            self.retry_dead_after
        } else {
            self.retry_dead_after.min(PAUSE_WITHOUT_OTHERS)
        }
    }

    /// True when some router answers, or may be tried again by now.
    pub(crate) fn may_answer(&self, now: Instant) -> bool {
        let pause = self.pause();
        self.states.iter().any(|state| match *state.health.lock().unwrap_or_else(PoisonError::into_inner) {
            Health::Answers => true,
            Health::Dead { since } => since + pause <= now,
            Health::Probing => false,
        })
    }

    /// Routers that are not known to answer, by their place in the settings.
    pub(crate) fn dead(&self) -> impl Iterator<Item = usize> {
        self.states.iter().enumerate().filter_map(|(index, state)| {
            let health = *state.health.lock().unwrap_or_else(PoisonError::into_inner);
            (health != Health::Answers).then_some(index)
        })
    }
}

/// A router in use by one hand-over. Dropping it without a word leaves its health as it was.
#[derive(Debug)]
#[must_use]
pub(crate) struct Choice<'a> {
    routers: &'a Routers,
    index: usize,
    probes: bool,
    now: Instant,
}

/// What a word about a router changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing.
    None,
    /// It was thought to answer, and does not.
    Died,
    /// It answers again.
    Revived,
}

impl Choice<'_> {
    /// Its place in the settings.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The router has answered, whatever it said.
    pub(crate) fn answers(&mut self) -> Change {
        self.probes = false;
        match self.put(Health::Answers) {
            Health::Answers => Change::None,
            Health::Dead { .. } | Health::Probing => Change::Revived,
        }
    }

    /// The router could not be reached, or went silent.
    pub(crate) fn died(&mut self, now: Instant) -> Change {
        self.probes = false;
        match self.put(Health::Dead { since: now }) {
            Health::Answers => Change::Died,
            Health::Dead { .. } | Health::Probing => Change::None,
        }
    }

    fn state(&self) -> &RouterState {
        &self.routers.states[self.index]
    }

    fn put(&self, health: Health) -> Health {
        let mut held = self.state().health.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, health)
    }
}

impl Drop for Choice<'_> {
    fn drop(&mut self) {
        self.state().in_hand.fetch_sub(1, Ordering::Relaxed);
        if self.probes {
            // Nothing was found out: the next one may look.
            let since = self.now.checked_sub(self.routers.retry_dead_after).unwrap_or(self.now);
            self.put(Health::Dead { since });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn equals_take_turns_and_the_busier_waits() {
        let (routers, now) = (Routers::new(3, PAUSE), Instant::now());
        let turns: Vec<_> = (0..3).map(|_| routers.choose(&[], now).unwrap().index()).collect();
        assert_eq!(turns, [0, 1, 2]);
        let busy = routers.choose(&[], now).unwrap();
        assert_eq!(busy.index(), 0);
        for _ in 0..4 {
            assert_ne!(routers.choose(&[], now).unwrap().index(), 0);
        }
        drop(busy);
        assert!((0..3).any(|_| routers.choose(&[], now).unwrap().index() == 0));
        assert_eq!(routers.choose(&[0, 2], now).unwrap().index(), 1);
        assert!(routers.choose(&[0, 1, 2], now).is_none());
    }

    #[test]
    fn a_dead_router_is_left_alone_for_longer_while_others_answer() {
        let (routers, now) = (Routers::new(2, PAUSE), Instant::now());
        let mut first = routers.take(0, now).unwrap();
        assert_eq!(first.died(now), Change::Died);
        let soon = now + PAUSE_WITHOUT_OTHERS;
        assert!(routers.take(0, soon).is_none() && routers.take(0, now + PAUSE).is_some());
        assert_eq!(first.died(now), Change::None);
        assert_eq!(routers.take(1, now).unwrap().died(now), Change::Died);
        assert!(routers.choose(&[], now).is_none() && routers.choose(&[], soon).is_some());
    }

    #[test]
    fn a_dead_router_is_probed_by_one() {
        let (routers, now) = (Routers::new(1, PAUSE_WITHOUT_OTHERS), Instant::now());
        let mut first = routers.choose(&[], now).unwrap();
        let mut second = routers.choose(&[], now).unwrap();
        assert_eq!(first.died(now), Change::Died);
        assert_eq!(second.died(now), Change::None);
        assert!(routers.choose(&[], now).is_none() && !routers.may_answer(now));
        assert_eq!(routers.dead().collect::<Vec<_>>(), [0]);

        let later = now + PAUSE_WITHOUT_OTHERS;
        assert!(routers.may_answer(later));
        let probe = routers.choose(&[], later).unwrap();
        assert!(routers.choose(&[], later).is_none(), "one is enough to find out");
        drop(probe);
        let mut probe = routers.choose(&[], later).unwrap();
        assert_eq!(probe.died(later), Change::None, "still dead");
        assert!(routers.choose(&[], later).is_none());

        let mut probe = routers.choose(&[], later + PAUSE_WITHOUT_OTHERS).unwrap();
        assert_eq!(probe.answers(), Change::Revived);
        assert!(routers.choose(&[], later + PAUSE_WITHOUT_OTHERS).is_some());
        assert_eq!(routers.dead().count(), 0);
    }

    #[test]
    fn without_routers_there_is_no_choice() {
        let (routers, now) = (Routers::new(0, PAUSE), Instant::now());
        assert!(routers.choose(&[], now).is_none() && !routers.may_answer(now));
    }
}
