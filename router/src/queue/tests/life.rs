//! What becomes of a message by itself, from end to end.

use super::*;
use crate::route::resolve::resolve;

#[tokio::test]
async fn a_message_goes_through_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.messages() == 0).await;
    assert_eq!(&playing.await.unwrap()[0].contents[0][..], b"Subject: x\r\n\r\nbody\r\n");
    site.stop().await;
    let again = start(folder.path(), "x.example smtp:\n", 1, today());
    assert_eq!(again.queue.summary(), Summary::default());
}

#[tokio::test]
async fn one_connection_carries_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = "S: 220 peer\nC: EHLO us.example\nS: 250 peer\n".to_owned();
    for _ in 0..3 {
        whole += &message("<a@from.example>", &[("<x@to.example>", "250 Ok")]);
    }
    let (route, playing) = peer(vec![whole + "C: QUIT\nS: 221 bye\nX\n"]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 100, today());
    for _ in 0..3 {
        site.send("<a@from.example>", &["<x@to.example>"]).await;
        site.until(|summary| summary.messages() == 0).await;
    }
    assert_eq!(site.queue.summary().connections, 1);
    // After a while of silence it says goodbye.
    site.hand.advance(Duration::from_secs(5));
    site.until(|summary| summary.connections == 0).await;
    assert_eq!(playing.await.unwrap()[0].contents.len(), 3);
}

#[tokio::test]
async fn p4_each_recipient_has_its_own_way_and_a_restart_forgets_none() {
    let folder = tempfile::tempdir().unwrap();
    let replies = [
        ("<x@to.example>", "250 Ok"),
        ("<y@to.example>", "450 4.2.1 later"),
        ("<z@to.example>", "550 5.1.1 no"),
    ];
    let (route, first) = peer(vec![script("<a@from.example>", &replies)]).await;
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\nfrom.example {home}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>", "<y@to.example>", "<z@to.example>"]).await;
    let report = reports(&told.await.unwrap()).remove(0);
    assert!(
        report.contains("Final-Recipient: rfc822;z@to.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
        "{report}"
    );
    assert!(!report.contains("x@to.example") && !report.contains("y@to.example"), "{report}");
    site.until(|summary| summary.deferred == 1 && summary.messages() == 1).await;
    first.await.unwrap();
    site.stop().await;

    // Only the one that waits is tried again, by the route of today.
    let (route, second) = peer(vec![script("<a@from.example>", &[("<y@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today() + Duration::from_secs(60));
    assert_eq!(site.queue.summary().deferred, 1);
    site.hand.advance(Duration::from_secs(600));
    site.until(|summary| summary.messages() == 0).await;
    assert_eq!(second.await.unwrap()[0].contents.len(), 1);
}

#[tokio::test]
async fn b1_mail_from_nobody_dies_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![script("<>", &[("<x@to.example>", "550 5.1.1 no")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today());
    site.send("<>", &["<x@to.example>"]).await;
    site.until(|summary| summary.messages() == 0).await;
    playing.await.unwrap();
    let counted = site.registry.encode().unwrap();
    assert!(counted.contains("switchyard_dsn_total{action=\"suppressed\"} 1\n"), "{counted}");
    assert!(!counted.contains("action=\"failed\""), "{counted}");
}

#[tokio::test]
async fn a_dead_destination_is_left_alone_until_somebody_flushes() {
    let folder = tempfile::tempdir().unwrap();
    let (address, gone) = listen(Vec::new()).await.unwrap();
    gone.await.unwrap();
    let site = start(folder.path(), &format!("to.example smtp:[127.0.0.1]:{}\n", address.port()), 1, today());
    for count in 1..=3 {
        site.send("<a@from.example>", &["<x@to.example>"]).await;
        site.until(|summary| summary.ended == count).await;
        assert_eq!(site.queue.summary().deferred as u64, count);
    }
    assert_eq!(site.attempts(), 1, "one attempt for three messages");
    site.queue.flush();
    site.until(|summary| summary.ended == 6 && summary.connections == 0).await;
    assert_eq!(site.queue.summary().deferred, 3);
    assert_eq!(site.attempts(), 2);
}

#[tokio::test]
async fn what_is_too_old_comes_back_and_a_delay_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let routes = |home: &str| format!("to.example retry:4.3.2 not now\nfrom.example {home}\n");
    let both = vec![
        script("<>", &[("<a@from.example>", "250 Ok")]),
        script("<>", &[("<a@from.example>", "250 Ok")]),
    ];
    let (home, told) = peer(both).await;
    let site = start(folder.path(), &routes(&home), 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    // Reports are attempts of their own.
    for (hours, ended) in [(5, 3), (5, 4), (5 * 24, 6)] {
        site.hand.advance(Duration::from_secs(hours * 3600));
        site.until(|summary| summary.ended == ended).await;
    }
    site.until(|summary| summary.messages() == 0).await;
    let reports = reports(&told.await.unwrap());
    assert!(
        reports[0].contains("Action: delayed\r\nStatus: 4.3.2\r\n")
            && reports[0].contains("Will-Retry-Until: ")
    );
    assert!(reports[1].contains("Action: failed\r\nStatus: 5.4.7\r\n"), "{}", reports[1]);
}

#[tokio::test]
async fn success_is_told_where_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) =
        peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok"), ("<y@to.example>", "250 Ok")])])
            .await;
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\nfrom.example {home}\n"), 1, today());
    let to = |text: &str, notify| Recipient { notify, ..Recipient::new(ForwardPath::parse(text).unwrap()) };
    let success = Some(Notify { success: true, ..Notify::NEVER });
    site.send_to("<a@from.example>", vec![to("<x@to.example>", success), to("<y@to.example>", None)]).await;
    site.until(|summary| summary.messages() == 0).await;
    playing.await.unwrap();
    let report = reports(&told.await.unwrap()).remove(0);
    assert!(
        report.contains("Final-Recipient: rfc822;x@to.example\r\nAction: relayed\r\nStatus: 2.0.0\r\n"),
        "{report}"
    );
    assert!(!report.contains("y@to.example") && !report.contains("body"), "{report}");
}

#[tokio::test]
async fn what_the_maps_hold_no_more_goes_on_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), "* hold:look at it\n", 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.send("<a@from.example>", &["<y@still.example>"]).await;
    site.until(|summary| summary.hold == 2 && summary.messages() == 2).await;
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let maps = MapOptions::default().with_file(MapName::Transport, "transport");
    let routes = format!("to.example {route}\nstill.example hold:still\n");
    site.queue.0.maps.swap(MapSet::from_texts(&maps, &[(MapName::Transport, &routes)]).unwrap());
    playing.await.unwrap();
    site.until(|summary| summary.hold == 1 && summary.messages() == 1).await;
}

#[tokio::test]
async fn hold_waits_for_a_word_and_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), "to.example hold:look at it\n", 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.hold == 1 && summary.messages() == 1).await;
    site.stop().await;
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today() + DAY);
    assert_eq!(site.queue.summary().hold, 1);
    site.hand.advance(DAY);
    assert_eq!(
        site.order(Order::Release, id).await,
        Tally { matched: 1, recipients: 1, changed: 1, ..Tally::default() }
    );
    assert_eq!(site.order(Order::Release, id).await, Tally::default(), "it is not on hold any more");
    site.until(|summary| summary.messages() == 0).await;
    playing.await.unwrap();
    let hold = Order::Hold { reason: "wait".into() };
    assert_eq!(site.order(hold, id).await, Tally::default(), "it is gone");
}

#[tokio::test]
async fn h4_a_start_with_a_wrong_clock_gives_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let site = start(folder.path(), "to.example retry:\nfrom.example discard:\n", 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    site.until(|summary| summary.deferred == 1 && summary.active == 0).await;
    site.stop().await;
    for wall in [today() + 3650 * DAY, today() - DAY] {
        let site = start(folder.path(), "to.example retry:\nfrom.example discard:\n", 1, wall);
        site.hand.advance(Duration::from_secs(4000));
        site.queue.flush();
        site.until(|summary| summary.ended >= 1 && summary.deferred == 1).await;
        site.stop().await;
    }
}

#[tokio::test]
async fn a_drain_ends_what_runs_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = start(folder.path(), &format!("to.example smtp:[127.0.0.1]:{port}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    // The window is one: this one waits for the first, which waits for the peer's greeting.
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    let greets = async {
        let (stream, _) = listener.accept().await.unwrap();
        play(stream, &script("<a@from.example>", &[("<x@to.example>", "250 Ok")])).await
    };
    let ((), played) = tokio::join!(site.queue.drain(), greets);
    assert_eq!(played.contents.len(), 1);
    let summary = site.queue.summary();
    assert_eq!((summary.connections, summary.messages()), (0, 1));
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    assert_eq!(site.queue.summary().incoming, 1);
    site.stop().await;
    let again = start(folder.path(), "to.example hold:\n", 1, today());
    again.until(|summary| summary.hold == 2).await;
}

#[tokio::test]
async fn a_drain_does_not_wait_for_ever_for_a_peer_that_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let route = format!("to.example smtp:[127.0.0.1]:{}\n", silent.local_addr().unwrap().port());
    let site = start(folder.path(), &route, 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    let _never_answered = silent.accept().await.unwrap();
    let queue = site.queue.clone();
    let limit = Duration::from_secs(10);
    let is_over = tokio::select! {
        biased;
        is_over = queue.drain_within(limit) => is_over,
        () = async { loop { site.hand.advance(limit); tokio::task::yield_now().await } } => unreachable!(),
    };
    assert!(!is_over);
    assert_eq!(site.queue.summary().messages(), 1);
}

#[tokio::test]
async fn a_worker_that_dies_of_a_fault_loses_neither_its_job_nor_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let route = format!("to.example smtp:[127.0.0.1]:{}\n", silent.local_addr().unwrap().port());
    let site = start(folder.path(), &route, 1, today());
    let id = site.send("<a@from.example>", &["<x@to.example>"]).await;
    let _never_answered = silent.accept().await.unwrap();
    let (shared, message) = {
        let scheduler = site.queue.0.lock();
        (Arc::clone(&site.queue.0), Arc::clone(scheduler.message(id).unwrap().0))
    };
    let (sender, recipient) = (&message.envelope.sender.reverse_path, &message.envelope.recipients[0]);
    let resolved = resolve(&shared.maps.snapshot(), &shared.means().routes, sender, &recipient.forward_path);
    let Resolved::Deliver(destination) = resolved.unwrap() else { panic!("the map has a route") };
    let seat = worker::Seat { shared, destination, job: Some((message, vec![0])) };
    let died = tokio::spawn(async move {
        let _seat = seat;
        panic!("a fault");
    });
    assert!(died.await.unwrap_err().is_panic());
    site.until(|summary| summary.connections == 0 && summary.deferred == 1).await;
}

#[tokio::test]
async fn who_waits_for_a_connection_gets_it_when_the_limit_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (route, playing) = peer(vec![script("<a@from.example>", &[("<x@to.example>", "250 Ok")])]).await;
    let port = silent.local_addr().unwrap().port();
    let routes = format!("slow.example smtp:[127.0.0.1]:{port}\nto.example {route}\n");
    let site = start(folder.path(), &routes, 1, today());
    site.change(|options| options.connection_limit = 1);
    site.send("<a@from.example>", &["<x@slow.example>"]).await;
    let _never_answered = silent.accept().await.unwrap();
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    assert_eq!((site.queue.summary().active, site.queue.summary().connections), (2, 1));
    site.change(|options| options.connection_limit = 2);
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 1).await;
}

#[tokio::test]
async fn t11_who_offers_to_be_logged_in_at_hears_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let offers = "S: 250-peer\nS: 250-AUTH PLAIN LOGIN\nS: 250 XCLIENT LOGIN\n";
    let script = script("<a@from.example>", &[("<x@to.example>", "250 Ok")]).replace("S: 250 peer\n", offers);
    let (route, playing) = peer(vec![script]).await;
    let site = start(folder.path(), &format!("to.example {route}\n"), 1, today());
    site.send("<a@from.example>", &["<x@to.example>"]).await;
    // It sees no other line than those that the script has.
    playing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
}
