//! Several hubs that all take pushes: whichever of them dies, and whichever member of etcd, pushing and reading go on.

use std::thread;
use std::time::Instant;

use switchyard_tests::expect;

use super::cluster::{Cluster, FOLLOWER};

#[test]
fn hubs_on_etcd_agree_and_any_one_of_them_may_die() {
    let mut cluster = Cluster::new();
    cluster.write_site("one", "new1");
    let told = cluster.push(Some(0), "one");
    assert_eq!(told.code, Some(0), "{told:?}");
    (0..=FOLLOWER).for_each(|hub| cluster.shows(hub, 1));

    // Of two pushes at once, at two hubs, one wins.
    cluster.write_site("one", "new2");
    cluster.write_site("other", "new3");
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| cluster.push(Some(0), "one"));
        let other = scope.spawn(|| cluster.push(Some(1), "other"));
        (one.join().expect("told"), other.join().expect("told"))
    });
    let codes = [one.code, other.code];
    // One that looked after the other was done would have followed it; both have looked before.
    assert!(codes.contains(&Some(0)), "{one:?} {other:?}");
    let newest = if codes == [Some(0); 2] { 3 } else { 2 };
    (0..=FOLLOWER).for_each(|hub| cluster.shows(hub, newest));

    // A hub dies: the next one takes the push, and those that are left have its files.
    cluster.kill_hub(0);
    cluster.write_site("one", "new4");
    let told = cluster.push(None, "one");
    assert_eq!(told.code, Some(0), "{told:?}");
    (1..=FOLLOWER).for_each(|hub| cluster.shows(hub, newest + 1));

    // etcd's leader dies: reading goes on at once, and pushing when the others have chosen.
    cluster.etcd.kill_leader();
    cluster.shows(2, newest + 1);
    cluster.write_site("one", "new5");
    let start = Instant::now();
    // On a busy machine they may take longer to choose than a push waits; then it is brought again as it was signed.
    expect::holds("a push to be taken", || cluster.push(Some(2), "one").code == Some(0));
    println!("pushed {:.1?} after the leader's death", start.elapsed());

    // The dead hub comes back, and comes to what the others have, files and all.
    cluster.start_hub(0);
    (0..=FOLLOWER).for_each(|hub| cluster.shows(hub, newest + 2));
    let told = cluster.admin(Some(0), &["rollback", "1"]);
    assert!(told.data.contains(&format!("generation {} says what 1 said", newest + 3)), "{told:?}");
    (0..=FOLLOWER).for_each(|hub| cluster.shows(hub, newest + 3));

    // One that follows takes none.
    cluster.write_site("one", "new6");
    let told = cluster.push(Some(FOLLOWER), "one");
    assert_eq!(told.code, Some(2), "{told:?}");
    assert!(told.speech.contains("this hub follows others: push to one of "), "{told:?}");
}
