//! Connections are bounded: who waits, for how long, and who gives way.

use super::*;

/// One connection, and so many that may wait for it.
fn narrow(house: &House, waiting: usize, connect: Duration) -> (Arc<Pool>, Registry) {
    pool(&[house], |options| {
        (options.connections, options.waiting, options.kept) = (1, waiting, 1);
        options.times.connect = connect;
    })
}

const LONG: Duration = Duration::from_secs(3600);

fn full(registry: &Registry) -> u64 {
    count(registry, "switchyard_milter_failures_total", &["full"])
}

/// From connect to the first recipient: the session needs its connection.
async fn begun(pool: &Arc<Pool>) -> Session {
    let mut session = Session::new(pool.clone());
    for event in envelope().into_iter().take(4) {
        assert_eq!(session.tell(event).await.verdict, Verdict::GoOn);
    }
    session
}

#[tokio::test]
async fn one_too_many_has_the_setting_at_once_and_one_that_waits_after_its_time() {
    let house = House::new(Fault::None);
    for (waiting, connect) in [(0, LONG), (1, Duration::from_millis(50))] {
        let (pool, registry) = narrow(&house, waiting, connect);
        let _busy = begun(&pool).await;
        let outcome = send(&mut Session::new(pool)).await;
        assert_eq!((outcome.verdict, outcome.by), (Verdict::Tempfail, By::WhenDown));
        assert_eq!(full(&registry), 1);
    }
    assert_eq!(house.connections(), 2);
}

#[tokio::test]
async fn a_message_waits_for_the_one_before_it() {
    let house = House::new(Fault::None);
    let (pool, registry) = narrow(&house, 1, LONG);
    let mut busy = begun(&pool).await;
    let next = tokio::spawn({
        let pool = pool.clone();
        async move { send(&mut Session::new(pool)).await }
    });
    while !pool.is_wanted() {
        tokio::task::yield_now().await;
    }
    assert_eq!(busy.message(&mail()).await.edits, house::edits());
    assert_eq!(next.await.unwrap().edits, house::edits());
    // The one that gave way asks over another connection, which is told again whose it is.
    assert_eq!(busy.tell(Event::EnvFrom(Path::new("<>"))).await.verdict, Verdict::GoOn);
    assert_eq!((house.connections(), full(&registry)), (3, 0));
    assert!(house.told().ends_with(&["connect", "helo", "envfrom"]), "{:?}", house.told());
}

#[tokio::test]
async fn m9_who_only_holds_a_session_open_holds_up_nobody() {
    let house = House::new(Fault::None);
    let (pool, registry) = narrow(&house, 1, LONG);
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut session = Session::new(pool.clone());
        assert_eq!(session.tell(connect()).await.verdict, Verdict::GoOn);
        idle.push(session);
    }
    // A session that ended leaves its connection to the next; that one gives way, too.
    idle.pop().unwrap().close();
    for session in &mut idle {
        for event in envelope().into_iter().skip(1) {
            assert_eq!(session.tell(event).await.verdict, Verdict::GoOn);
        }
        assert_eq!(session.message(&mail()).await.edits, house::edits());
    }
    assert_eq!(full(&registry), 0);
}

#[tokio::test]
async fn m9_sessions_from_before_a_change_count_within_the_new_bound() {
    let house = House::new(Fault::None);
    let (old, registry) = pool(&[&house], |options| (options.connections, options.waiting) = (2, 0));
    let (one, two) = (begun(&old).await, begun(&old).await);
    // No room for a third, and for none that begins under a smaller bound.
    let new = Arc::new(old.renewed(FilterOptions { connections: 1, ..old.options().clone() }));
    assert_eq!(send(&mut Session::new(new.clone())).await.by, By::WhenDown);
    drop(one);
    assert_eq!(send(&mut Session::new(new.clone())).await.by, By::WhenDown);
    drop(two);
    assert_eq!(send(&mut Session::new(new.clone())).await.by, By::Filter);
    // A larger bound gives what the one before still owed, and what is more.
    let (three, wide) = (begun(&new).await, FilterOptions { connections: 3, ..old.options().clone() });
    let newest = Arc::new(new.renewed(wide));
    let (four, five) = (begun(&newest).await, begun(&newest).await);
    assert_eq!(send(&mut Session::new(newest.clone())).await.by, By::WhenDown);
    // One that began under the first settings has its place by the newest bound.
    drop((three, four));
    assert_eq!(send(&mut Session::new(old)).await.by, By::Filter);
    drop(five);
    assert_eq!(full(&registry), 3);
}

#[tokio::test]
async fn m9_who_waits_under_a_smaller_bound_waits_for_nobody_who_only_holds_a_session_open() {
    let house = House::new(Fault::None);
    let (old, registry) = narrow(&house, 3, LONG);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut session = Session::new(old.clone());
        assert_eq!(session.tell(connect()).await.verdict, Verdict::GoOn);
        open.push(session);
    }
    let new = Arc::new(old.renewed(FilterOptions { connections: 1, ..old.options().clone() }));
    assert_eq!(send(&mut Session::new(new)).await.by, By::Filter);
    assert_eq!(full(&registry), 0);
}

#[tokio::test]
async fn what_was_kept_under_other_settings_serves_nobody_by_these() {
    let (here, there) = (House::new(Fault::None), House::new(Fault::None));
    let (old, _) = pool(&[&here], |options| (options.connections, options.kept) = (1, 1));
    let mut before = Session::new(old.clone());
    assert_eq!(send(&mut before).await.by, By::Filter);
    before.close();
    let options = FilterOptions { places: vec![there.endpoint()], ..old.options().clone() };
    // Settings that nobody comes to ask by change nothing.
    drop(old.renewed(options.clone()));
    let mut still = Session::new(old.clone());
    assert_eq!(send(&mut still).await.by, By::Filter);
    still.close();
    assert_eq!((here.connections(), there.connections()), (1, 0));
    let new = Arc::new(old.renewed(options));
    assert_eq!(send(&mut Session::new(new)).await.by, By::Filter);
    assert_eq!((here.connections(), there.connections()), (1, 1));
}
