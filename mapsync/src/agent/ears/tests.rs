//! How a hub that is away is asked again, by a fleet whose clock is counted and not waited for.

use super::*;

/// When hosts ask in the time given, if each question fails.
fn asked(hosts: usize, time: Duration) -> Vec<Duration> {
    fastrand::seed(7);
    let mut asked = Vec::new();
    for _ in 0..hosts {
        let (mut now, mut failures) = (Duration::ZERO, 0);
        while now < time {
            asked.push(now);
            failures = (failures + 1).min(MAX_FAILURES);
            now += backoff(failures);
        }
    }
    asked
}

#[test]
fn a_hub_that_is_away_is_asked_less_and_less_and_by_no_crowd_at_once() {
    const HOSTS: usize = 1000;
    let hour = Duration::from_secs(3600);
    let asked = asked(HOSTS, hour);
    let within = |from: u64, to: u64| {
        let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
        asked.iter().filter(|at| (from..to).contains(*at)).count()
    };
    // Each begins with some questions in quick succession, and comes to one in fifteen seconds.
    let seconds: Vec<usize> = (0..3600).map(|second| within(second, second + 1)).collect();
    assert!((HOSTS..5 * HOSTS).contains(&seconds[0]), "{}", seconds[0]);
    assert!(within(1, 2) < seconds[0] && within(4, 8) < 4 * within(1, 2), "{seconds:?}");
    let late = &seconds[120..];
    assert!(late.iter().all(|count| *count < HOSTS / 8), "{:?}", late.iter().max());
    assert!(late.iter().sum::<usize>() > late.len() * HOSTS / 20, "it is asked still");
}

#[test]
fn nobody_waits_long_for_a_hub_that_is_back() {
    fastrand::seed(7);
    assert!((0..1000).all(|_| backoff(1) <= FIRST * 2));
    assert!((0..1000).all(|_| backoff(u32::MAX) <= LONGEST));
}
