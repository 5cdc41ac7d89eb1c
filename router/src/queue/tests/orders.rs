//! What the operator orders, from end to end.

use super::*;
use crate::queue::select::{Pattern, QueueName};

pub(super) fn hold() -> Order {
    Order::Hold { reason: "look at it".into() }
}

fn bounce() -> Order {
    Order::Bounce { reason: "no such customer".into() }
}

fn delete() -> Order {
    Order::Delete { reason: "spam".into() }
}

pub(super) fn to(recipient: &str) -> Selector {
    Selector { recipient: Some(Pattern::new(recipient)), ..Selector::default() }
}

pub(super) fn tally(matched: u64, recipients: u64, changed: u64) -> Tally {
    Tally { matched, recipients, changed, ..Tally::default() }
}

/// Deferred mail: nothing answers there.
pub(super) const LATER: &str = "to.example retry:4.3.2 not now\nother.example retry:4.3.2 not now\n";

#[tokio::test]
async fn what_a_hand_holds_no_map_releases_and_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), LATER, 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    assert_eq!(site.order(hold(), id).await, tally(1, 1, 1));
    assert_eq!(site.order(hold(), id).await, Tally { unchanged: 1, ..tally(1, 1, 0) });
    site.stop().await;

    let site = start(folder.path(), LATER, 1, today() + DAY);
    assert_eq!(site.queue.summary().hold, 1);
    let held = site.send_held("<a@from.example>", "<y@to.example>").await;
    let maps = MapOptions::default().with_file(MapName::Transport, "transport");
    site.queue.0.maps.swap(MapSet::from_texts(&maps, &[(MapName::Transport, LATER)]).unwrap());
    // What the maps held goes on; that is how we know that the rest has been looked at.
    site.until(|summary| summary.deferred == 1 && summary.hold == 1).await;
    let mut rows = site.queue.rows(Selector::default(), false).unwrap();
    let rows = rows.next().await.unwrap();
    assert_eq!((rows[0].id.clone(), rows[0].queue), (id.to_string(), QueueName::Hold));
    assert_eq!(rows[0].hold.as_ref().unwrap().reason, "look at it");
    assert_eq!((rows[1].id.clone(), rows[1].queue), (held.to_string(), QueueName::Deferred));
}

#[tokio::test]
async fn only_the_recipients_that_are_meant_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("{LATER}from.example {home}\n"), 1, today());
    let both = site.send("<a@from.example>", &["<x@to.example>", "<y@other.example>"]).await;
    site.send("<>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 2).await;
    assert_eq!(site.order_of(bounce(), to("x@*")).await, tally(2, 2, 2));
    let report = reports(&told.await.unwrap()).remove(0);
    assert!(report.contains("Final-Recipient: rfc822;x@to.example\r\nAction: failed\r\n"), "{report}");
    assert!(report.contains("no such customer") && !report.contains("y@other.example"), "{report}");
    // The one from nobody is gone in silence; of the other one, one recipient still waits.
    site.until(|summary| summary.messages() == 1 && summary.deferred == 1).await;
    let row = site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0);
    let states: Vec<&str> = row.recipients.iter().map(|recipient| recipient.state.as_str()).collect();
    assert_eq!((row.id, states), (both.to_string(), vec!["failed", "deferred"]));
    assert_eq!(site.order_of(delete(), Selector::default()).await, tally(1, 1, 1));
    assert_eq!(site.queue.summary().messages(), 0);
    site.stop().await;
    let again = start(folder.path(), LATER, 1, today());
    assert_eq!(again.queue.summary(), Summary::default(), "what was deleted is not there after a restart");
}

#[tokio::test]
async fn who_is_not_meant_waits_as_before_and_is_not_too_old_without_an_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), LATER, 1, today());
    let id = site.send("<a@from.example>", &["<w@to.example>", "<x@to.example>", "<y@other.example>"]).await;
    site.until(|summary| summary.deferred == 1).await;
    let row = async || site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0);
    let due = row().await.next_attempt;
    assert_eq!(site.order_of(delete(), to("w@*")).await, tally(1, 1, 1));
    assert_eq!(row().await.next_attempt, due);
    assert_eq!(site.order(hold(), id).await, tally(1, 2, 1));
    site.hand.advance(6 * DAY);
    assert_eq!(site.order_of(delete(), to("x@*")).await, tally(1, 1, 1));
    assert_eq!(site.queue.summary().hold, 1);
    let states: Vec<String> = row().await.recipients.into_iter().map(|recipient| recipient.state).collect();
    assert_eq!(states, ["failed", "failed", "deferred"]);
}

#[tokio::test]
async fn what_waits_in_line_is_acted_on_at_once_and_what_is_under_way_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = start(folder.path(), &format!("to.example smtp:[127.0.0.1]:{port}\n"), 1, today());
    // The window is one: the other three wait for the first, which waits for the peer's greeting.
    for recipient in ["<w@to.example>", "<x@to.example>", "<y@to.example>", "<z@to.example>"] {
        site.send("<a@from.example>", &[recipient]).await;
    }
    let (stream, _) = listener.accept().await.unwrap();
    assert_eq!(site.order_of(delete(), to("x@*")).await, tally(1, 1, 1));
    let request = Request { order: hold(), select: Selector::default(), all: true, dry_run: true };
    let foreseen = site.queue.take(request).unwrap().carry_out(|_| {}).await.unwrap();
    assert_eq!(foreseen, Tally { under_way: 1, ..tally(3, 3, 2) });
    assert_eq!(site.queue.summary().active, 3, "a dry run changes nothing");
    assert_eq!(site.order_of(hold(), Selector::default()).await, foreseen);
    let summary = site.queue.summary();
    assert_eq!((summary.active, summary.hold, summary.messages()), (1, 2, 3));
    // A hold that would come after the attempt is taken back before its end.
    assert_eq!(site.order_of(Order::Release, to("w@*")).await, tally(1, 1, 1));
    play(stream, &script("<a@from.example>", &[("<w@to.example>", "450 4.2.1 later")])).await;
    site.until(|summary| summary.hold == 2 && summary.deferred == 1).await;
    site.stop().await;
}

#[tokio::test]
async fn a_selector_means_what_fits_all_that_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), LATER, 1, today());
    site.send("<bulk@from.example>", &["<x@to.example>", "<y@other.example>"]).await;
    site.hand.advance(Duration::from_secs(60));
    site.send("<>", &["<z@to.example>"]).await;
    site.until(|summary| summary.deferred == 2).await;
    let pattern = |text: &str| Some(Pattern::new(text));
    let any = Selector::default;
    for (what, select, expected) in [
        ("all", any(), (2, 3)),
        ("null sender", Selector { sender: pattern("<>"), ..any() }, (1, 1)),
        ("sender", Selector { sender: pattern("BULK@*"), ..any() }, (1, 2)),
        ("domain", Selector { domain: pattern("to.example"), ..any() }, (2, 2)),
        ("both of one recipient", Selector { domain: pattern("to.example"), ..to("y@*") }, (0, 0)),
        ("reply", Selector { last_reply: pattern("4.3.*"), ..any() }, (2, 3)),
        ("its text", Selector { last_reply: pattern("not now"), ..any() }, (2, 3)),
        ("another reply", Selector { last_reply: pattern("4.7.*"), ..any() }, (0, 0)),
        ("queue", Selector { queue: Some(QueueName::Hold), ..any() }, (0, 0)),
        ("older", Selector { older: Some(30), ..any() }, (1, 2)),
        ("younger", Selector { younger: Some(30), ..any() }, (1, 1)),
        ("larger", Selector { larger: Some(1000), ..any() }, (0, 0)),
        ("smaller", Selector { smaller: Some(1000), ..any() }, (2, 3)),
        ("way", Selector { next_hop: pattern("retry:*"), ..any() }, (2, 3)),
        ("reason", Selector { reason: pattern("*"), ..any() }, (0, 0)),
    ] {
        let request = Request { order: hold(), all: true, select, dry_run: true };
        let told = site.queue.take(request).unwrap().carry_out(|_| {}).await.unwrap();
        assert_eq!(
            (told.matched, told.recipients, told.changed),
            (expected.0, expected.1, expected.0),
            "{what}"
        );
    }
    assert_eq!(site.queue.summary().hold, 0, "a dry run changes nothing");
    let everything = Request { order: delete(), select: any(), all: false, dry_run: false };
    assert!(matches!(site.queue.take(everything), Err(order::OrderError::Everything)));
    let named = Selector { ids: vec!["nonsense".into()], ..any() };
    assert!(site.queue.rows(named, false).unwrap_err().starts_with("`nonsense` is not a queue id"));
}

#[tokio::test]
async fn counts_by_domain_count_a_message_once_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), LATER, 1, today());
    site.send("<a@from.example>", &["<x@to.example>", "<y@to.example>", "<y@other.example>"]).await;
    site.send("<b@from.example>", &["<z@to.example>"]).await;
    site.hand.advance(Duration::from_secs(600));
    site.until(|summary| summary.deferred == 2 && summary.ended >= 2).await;
    let counted = async |by| site.queue.groups(Selector::default(), by, 10).await.unwrap();
    let of = |groups: &Groups| -> Vec<(String, u64, u64)> {
        groups.groups.iter().map(|group| (group.name.clone(), group.messages, group.recipients)).collect()
    };
    let groups = counted(GroupBy::Domain).await;
    assert_eq!((groups.messages, groups.recipients, groups.count), (2, 4, 2));
    assert_eq!(of(&groups), [("to.example".into(), 2, 3), ("other.example".into(), 1, 1)]);
    assert_eq!(groups.groups[0].ages, [0, 0, 2, 0, 0, 0, 0, 0, 0, 0], "ten minutes old, and not less");
    assert_eq!(of(&counted(GroupBy::Sender).await).len(), 2);
    assert_eq!(of(&counted(GroupBy::Reply).await), [("4.3.2 not now".into(), 2, 4)]);
    assert_eq!(of(&counted(GroupBy::NextHop).await), [("retry:4.3.2 not now".into(), 2, 4)]);
    let top = site.queue.groups(Selector::default(), GroupBy::Sender, 1).await.unwrap();
    assert_eq!((top.count, top.groups.len()), (2, 1));
}

/// A spool as a power cut leaves it at this moment: what is on the disk, somewhere else.
fn copy_of(from: &Path) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(std::fs::copy(entry.path(), to).unwrap()),
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(from, folder.path());
    folder
}

#[tokio::test]
async fn what_was_given_up_under_way_is_not_tried_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = start(folder.path(), &format!("to.example smtp:[127.0.0.1]:{port}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>", "<y@to.example>"]).await;
    let (_stream, _) = listener.accept().await.unwrap();
    let under_way = Tally { under_way: 1, ..tally(1, 1, 0) };
    assert_eq!(site.order_of(delete(), to("x@*")).await, under_way);
    assert_eq!(site.order_of(bounce(), to("y@*")).await, under_way);
    assert_eq!(site.order_of(hold(), to("y@*")).await, under_way);

    let crashed = copy_of(folder.path());
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let routes = format!("to.example discard:it was tried\nfrom.example {home}\n");
    let again = start(crashed.path(), &routes, 1, today());
    again.until(|summary| summary.ended == 2 && summary.messages() == 0).await;
    let report = reports(&told.await.unwrap()).remove(0);
    assert!(report.contains("Final-Recipient: rfc822;y@to.example\r\nAction: failed\r\n"), "{report}");
    assert!(report.contains("no such customer") && !report.contains("x@to.example"), "{report}");
}

#[tokio::test]
async fn what_a_hand_released_no_line_of_a_map_holds_again() {
    let folder = tempfile::tempdir().unwrap();
    let routes = "to.example hold:look at it\n* retry:4.3.2 not now\n";
    let site = start(folder.path(), routes, 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.hold == 1).await;
    let row = site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0);
    assert!(!row.released, "{row:?}");
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    site.stop().await;

    let mut options = RouteOptions::new(Domain::parse("us.example").unwrap());
    options.default_route = Route::parse("retry:4.3.2 not now", &Default::default()).unwrap();
    let site = start_with(folder.path(), &[(MapName::Transport, routes)], options.clone(), 1, today());
    assert_eq!(site.order(Order::Release, id).await, tally(1, 1, 1));
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    let row = site.queue.rows(Selector::default(), true).unwrap().next().await.unwrap().remove(0);
    assert!(row.released && row.hold.is_none(), "{row:?}");
    site.stop().await;

    // The line still holds what nobody released.
    options.default_route = Route::parse(&route, &Default::default()).unwrap();
    let texts = [(MapName::Transport, "to.example hold:look at it\n")];
    let site = start_with(folder.path(), &texts, options, 1, today() + DAY);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.hold == 1).await;
}
