//! What a message says for a report, by real verdicts over a zone of the test's own.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::dns::zone::Zone;
use crate::verify::policy::Obeyed;
use crate::verify::{self, Rules};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

/// A domain with this policy, of which 192.0.2.1 may send.
fn zone(policy: &str) -> Zone {
    Zone::default().text("_dmarc.example.org", policy).text("example.org", "v=spf1 ip4:192.0.2.1 -all")
}

/// What is told of a message from example.org, and the row as a record.
async fn told(zone: Zone, obeyed: Obeyed, source: IpAddr, sender: &str) -> Option<(Seen, Record)> {
    let rules = Rules { authserv_id: "mx.example.net", timeout: Duration::from_secs(60), obeyed };
    let client = Client { address: Some(source), hello: "example.org".to_owned(), authenticated: false };
    let envelope = Envelope { sender: sender.to_owned(), ..Envelope::default() };
    let message = verify::read(b"From: ann@example.org\r\n\r\nx\r\n").unwrap();
    let verdicts = verify::verify(&zone.serve().await, &rules, &client, &envelope, &message).await;
    let seen = seen(&verdicts, &client, &envelope)?;
    let record = verdicts.dmarc.dmarc_record().unwrap();
    Some((seen, row(&verdicts, record, source, &envelope, &client)))
}

/// What became of the message, and why it is not what was asked for.
async fn fared(policy: &str, obeyed: Obeyed, source: IpAddr) -> (ActionDisposition, Vec<PolicyOverride>) {
    let policy = format!("{policy}; rua=mailto:dmarc@example.org");
    let (_, record) = told(zone(&policy), obeyed, source, "ann@example.org").await.unwrap();
    let PolicyEvaluated { disposition, reason, .. } = record.row.policy_evaluated;
    (disposition, reason.iter().map(PolicyOverrideReason::policy_override).collect())
}

#[tokio::test]
async fn who_asks_for_no_reports_is_told_nothing() {
    let quiet = zone("v=DMARC1; p=reject");
    assert_eq!(told(quiet, Obeyed::All, STRANGER, "ann@example.org").await, None);
    let without_a_policy = Zone::default().text("example.org", "v=spf1 -all");
    assert_eq!(told(without_a_policy, Obeyed::All, STRANGER, "ann@example.org").await, None);
}

#[tokio::test]
async fn addresses_are_so_many_and_so_long() {
    let (many, long) = ((0..12).map(|number| format!("mailto:d{number}@example.org")), "x".repeat(400));
    let named: Vec<String> = std::iter::once(format!("mailto:{long}@example.org")).chain(many).collect();
    let policy = format!("v=DMARC1; p=none; rua={}", named.join(","));
    let (seen, _) = told(zone(&policy), Obeyed::All, STRANGER, "ann@example.org").await.unwrap();
    assert_eq!(seen.destinations.len(), MAX_DESTINATIONS);
    assert_eq!(seen.destinations[0], "d0@example.org");
    assert_eq!((&*seen.domain, &*seen.published.domain), ("example.org", "example.org"));
}

#[tokio::test]
async fn what_became_of_a_message_is_told_with_the_reason_when_it_is_not_what_was_asked_for() {
    let reject = "v=DMARC1; p=reject";
    assert_eq!(fared(reject, Obeyed::All, OURS).await, (ActionDisposition::Pass, vec![]));
    assert_eq!(fared(reject, Obeyed::All, STRANGER).await, (ActionDisposition::Reject, vec![]));
    let local = vec![PolicyOverride::LocalPolicy];
    assert_eq!(fared(reject, Obeyed::Nothing, STRANGER).await, (ActionDisposition::None, local.clone()));
    assert_eq!(fared(reject, Obeyed::Quarantine, STRANGER).await, (ActionDisposition::Quarantine, local));
    // RFC 9989 §4.7: in test mode a policy is done one step lower, and that is said.
    let tested = (ActionDisposition::Quarantine, vec![PolicyOverride::PolicyTestMode]);
    assert_eq!(fared("v=DMARC1; p=reject; t=y", Obeyed::All, STRANGER).await, tested);
    assert_eq!(fared("v=DMARC1; p=none", Obeyed::All, STRANGER).await, (ActionDisposition::None, vec![]));
}

#[tokio::test]
async fn a_message_without_a_sender_is_told_by_the_name_in_helo_and_no_recipient_is_told_ever() {
    let policy = "v=DMARC1; p=none; rua=mailto:dmarc@example.org";
    let (_, record) = told(zone(policy), Obeyed::All, OURS, "").await.unwrap();
    assert_eq!(record.auth_results.spf[0].domain, "example.org");
    let expected =
        Identifier { envelope_to: None, envelope_from: String::new(), header_from: "example.org".to_owned() };
    assert_eq!(record.identifiers, expected);
    assert_eq!(record.row.source_ip, Some(OURS));
}

#[test]
fn what_no_xml_bears_is_replaced_and_the_rest_stays() {
    assert_eq!(
        fit("a\0\u{1}\u{1f}\r\n\tb\u{fffe}\u{ffff}"),
        format!("a{0}{0}{0}{0}{0}{0}b{0}{0}", '\u{fffd}')
    );
    assert_eq!(fit("caf\u{e9}.example <&>"), "caf\u{e9}.example <&>");
}

#[test]
fn a_name_ends_where_a_character_does() {
    assert_eq!(fit(&"\u{e9}".repeat(200)), "\u{e9}".repeat(127));
}
