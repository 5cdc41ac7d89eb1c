//! Orders by selector: every count is right, and what was ordered outlives a kill.

use std::time::Instant;

use super::filled::{DOMAINS, Filled};

#[test]
fn counts_are_right_and_orders_outlive_a_kill() {
    let mut filled = Filled::new();
    let (all, share) = (filled.messages, filled.share());

    let began = Instant::now();
    let told = filled.queue(&["list", "--by", "domain", "--json"]);
    println!("{all} messages listed by domain in {:.3} s", began.elapsed().as_secs_f64());
    let groups = told.json();
    assert_eq!(
        (groups["messages"].as_u64(), groups["count"].as_u64()),
        (Some(all as u64), Some(DOMAINS as u64))
    );
    for group in groups["groups"].as_array().expect("groups") {
        assert_eq!(group["messages"].as_u64(), Some(share as u64), "{group}");
    }

    let timed = |what: &str, words: &[&str]| {
        let began = Instant::now();
        let counts = filled.order(words);
        println!("{what} of {} in {:.3} s", counts[0], began.elapsed().as_secs_f64());
        counts
    };
    assert_eq!(timed("a dry run", &["hold", "--domain", "d3.example", "--dry-run"]), [share, share, 0, 0]);
    assert_eq!(filled.count("hold"), 0);
    assert_eq!(timed("hold", &["hold", "--domain", "d3.example", "--reason", "asked"]), [share, share, 0, 0]);
    assert_eq!((filled.count("hold"), filled.count("deferred")), (share, all - share));
    let to = format!("smtp:[{}]:{}", filled.sink.address().ip(), filled.sink.address().port());
    let reroute = ["reroute", "--domain", "d3.example", "--to", &to];
    assert_eq!(timed("reroute", &reroute), [share, share, 0, 0]);
    assert_eq!(timed("the same again", &reroute), [share, 0, 0, share]);
    assert_eq!(
        timed("delete", &["delete", "--domain", "d4.*", "--last-reply", "4.4.1*"]),
        [share, share, 0, 0]
    );

    filled.router.kill();
    filled.router.start();
    filled.await_queue("hold", share);
    assert_eq!(filled.count("deferred"), all - 2 * share);
    let held =
        filled.queue(&["list", "--why", "asked", "--next-hop", &to, "--by", "next-hop", "--json"]).json();
    assert_eq!(held["groups"][0]["name"], to.as_str(), "{held}");
    assert_eq!(held["groups"][0]["messages"].as_u64(), Some(share as u64), "{held}");

    let began = Instant::now();
    assert_eq!(filled.order(&["release", "--why", "asked"]), [share, share, 0, 0]);
    println!("release of {share} in {:.3} s", began.elapsed().as_secs_f64());
    filled.await_queue("hold", 0);
    filled.sink.await_over(share - 1);
    filled.await_queue("active", 0);
    let copies = filled.sink.copies();
    assert_eq!(copies.len(), share, "each once");
    assert!(copies.iter().all(|copy| copy.recipients.iter().all(|to| to.ends_with("@d3.example"))));
    assert_eq!(filled.count("deferred"), all - 2 * share);
}
