//! What undoes a rollout.

use super::*;

#[test]
fn y14_a_host_that_will_not_have_it_undoes_it() {
    for state in [State::Refused, State::Returned] {
        let mut site = Site::new().at_canaries();
        let canary = site.a_canary();
        let progress = &mut site.host(&canary).progress;
        (progress.state, progress.reason) = (state, Some("a case fails".to_owned()));
        if state == State::Returned {
            progress.active = Some(before());
        }
        site.ends(End::Undone, "a case fails");
    }
    // One that is staged nowhere is not begun.
    let mut site = Site::new();
    site.host("mx4").progress.state = State::Refused;
    site.ends(End::Undone, "mx4 will not have it");
    assert_eq!(site.using(), 0);
}

#[test]
fn y14_dying_daemons_and_differing_answers_undo_it() {
    let mut site = Site::new().at_canaries();
    let canary = site.a_canary();
    site.host(&canary).counters.deaths += 1;
    site.host(&canary).nonce += 1;
    site.ends(End::Undone, "daemons died 1 times");
    let mut site = Site::new().at_canaries();
    site.host("mx4").counters.differing += 1;
    site.host("mx4").nonce += 1;
    site.ends(End::Undone, "differ on mx4");
    // What the set before it would have answered is told with the first word of this one.
    let mut site = Site::new();
    site.host("mx4").progress.staged = Some(before());
    site.hears();
    site.host("mx4").progress.staged = Some(target());
    site.host("mx4").counters.differing += 1;
    site.host("mx4").nonce += 1;
    let mut site = site.at_canaries();
    assert!(matches!(site.look(), Verdict::Hold(_)));
    site.host("mx4").counters.differing += 1;
    site.host("mx4").nonce += 1;
    site.ends(End::Undone, "differ on mx4");
    // What happened before, and elsewhere, is not blamed on it.
    let mut site = Site::new();
    site.host("mx1").counters.differing = 9;
    site.host("mx1").counters.deaths = 9;
    let mut site = site.at_canaries();
    let other = SITE.map(|(name, ..)| name).into_iter().find(|name| !drawn()[0].moves(name)).unwrap();
    site.host(other).counters.deaths += 1;
    site.host(other).nonce += 1;
    assert!(matches!(site.look(), Verdict::Hold(_)));
}

#[test]
fn y14_more_refused_put_off_or_bounced_mail_undoes_it() {
    type Spoil = fn(&mut Status, u64);
    let kinds: [(Spoil, &str); 3] = [
        (|status, n| status.counters.rejected += n, "refused"),
        (|status, n| status.counters.deferred += n, "put off"),
        (|status, n| status.counters.bounced += n, "bounced"),
    ];
    for (spoil, word) in kinds {
        let mut site = Site::new();
        for _ in 0..5 {
            site.passes(20);
            site.hears();
        }
        let mut site = site.at_canaries();
        for _ in 0..3 {
            site.passes(20);
            let canary = site.a_canary();
            spoil(site.host(&canary), 15);
            if !matches!(site.look(), Verdict::Hold(_)) {
                break;
            }
        }
        site.ends(End::Undone, word);
    }
    // The same share on both sides is the weather, and a few of a few are chance.
    let gates = Gates::default();
    let host = |is_new, taken, rejected| {
        let mail = watch::Mail { taken, rejected, ..watch::Mail::default() };
        let (old, new) = if is_new { (watch::Mail::default(), mail) } else { (mail, watch::Mail::default()) };
        let mut host = Watched::default();
        (host.old, host.new, host.is_new) = (old, new, is_new);
        host
    };
    let worse = |new: (u64, u64), old: (u64, u64)| {
        gates.worse([host(true, new.0, new.1), host(false, old.0, old.1)].iter()).is_some()
    };
    assert!(worse((500, 500), (990, 10)));
    assert!(!worse((500, 500), (500, 500)));
    assert!(!worse((10, 39), (1000, 0)), "too few to say");
    assert!(!worse((97, 3), (1000, 10)), "chance");
    assert!(!worse((995_000, 5000), (1_000_000, 0)), "within the margin");
    assert!(!worse((500, 500), (20, 0)), "nothing to compare it with");
    assert!(!worse((u64::MAX, u64::MAX), (u64::MAX, u64::MAX)));
}
