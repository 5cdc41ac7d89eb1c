//! Orders about where mail goes: another way, kept over a restart, and an attempt before its time.

use switchyard_maps::Hop;
use switchyard_smtp::address::Host;

use super::orders::{LATER, hold, tally, to};
use super::*;
use crate::deliver::Pools;
use crate::queue::select::Pattern;

fn reroute(to: &str) -> Order {
    Order::Reroute { to: Some(to.to_owned()) }
}

#[tokio::test]
async fn a_new_way_is_kept_over_a_restart_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), LATER, 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>", "<y@other.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    assert_eq!(site.order(hold(), id).await, tally(1, 2, 1));
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    assert_eq!(site.order_of(reroute(&route), to("x@*")).await, tally(1, 1, 1));
    assert_eq!(site.order_of(reroute(&route), to("x@*")).await, Tally { unchanged: 1, ..tally(1, 1, 0) });
    site.stop().await;

    let site = start(folder.path(), LATER, 1, today());
    let by_way = Selector { next_hop: Some(Pattern::new("\\*")), ..Selector::default() };
    assert_eq!(site.order_of(Order::Retry, by_way).await, Tally::default(), "nothing goes there");
    let bare = route.trim_start_matches("smtp:");
    let by_way = Selector { next_hop: Some(Pattern::new(bare)), ..Selector::default() };
    assert_eq!(site.order_of(Order::Release, by_way).await, tally(1, 1, 1));
    playing.await.unwrap();
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    let back = Order::Reroute { to: None };
    assert_eq!(
        site.order_of(back.clone(), Selector::default()).await,
        Tally { unchanged: 1, ..tally(1, 1, 0) }
    );
    assert_eq!(site.order_of(reroute("smtp:[127.0.0.1]:9"), to("y@*")).await, tally(1, 1, 1));
    let wrong =
        |to: &str| Request { order: reroute(to), select: Selector::default(), all: true, dry_run: false };
    for bad in ["hold:", "nonsense", "smtp:@nopool"] {
        assert!(site.queue.take(wrong(bad)).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn what_was_rerouted_to_a_pool_that_is_gone_waits_for_a_hand() {
    let folder = tempfile::tempdir().unwrap();
    let pool = |members: Vec<Hop>| Arc::new(Pools::new(BTreeMap::from([("spare".to_owned(), members)])));
    let mut options = RouteOptions::new(Domain::parse("us.example").unwrap());
    options.pools = pool(vec![Hop::Host { host: Host::parse("spare.example").unwrap(), port: None }]);
    let texts = [(MapName::Transport, LATER)];
    let site = start_with(folder.path(), &texts, options.clone(), 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    site.order(hold(), id).await;
    assert_eq!(site.order(reroute("smtp:@spare"), id).await, tally(1, 1, 1));
    site.stop().await;

    // The maps would drop it now; who rerouted it did not want that.
    options.pools = Arc::new(Pools::new(BTreeMap::new()));
    let texts = [(MapName::Transport, "to.example discard:gone\n")];
    let site = start_with(folder.path(), &texts, options, 1, today());
    assert_eq!(site.order(Order::Release, id).await, tally(1, 1, 1));
    site.until(|summary| summary.deferred == 1 && summary.ended == 1).await;
    let row = site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0);
    let reply = row.recipients[0].last_reply.clone().unwrap();
    assert!(reply.contains("4.3.5 rerouted by hand to smtp:@spare"), "{reply}");
    assert!(row.recipients[0].rerouted);
    site.order(Order::Reroute { to: None }, id).await;
    site.until(|summary| summary.messages() == 0).await;
}

#[tokio::test]
async fn a_retry_is_an_attempt_at_its_own_destination_and_at_no_other_dead_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut routes = String::new();
    for domain in ["to.example", "other.example"] {
        let (address, gone) = listen(Vec::new()).await.unwrap();
        gone.await.unwrap();
        routes += &format!("{domain} smtp:[127.0.0.1]:{}\n", address.port());
    }
    let site = start(folder.path(), &routes, 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    let other = site.send("<a@from.example>", &["<y@other.example>"]).await;
    site.until(|summary| summary.ended == 2 && summary.deferred == 2).await;
    assert_eq!(site.attempts(), 2);
    assert_eq!(site.order(Order::Retry, id).await, tally(1, 1, 1));
    site.until(|summary| summary.ended == 3 && summary.deferred == 2).await;
    assert_eq!(site.attempts(), 3);
    // The other one is dead as before: what comes for it is deferred unasked.
    site.send("<a@from.example>", &["<z@other.example>"]).await;
    site.until(|summary| summary.ended == 4 && summary.deferred == 3).await;
    assert_eq!(site.attempts(), 3);
    assert_eq!(site.order(Order::Retry, other).await, tally(1, 1, 1));
    site.until(|summary| summary.ended == 5 && summary.deferred == 3).await;
    assert_eq!(site.attempts(), 4);
}
