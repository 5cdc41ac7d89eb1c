//! What maps other than the transport map mean for mail in the queue.

use switchyard_smtp::envelope::Orcpt;

use super::*;
use crate::route::srs::{Srs, SrsMetrics};

const NEW: &[u8] = b"a new secret of ours";

fn srs(secrets: &[&[u8]]) -> Arc<Srs> {
    let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.to_vec()).collect();
    let counted = SrsMetrics::register(&Registry::new()).unwrap();
    Arc::new(Srs::new(Domain::parse("srs.example").unwrap(), &secrets, 21 * DAY, counted))
}

/// As an alias makes it.
fn under(name: &str, path: &str) -> Recipient {
    let orcpt = Orcpt { address_type: "rfc822".into(), address: name.into() };
    Recipient { orcpt: Some(orcpt), ..Recipient::new(ForwardPath::parse(path).unwrap()) }
}

#[tokio::test]
async fn forwarded_mail_leaves_in_our_name_and_the_rest_of_the_message_in_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let rewriter = srs(&[NEW]);
    let sender = switchyard_smtp::address::Mailbox::parse("a@from.example").unwrap();
    let ours = rewriter.rewrite(&sender, today()).unwrap();
    let both = "S: 220 peer\nC: EHLO us.example\nS: 250 peer\n".to_owned()
        + &message("<a@from.example>", &[("<y@world.example>", "250 Ok")])
        + &message(&format!("<{ours}>"), &[("<x@world.example>", "250 Ok")])
        + "C: QUIT\nS: 221 bye\nX\n";
    let (route, playing) = peer(vec![both]).await;
    let options =
        RouteOptions { srs: Some(rewriter), ..RouteOptions::new(Domain::parse("us.example").unwrap()) };
    let texts = [
        (MapName::Transport, &*format!("world.example {route}\n")),
        (MapName::RelayDomains, "ours.example x\n"),
    ];
    let site = start_with(folder.path(), &texts, options, 2, today());
    let plain = Recipient::new(ForwardPath::parse("<y@world.example>").unwrap());
    let recipients = vec![under("x@ours.example", "<x@world.example>"), plain];
    site.send_to("<a@from.example>", recipients).await;
    site.until(|summary| summary.messages() == 0 && summary.connections == 0).await;
    assert_eq!(playing.await.unwrap()[0].contents.len(), 2);
}

#[tokio::test]
async fn a_report_about_forwarded_mail_goes_to_who_sent_it() {
    let folder = tempfile::tempdir().unwrap();
    let rewriter = srs(&[NEW]);
    let sender = switchyard_smtp::address::Mailbox::parse("a@from.example").unwrap();
    let ours = rewriter.rewrite(&sender, today()).unwrap();
    let (route, refusing) =
        peer(vec![script(&format!("<{ours}>"), &[("<x@world.example>", "550 5.1.1 no")])]).await;
    let (home, told) = peer(vec![script("<>", &[("<a@from.example>", "250 Ok")])]).await;
    let options =
        RouteOptions { srs: Some(rewriter), ..RouteOptions::new(Domain::parse("us.example").unwrap()) };
    let texts = [
        (MapName::Transport, &*format!("world.example {route}\nfrom.example {home}\n")),
        (MapName::RelayDomains, "ours.example x\n"),
    ];
    let site = start_with(folder.path(), &texts, options, 1, today());
    site.send_to("<a@from.example>", vec![under("x@ours.example", "<x@world.example>")]).await;
    let report = reports(&told.await.unwrap()).remove(0);
    assert!(report.contains("Original-Recipient: rfc822;x@ours.example\r\n"), "{report}");
    refusing.await.unwrap();
    site.until(|summary| summary.messages() == 0).await;
}

#[tokio::test]
async fn what_an_access_table_still_holds_stays_on_hold_when_the_maps_change() {
    let folder = tempfile::tempdir().unwrap();
    let (route, playing) = peer(vec![
        script("<a@from.example>", &[("<x@to.example>", "250 Ok")]),
        script("<b@from.example>", &[("<x@to.example>", "250 Ok")]),
    ])
    .await;
    let route = format!("to.example {route}\n");
    let texts = |senders: &'static str| [(MapName::Transport, &*route), (MapName::SenderAccess, senders)];
    let options = RouteOptions::new(Domain::parse("us.example").unwrap());
    let held = texts("a@from.example HOLD look\nb@from.example HOLD look\n");
    let site = start_with(folder.path(), &held, options, 1, today());
    for sender in ["<a@from.example>", "<b@from.example>"] {
        site.send_held(sender, "<x@to.example>").await;
    }
    site.until(|summary| summary.hold == 2).await;
    let swap = |senders| {
        let set = MapSet::from_texts(&MapOptions::default(), &texts(senders)).unwrap();
        site.queue.0.maps.swap(set);
    };
    swap("b@from.example HOLD still\n");
    site.until(|summary| summary.hold == 1 && summary.messages() == 1).await;
    swap("b@from.example DUNNO\n");
    site.until(|summary| summary.messages() == 0).await;
    assert_eq!(playing.await.unwrap().len(), 2);
}
