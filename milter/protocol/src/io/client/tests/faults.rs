//! A place that is lost, and the place that takes over; no place at all; and filters that wear one down.

use super::*;
use crate::response::Action;

const POLICIES: [(WhenDown, Verdict); 4] = [
    (WhenDown::Tempfail, Verdict::Tempfail),
    (WhenDown::Accept, Verdict::GoOn),
    (WhenDown::Reject, Verdict::Reject),
    (WhenDown::Quarantine, Verdict::GoOn),
];

/// Short enough to wait for, and only ever waited for in full by a filter that never answers.
fn impatient(options: &mut FilterOptions) {
    let short = Duration::from_millis(100);
    options.times = Times { connect: short, envelope: short, content: short, end: short, ..options.times };
}

const STAGES: [Stage; 9] = [
    Stage::Connect,
    Stage::Helo,
    Stage::EnvFrom,
    Stage::EnvRcpt,
    Stage::Data,
    Stage::Header,
    Stage::Eoh,
    Stage::Body,
    Stage::Eom,
];

#[tokio::test]
async fn another_place_is_told_it_all_and_the_client_sees_one_answer() {
    for stage in STAGES {
        let (dies, lives) = (House::new(Fault::Dies(stage)), House::new(Fault::None));
        let (pool, registry) = pool(&[&dies, &lives], |_| ());
        let outcome = send(&mut Session::new(pool)).await;
        assert_eq!(
            outcome,
            Outcome { verdict: Verdict::GoOn, edits: house::edits(), by: By::Filter },
            "{stage}"
        );
        assert_eq!(lives.told(), ALL, "{stage}");
        assert_eq!(count(&registry, "switchyard_milter_failures_total", &["lost"]), 1);
        let replays = u64::from(stage > Stage::EnvFrom);
        assert_eq!(count(&registry, "switchyard_milter_replays_total", &["scan"]), replays, "{stage}");
    }
}

#[tokio::test]
async fn a_place_that_died_is_asked_last_for_a_while() {
    let (dies, lives) = (House::new(Fault::Dies(Stage::Connect)), House::new(Fault::None));
    let (pool, _) = pool(&[&dies, &lives], |_| ());
    for _ in 0..4 {
        assert_eq!(send(&mut Session::new(pool.clone())).await.edits, house::edits());
    }
    assert_eq!((dies.connections(), lives.connections()), (1, 4));
}

#[tokio::test]
async fn a_refusal_of_the_other_place_is_told_late_but_told() {
    let reject = Fault::Answers(Stage::EnvFrom, Action::Reject);
    let (dies, refuses) = (House::new(Fault::Dies(Stage::Eom)), House::new(reject));
    let (pool, _) = pool(&[&dies, &refuses], |_| ());
    assert_eq!(send(&mut Session::new(pool)).await.verdict, Verdict::Reject);
    // A recipient that was taken already cannot be refused any more: the message comes again.
    let reject = Fault::Answers(Stage::EnvRcpt, Action::Reject);
    let (dies, refuses) = (House::new(Fault::Dies(Stage::Eom)), House::new(reject));
    let (pool, _) = super::pool(&[&dies, &refuses], |_| ());
    assert_eq!(send(&mut Session::new(pool)).await.verdict, Verdict::Tempfail);
}

#[tokio::test]
async fn a_late_refusal_holds_for_all_that_follows_and_then_the_filter_is_asked_anew() {
    // Said of the session, by the place that takes over: nothing of it goes by unfiltered.
    let reject = Fault::Answers(Stage::Connect, Action::Reject);
    let (dies, refuses) = (House::new(Fault::Dies(Stage::EnvRcpt)), House::new(reject));
    let (pool, _) = pool(&[&dies, &refuses], |_| ());
    let mut session = Session::new(pool);
    assert_eq!(send(&mut session).await.verdict, Verdict::Reject);
    for event in envelope().into_iter().skip(2) {
        assert_eq!(session.tell(event).await.verdict, Verdict::Reject);
    }
    session.abort();
    assert_eq!(session.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::Reject);
    // Said of the message: the one behind it is asked about from its session's beginning.
    let reject = Fault::Answers(Stage::Data, Action::Reject);
    let (dies, refuses) = (House::new(Fault::Dies(Stage::Header)), House::new(reject));
    let (pool, _) = super::pool(&[&dies, &refuses], |_| ());
    let mut session = Session::new(pool);
    assert_eq!(send(&mut session).await.verdict, Verdict::Reject);
    assert_eq!(session.message(&mail()).await.verdict, Verdict::Reject);
    session.abort();
    assert_eq!(session.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::GoOn);
    let again = ["connect", "helo", "envfrom", "envrcpt", "data", "connect", "helo", "envfrom"];
    assert_eq!(refuses.told(), again);
}

/// Polls until the filter has heard something more, and no longer.
async fn cut_off(house: &House, work: impl Future<Output = Outcome>) {
    let before = house.told().len();
    let heard = async {
        while house.told().len() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        outcome = work => panic!("answered: {outcome:?}"),
        () = heard => {}
    }
}

#[tokio::test]
async fn an_answer_that_nobody_waited_for_is_nobody_elses() {
    let house = House::new(Fault::Stalls(Stage::EnvRcpt));
    let (pool, _) = pool(&[&house], |options| options.kept = 1);
    let mut session = Session::new(pool.clone());
    for event in &envelope()[..3] {
        assert_eq!(session.tell(event.clone()).await.verdict, Verdict::GoOn);
    }
    cut_off(&house, session.tell(envelope()[3].clone())).await;
    session.abort();
    // What comes is told over another connection, from the beginning.
    assert_eq!(session.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::GoOn);
    assert_eq!(house.connections(), 2);
    assert_eq!(house.told()[4..], ["connect", "helo", "envfrom"]);
}

#[tokio::test]
async fn an_answer_too_many_is_not_taken_for_the_next_one() {
    // Two answers to the end: the second would be the next client's.
    let house = House::new(Fault::Says(Stage::Eom, b"\0\0\0\x01c\0\0\0\x01r"));
    let (pool, registry) = pool(&[&house], |options| options.kept = 1);
    let mut session = Session::new(pool.clone());
    assert_eq!(send(&mut session).await.verdict, Verdict::GoOn);
    session.close();
    let mut session = Session::new(pool.clone());
    assert_eq!(send(&mut session).await.verdict, Verdict::GoOn);
    assert_eq!(house.connections(), 2);
    // The same client's next message finds it as well.
    let outcome = session.tell(Event::EnvFrom(Path::new("<>"))).await;
    assert_eq!((outcome.verdict, outcome.by), (Verdict::Tempfail, By::WhenDown));
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &["protocol"]), 1);
}

#[tokio::test]
async fn when_the_messages_time_is_over_no_place_is_blamed() {
    let (dawdles, other) = (House::new(Fault::Dawdles), House::new(Fault::None));
    let (pool, registry) = pool(&[&dawdles, &other], |options| {
        options.times.total = Duration::from_millis(300);
        options.times.shun = Duration::from_secs(3600);
    });
    let mut session = Session::new(pool.clone());
    assert_eq!(send(&mut session).await.by, By::WhenDown);
    assert_eq!(other.connections(), 0);
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &[]), 1);
    // In turn, as if nothing had been.
    for connections in [(1, 1), (2, 1)] {
        assert_eq!(Session::new(pool.clone()).tell(connect()).await.verdict, Verdict::GoOn);
        assert_eq!((dawdles.connections(), other.connections()), connections);
    }
}

#[tokio::test]
async fn a_recipient_that_we_refused_is_told_only_to_those_who_ask() {
    use crate::negotiate::Steps;
    let dies = House::wanting(Steps::REJECTED_RCPT, Fault::Dies(Stage::Eom));
    let lives = House::new(Fault::None);
    let (pool, _) = pool(&[&dies, &lives], |_| ());
    let mut chain = Chain::new([pool]);
    for event in &envelope()[..4] {
        chain.tell(event).await;
    }
    chain.set("rcpt_mailer", &"error".into());
    chain.tell_refused(&Event::EnvRcpt(Path::new("<nobody@d>"))).await;
    chain.unset("rcpt_mailer");
    let filtered = chain.message(&Bytes::new(), &Bytes::from_static(b"A: b\r\n\r\n")).await;
    assert_eq!(filtered.verdict, Verdict::GoOn);
    let recipients = |house: &House| house.told().iter().filter(|stage| **stage == "envrcpt").count();
    assert_eq!((recipients(&dies), recipients(&lives)), (2, 1));
}

#[tokio::test]
async fn m1_a_filter_that_dies_in_a_new_body_changes_nothing() {
    for (policy, verdict) in POLICIES {
        let house = House::new(Fault::Half);
        let (pool, _) = pool(&[&house], |options| options.when_down = policy);
        let outcome = send(&mut Session::new(pool)).await;
        assert_eq!((outcome.verdict, outcome.by), (verdict, By::WhenDown));
        let held = [Edit::Quarantine("filter scan is down".into())];
        let expected = if policy == WhenDown::Quarantine { &held[..] } else { &[] };
        assert_eq!(outcome.edits, expected);
    }
}

#[tokio::test]
async fn with_no_place_left_the_policy_holds_and_the_next_message_asks_again() {
    for (policy, verdict) in POLICIES {
        let house = House::new(Fault::Dies(Stage::EnvRcpt));
        let (pool, _) = pool(&[&house], |options| options.when_down = policy);
        let mut session = Session::new(pool);
        assert_eq!(send(&mut session).await.verdict, verdict);
        session.abort();
        assert_eq!(session.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::GoOn);
        assert_eq!(house.connections(), 2);
    }
}

#[tokio::test]
async fn nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = ClientMetrics::register(&Registry::new()).unwrap();
    let options = FilterOptions::new("gone", vec![Endpoint::Unix(folder.path().join("none"))]);
    let pool = Arc::new(Pool::new(options, metrics));
    let outcome = send(&mut Session::new(pool)).await;
    assert_eq!((outcome.verdict, outcome.by), (Verdict::Tempfail, By::WhenDown));
}

#[tokio::test]
async fn m2_m3_nonsense_gives_the_policy_and_is_not_asked_of_the_next() {
    for octets in [
        &b"\0\0\0\0"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\0\x01z",
        b"\0\0\0\x02cc",
        b"\0\0\0\x01d\0\0\0\x01c",
        b"\0\0\0\x0eO\0\0\0\x06\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\x05y550\0\0",
        b"\0\0\0\x10y550 no\r\n250 ok\0",
        b"\0\0\0\x06hX\0y\0\0",
    ] {
        let house = House::new(Fault::Says(Stage::Helo, octets));
        let other = House::new(Fault::None);
        let (pool, registry) = pool(&[&house, &other], |_| ());
        let outcome = send(&mut Session::new(pool)).await;
        let legal = octets.starts_with(b"\0\0\0\x05y550");
        if legal {
            // A code without a text is a reply; what follows it is the next answer, and wrong there.
            assert!(matches!(outcome.verdict, Verdict::Reply(_)), "{octets:?}");
            continue;
        }
        assert_eq!((outcome.verdict, outcome.by), (Verdict::Tempfail, By::WhenDown), "{octets:?}");
        assert_eq!(other.connections(), 0, "{octets:?}");
        assert_eq!(count(&registry, "switchyard_milter_failures_total", &["protocol"]), 1, "{octets:?}");
    }
}

#[tokio::test]
async fn m6_a_filter_that_stalls_anywhere_costs_its_time_and_no_more() {
    let faults = STAGES.into_iter().map(Fault::Stalls).chain([Fault::Mute]);
    for fault in faults {
        let house = House::new(fault.clone());
        let (pool, registry) = pool(&[&house], |options| {
            impatient(options);
            options.when_down = WhenDown::Accept;
        });
        let mut session = Session::new(pool);
        let outcome = send(&mut session).await;
        assert_eq!((&outcome.verdict, outcome.edits.len()), (&Verdict::GoOn, 0), "{fault:?}");
        assert!(count(&registry, "switchyard_milter_failures_total", &["timed_out"]) >= 1, "{fault:?}");
    }
}

#[tokio::test]
async fn m6_signs_of_life_do_not_go_on_for_ever() {
    let house = House::new(Fault::Dawdles);
    let (pool, registry) = pool(&[&house], |options| options.times.total = Duration::from_millis(500));
    let outcome = send(&mut Session::new(pool)).await;
    assert_eq!((outcome.verdict, outcome.by), (Verdict::Tempfail, By::WhenDown));
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &["timed_out"]), 1);
}

#[tokio::test]
async fn a_kept_connection_that_is_gone_is_made_anew() {
    let house = House::new(Fault::None);
    let (pool, registry) = pool(&[&house], |options| options.kept = 4);
    let mut session = Session::new(pool.clone());
    assert_eq!(send(&mut session).await.edits, house::edits());
    session.close();
    house.hang_up();
    let mut session = Session::new(pool);
    assert_eq!(send(&mut session).await.edits, house::edits());
    assert_eq!(house.connections(), 2);
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &[]), 0);
}
