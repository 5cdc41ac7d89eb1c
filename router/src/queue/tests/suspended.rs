//! Mail that is not tried for a while, from end to end.

use super::*;
use crate::queue::select::Pattern;

const HOUR: Duration = Duration::from_secs(3600);

fn suspend(seconds: u64) -> Order {
    Order::Suspend { seconds, reason: "their disk is full".into() }
}

fn domain(domain: &str) -> Selector {
    Selector { domain: Some(Pattern::new(domain)), ..Selector::default() }
}

/// The first message as it is shown.
async fn first(site: &Site) -> row::Row {
    site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0)
}

#[tokio::test]
async fn what_is_suspended_waits_with_new_mail_and_over_a_restart_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<y@other.example>", "250 Ok")])]).await;
    let routes = format!("to.example smtp:[127.0.0.1]:9\nother.example {route}\n");
    let site = start(folder.path(), &routes, 1, today());
    assert_eq!(site.order_of(suspend(7200), domain("to.example")).await, Tally::default());
    // Of one message, the recipient that is not meant goes on.
    site.send("<a@from.example>", &["<x@to.example>", "<y@other.example>"]).await;
    playing.await.unwrap();
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    let row = first(&site).await;
    assert_eq!((row.suspended[0].number, row.suspended[0].reason.as_str()), (1, "their disk is full"));
    assert_eq!(
        (row.recipients[0].state.as_str(), row.recipients[1].state.as_str()),
        ("pending", "delivered")
    );
    site.stop().await;

    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today() + HOUR);
    assert_eq!(site.queue.suspensions().len(), 1);
    site.until(|summary| summary.deferred == 1).await;
    site.queue.flush();
    site.until(|summary| summary.ended == 1 && summary.deferred == 1).await;
    let row = first(&site).await;
    assert_eq!(row.next_attempt, Some(row.suspended[0].until), "it waits for the end of its suspension");
    assert_eq!(row.attempts, 1, "a look is no attempt");
    site.hand.advance(HOUR);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
    assert!(site.queue.suspensions().is_empty());
}

#[tokio::test]
async fn a_suspension_that_is_ended_by_hand_lets_its_mail_go_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today());
    site.order_of(suspend(7200), domain("to.example")).await;
    site.order_of(suspend(7200), domain("third.example")).await;
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    assert!(site.queue.resume(Some(vec![1, 3])).await.unwrap_err().to_string().contains("no suspension 3"));
    assert_eq!(site.queue.suspensions().len(), 2);
    assert_eq!(site.queue.resume(Some(vec![1])).await.unwrap()[0].number, 1);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
    assert_eq!(site.queue.suspensions()[0].number, 2);
    assert_eq!(site.queue.resume(None).await.unwrap().len(), 1);
    site.stop().await;
    assert!(start(folder.path(), "x.example smtp:\n", 1, today()).queue.suspensions().is_empty());
}

#[tokio::test]
async fn who_asks_to_resume_and_goes_away_is_obeyed_and_later_suspensions_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today());
    site.order_of(suspend(7200), domain("to.example")).await;
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    let mut asking = Box::pin(site.queue.resume(Some(vec![1])));
    assert!(futures_util::poll!(&mut asking).is_pending());
    drop(asking);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
    site.order_of(suspend(7200), domain("third.example")).await;
    site.stop().await;
    let kept = start(folder.path(), "x.example smtp:\n", 1, today()).queue.suspensions();
    assert_eq!((kept.len(), &kept[0].select), (1, &domain("third.example")));
}

#[tokio::test]
async fn what_waits_in_line_is_suspended_at_once_and_grows_no_older() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = start(folder.path(), &format!("to.example smtp:[127.0.0.1]:{port}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.send("<a@from.example>", &["<y@to.example>"]).await;
    let (stream, _) = listener.accept().await.unwrap();
    let by_way = Selector { next_hop: Some(Pattern::new(&format!("*:{port}"))), ..Selector::default() };
    // Longer than mail lives.
    let told = site.order_of(suspend(6 * 86_400), by_way).await;
    assert_eq!(told, Tally { matched: 2, recipients: 2, changed: 1, under_way: 1, unchanged: 0 });
    play(stream, &script("<a@from.example>", &[("<x@to.example>", "250 Ok")])).await;
    site.until(|summary| summary.deferred == 1 && summary.messages() == 1).await;
    site.hand.advance(5 * DAY + HOUR);
    site.queue.flush();
    site.until(|summary| summary.ended == 3 && summary.deferred == 1).await;
    assert_eq!(first(&site).await.recipients[0].state, "pending", "not returned: it was not tried");
    for (bad, select) in [
        (suspend(0), domain("x")),
        (suspend(u64::MAX), domain("x")),
        (suspend(60), Selector { reason: Some(Pattern::new("x")), ..Selector::default() }),
    ] {
        let request = Request { order: bad, select, all: false, dry_run: false };
        assert!(site.queue.take(request).is_err());
    }
}

#[tokio::test]
async fn what_a_suspension_kept_goes_when_it_ends_whatever_it_would_mean_by_then() {
    let folder = tempfile::tempdir().unwrap();
    let routes = "to.example smtp:[127.0.0.1]:9\n";
    let site = start(folder.path(), routes, 1, today());
    let young = Selector { younger: Some(600), ..domain("to.example") };
    site.order_of(suspend(3 * 86_400), young).await;
    let way = Selector { next_hop: Some(Pattern::new("*:9")), ..Selector::default() };
    site.order_of(suspend(3 * 86_400), way).await;
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    site.stop().await;

    // By now it is older than that, and its way is another.
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today() + HOUR / 2);
    assert_eq!((site.queue.summary().deferred, first(&site).await.attempts), (1, 0));
    assert_eq!(site.queue.resume(Some(vec![1])).await.unwrap().len(), 1);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
    site.stop().await;
}

#[tokio::test]
async fn what_was_suspended_for_longer_than_mail_lives_is_tried_for_a_day_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let routes = format!("to.example retry:4.3.2 not now\nfrom.example {home}\n");
    let site = start(folder.path(), &routes, 1, today());
    let never = Notify { success: false, failure: true, delay: false };
    let to =
        Recipient { notify: Some(never), ..Recipient::new(ForwardPath::parse("<x@to.example>").unwrap()) };
    site.send_to("<a@from.example>", vec![to]).await;
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    site.order_of(suspend(6 * 86_400), domain("to.example")).await;
    site.hand.advance(5 * DAY + HOUR);
    site.until(|summary| summary.ended == 2 && summary.deferred == 1).await;
    site.queue.resume(None).await.unwrap();
    site.until(|summary| summary.ended == 3 && summary.active == 0).await;
    assert_eq!(site.queue.summary().deferred, 1, "its first attempt after that is not its last");
    site.stop().await;

    // That holds over a restart.
    let site = start(folder.path(), &routes, 1, today() + 5 * DAY + 3 * HOUR);
    site.queue.flush();
    site.until(|summary| summary.ended == 1 && summary.active == 0).await;
    assert_eq!(site.queue.summary().deferred, 1);
    site.hand.advance(DAY);
    site.until(|summary| summary.messages() == 0).await;
    assert!(reports(&told.await.unwrap())[0].contains("Status: 5.4.7\r\n"));
}

#[tokio::test]
async fn no_number_is_given_twice_whatever_ended_before_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let routes = "to.example smtp:[127.0.0.1]:9\n";
    let site = start(folder.path(), routes, 1, today());
    site.order_of(suspend(7200), domain("to.example")).await;
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    site.stop().await;

    // It ended while nobody was there, and nothing was written down of that: the next one is another one.
    let site = start(folder.path(), routes, 1, today() + 3 * HOUR);
    site.order_of(suspend(7200), domain("third.example")).await;
    assert_eq!(site.queue.suspensions()[0].number, 2);
    assert_eq!(site.queue.resume(None).await.unwrap().len(), 1);
    site.stop().await;
    let site = start(folder.path(), routes, 1, today() + 3 * HOUR);
    site.order_of(suspend(7200), domain("to.example")).await;
    assert_eq!(site.queue.suspensions()[0].number, 3);
    site.send("<a@from.example>", &["<y@to.example>"]).await;
    site.until(|summary| summary.deferred == 2 && summary.active == 0).await;
    site.stop().await;

    // Somebody removed the file: what mail remembers is not given again.
    std::fs::remove_file(folder.path().join("spool/suspended.json")).unwrap();
    let site = start(folder.path(), routes, 1, today() + 3 * HOUR);
    site.order_of(suspend(7200), domain("third.example")).await;
    assert_eq!(site.queue.suspensions()[0].number, 4);
}
