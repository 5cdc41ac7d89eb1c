//! Rollouts that a hub drives; hosts speak by hand, and the clock goes by hand.

use std::cell::Cell;
use std::time::SystemTime;

use switchyard_daemon::clock::{Clock, Hand};
use switchyard_daemon::drain::Drain;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::draw;
use switchyard_mapsync_protocol::root::Root;
use switchyard_mapsync_protocol::status::{Progress, State, Status};

use super::*;
use crate::hub::board::turn::Waits;
use crate::hub::testing::{hub, status};
use crate::testing::{PUSH, RELEASE, ROOT, head, live, root, signed};

const HOSTS: [&str; 2] = ["mx1", "mx2"];

/// A hub with generation 1 and the plan of its rollout: mx1, then both.
struct Bench {
    shared: Shared,
    hand: Hand,
    plan: Plan,
    said: Cell<u64>,
    _folder: tempfile::TempDir,
}

fn plan(first: u64, head: HeadRef) -> Plan {
    let first = Release {
        environment: live(),
        sequence: first,
        generation: head.generation,
        head: head.hash,
        permille: 0,
        canaries: vec!["mx1".to_owned()],
        halted: false,
        undo: false,
        expires: Timestamp(u64::MAX),
    };
    // The shares between the first and all would move one of the two, or none.
    let drawn = draw(&first, &["mx1"]);
    assert_eq!(drawn.len(), 4);
    let root: Root = Signed::from_json(&signed(&root(1, PUSH), &[ROOT])).unwrap().read().unwrap();
    let sign = |release: Release| Signed::from_json(&signed(&release, &[RELEASE])).unwrap();
    Plan::new(drawn.into_iter().map(sign).collect(), &root).unwrap()
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::twin(SystemTime::UNIX_EPOCH + Duration::from_secs(100));
        let shared = hub(folder.path(), &signed(&root(1, PUSH), &[ROOT]), clock, Drain::new());
        let board = Arc::clone(&shared.boards["live"]);
        let octets = signed(&head(1, None, &[]), &[PUSH]);
        let at = HeadRef { generation: 1, hash: Signed::from_json(&octets).unwrap().hash() };
        push(&shared, &board, Brought::Head(octets.into(), 0)).await.unwrap();
        let plan = plan(1, at);
        let bench = Self { shared, hand, plan, said: Cell::new(0), _folder: folder };
        bench.bring(&bench.plan).await.unwrap();
        bench
    }

    fn board(&self) -> &Arc<Board> {
        &self.shared.boards["live"]
    }

    async fn bring(&self, plan: &Plan) -> Result<bool, NotKept> {
        let brought = Brought::Plan(plan.to_json().unwrap().into());
        push(&self.shared, self.board(), brought).await.map(|kept| kept.is_new)
    }

    /// Both hosts say where they are with generation 1.
    fn say(&self, [one, two]: [State; 2]) {
        self.said.set(self.said.get() + 1);
        for (host, state) in HOSTS.into_iter().zip([one, two]) {
            let target = Some(self.plan.names());
            let active = target.filter(|_| state == State::Settled);
            let progress = Progress { wanted: target, staged: target, active, state, ..Progress::default() };
            let word =
                Status { nonce: self.said.get(), at: Timestamp(self.said.get()), progress, ..status(host) };
            self.board().fleet.hear(word, self.shared.clock.now_monotonic()).unwrap();
        }
    }

    fn driver(&self) -> Driver<'_> {
        let began = self.shared.clock.now_monotonic();
        let rollout = Rollout::new(self.plan.clone(), gates(&self.shared, &self.plan), Duration::ZERO);
        let standing = Standing {
            plan: self.plan.last(),
            generation: 1,
            step: 0,
            steps: self.plan.steps(),
            state: Course::Goes,
            held: false,
            why: String::new(),
            since: None,
        };
        let (shared, board) = (&self.shared, self.board());
        Driver { shared, board, rollout, standing, ended_because: None, began }
    }

    fn newest(&self) -> u64 {
        self.board().watch().borrow().number(Kind::Release)
    }
}

/// A minute in which both hosts go on to say the same.
async fn a_minute(bench: &Bench, driver: &mut Driver<'_>, states: [State; 2]) -> bool {
    let mut goes = true;
    for _ in 0..3 {
        bench.hand.advance(Duration::from_secs(20));
        bench.say(states);
        goes = driver.look().await;
    }
    goes
}

#[tokio::test]
async fn a_step_follows_the_one_before_when_its_hosts_have_been_well() {
    let bench = Bench::new().await;
    let mut driver = bench.driver();
    bench.say([State::Staged; 2]);
    assert!(driver.look().await);
    assert_eq!(bench.newest(), 0, "who has not spoken yet may still");
    assert!(a_minute(&bench, &mut driver, [State::Staged; 2]).await);
    assert_eq!(bench.newest(), 1);
    bench.say([State::Settled, State::Staged]);
    assert!(driver.look().await);
    assert_eq!((bench.newest(), driver.standing.step), (1, 1));
    assert!(a_minute(&bench, &mut driver, [State::Settled, State::Staged]).await);
    assert_eq!(bench.newest(), 2);
    bench.say([State::Settled; 2]);
    assert!(driver.look().await);
    assert!(!a_minute(&bench, &mut driver, [State::Settled; 2]).await);
    let standing = bench.board().standing.borrow().clone().unwrap();
    assert_eq!((standing.state, standing.step, standing.steps), (Course::Complete, 2, 2));
    assert_eq!(bench.newest(), 2);
}

#[tokio::test]
async fn in_a_hurry_the_same_steps_bake_for_a_third_of_the_time() {
    let mut bench = Bench::new().await;
    bench.plan = plan(5, bench.plan.names()).with_express(true);
    assert!(bench.bring(&bench.plan).await.unwrap());
    let shown = bench.board().watch().borrow().planned().unwrap();
    assert!(shown.is_express(), "another hub that takes it over knows it as well");
    let mut driver = bench.driver();
    bench.hand.advance(Duration::from_secs(15));
    bench.say([State::Staged; 2]);
    assert!(driver.look().await);
    bench.say([State::Settled, State::Staged]);
    assert!(driver.look().await);
    bench.hand.advance(Duration::from_secs(14));
    assert!(driver.look().await);
    assert_eq!((bench.newest(), driver.standing.why.as_str()), (5, "all is well; 6 s to go"));
    bench.hand.advance(Duration::from_secs(6));
    bench.say([State::Settled, State::Staged]);
    assert!(driver.look().await);
    assert_eq!(bench.newest(), 6);
    // What spoils it undoes it as ever.
    bench.say([State::Settled, State::Refused]);
    assert!(driver.look().await);
    assert!(bench.board().watch().borrow().released().unwrap().undo);
}

#[tokio::test]
async fn who_refuses_it_undoes_it_before_anybody_moved() {
    let bench = Bench::new().await;
    let mut driver = bench.driver();
    bench.say([State::Staged, State::Refused]);
    assert!(driver.look().await);
    let release = bench.board().watch().borrow().released().unwrap();
    assert!(release.undo && release.sequence == 4, "{release:?}");
    assert!(!driver.look().await);
    let standing = bench.board().standing.borrow().clone().unwrap();
    assert_eq!((standing.state, standing.step), (Course::Undone, 0));
    assert!(standing.why.starts_with("mx2 will not have it"), "{}", standing.why);
}

#[tokio::test]
async fn silence_holds_and_then_halts() {
    let bench = Bench::new().await;
    let mut driver = bench.driver();
    bench.say([State::Staged; 2]);
    a_minute(&bench, &mut driver, [State::Staged; 2]).await;
    assert_eq!(bench.newest(), 1);
    driver.look().await;
    bench.hand.advance(Duration::from_secs(800));
    assert!(driver.look().await);
    assert_eq!((bench.newest(), driver.standing.why.as_str()), (1, "no word of mx1"));
    bench.hand.advance(Duration::from_secs(200));
    assert!(driver.look().await);
    let release = bench.board().watch().borrow().released().unwrap();
    assert!(release.halted && !release.undo, "{release:?}");
    assert!(!driver.look().await);
    assert_eq!(driver.standing.state, Course::Halted);
}

#[tokio::test]
async fn another_hub_goes_on_where_one_stopped_and_an_admin_overtakes_both() {
    let bench = Bench::new().await;
    let mut first = bench.driver();
    bench.say([State::Staged; 2]);
    a_minute(&bench, &mut first, [State::Staged; 2]).await;
    assert_eq!(bench.newest(), 1);
    let mut second = bench.driver();
    bench.say([State::Settled, State::Staged]);
    assert!(second.look().await);
    a_minute(&bench, &mut second, [State::Settled, State::Staged]).await;
    assert_eq!(bench.newest(), 1, "it hears all hosts first, and bakes the step anew");
    a_minute(&bench, &mut second, [State::Settled, State::Staged]).await;
    assert_eq!(bench.newest(), 2);
    first.look().await;
    assert_eq!(first.standing.step, 2, "who was slower goes on from there");

    // With a number that the plan has, too.
    let own = Release { sequence: 3, ..bench.plan.step(1).unwrap().clone() };
    push(&bench.shared, bench.board(), Brought::Release(signed(&own, &[RELEASE]).into())).await.unwrap();
    assert!(!first.look().await);
    assert!(!second.look().await);
    assert_eq!((first.standing.state, second.standing.state), (Course::Overtaken, Course::Overtaken));
}

#[tokio::test]
async fn a_plan_is_taken_once_and_only_for_what_is_newest() {
    let bench = Bench::new().await;
    assert!(!bench.bring(&bench.plan).await.unwrap(), "it is here");
    let at = bench.plan.names();
    let late = bench.bring(&plan(4, at)).await;
    assert!(matches!(late, Err(NotKept::OldPlan { first: 4, newest: 4 })), "{late:?}");
    let other = HeadRef { generation: 2, ..at };
    assert!(matches!(bench.bring(&plan(5, other)).await, Err(NotKept::OtherPlan)));
    assert!(bench.bring(&plan(5, at)).await.unwrap());
    let brought = Brought::Plan(Bytes::from_static(b"{}"));
    assert!(matches!(push(&bench.shared, bench.board(), brought).await, Err(NotKept::Plan(_))));
    assert_eq!(bench.board().watch().borrow().number(Kind::Plan), 8);
}

#[tokio::test]
async fn what_one_hub_has_of_a_rollout_another_hears() {
    let (bench, other) = (Bench::new().await, tempfile::tempdir().unwrap());
    let root = signed(&root(1, PUSH), &[ROOT]);
    let other = hub(other.path(), &root, bench.shared.clock.clone(), Drain::new());
    let own = bench.board().turn().await.own().unwrap();
    let mut turn = other.boards["live"].turn().await;
    assert_eq!(turn.hear(&own, None, Waits::default(), Timestamp(100)).unwrap().refused, 0);
    turn.show(None).unwrap();
    assert_eq!(other.boards["live"].watch().borrow().planned().unwrap(), bench.plan);
    // An older one that comes late changes nothing.
    bench.bring(&plan(5, bench.plan.names())).await.unwrap();
    let newer = bench.board().turn().await.own().unwrap();
    turn.hear(&newer, None, Waits::default(), Timestamp(100)).unwrap();
    turn.hear(&own, None, Waits::default(), Timestamp(100)).unwrap();
    turn.show(None).unwrap();
    assert_eq!(other.boards["live"].watch().borrow().number(Kind::Plan), 8);
}

#[tokio::test]
async fn what_has_ended_is_not_driven_again_after_a_restart() {
    let bench = Bench::new().await;
    let shown = bench.board().watch().borrow().clone();
    let notice = shown.plan.clone().unwrap();
    bench.board().end(notice.hash).unwrap();
    let now = bench.shared.clock.now_monotonic();
    driven(&bench.shared, bench.board(), &shown, &notice, now).await.unwrap();
    let standing = bench.board().standing.borrow().clone().unwrap();
    assert_eq!((standing.plan, standing.state), (4, Course::Complete));
    let at = |newest| ended_by(&bench.plan, newest);
    assert_eq!([at(2), at(3), at(4), at(5)], [End::Complete, End::Halted, End::Undone, End::Overtaken]);
}
