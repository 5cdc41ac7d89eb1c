//! Reports, read back by another parser.

use bytes::Bytes;
use jiff::civil::date;
use jiff::tz::TimeZone;
use mail_parser::{MessageParser, MimeHeaders, PartType};
use switchyard_daemon::metrics::Registry;
use switchyard_smtp::envelope::{Body, Orcpt};
use switchyard_smtp::status::EnhancedStatus;

use super::dsn::MAX_DIAGNOSTIC;
use super::*;

fn at(hour: i8) -> Zoned {
    date(2026, 11, 21).at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap()
}

fn failed(recipient: &str, diagnostic: &str) -> Reported {
    Reported {
        final_recipient: Mailbox::parse(recipient).unwrap(),
        original_recipient: Some(Orcpt {
            address_type: "rfc822".into(),
            address: "first+tag@to.example".into(),
        }),
        action: Action::Failed,
        status: EnhancedStatus::new(5, 1, 1),
        remote_mta: "mx.to.example".into(),
        diagnostic: diagnostic.into(),
        last_attempt: at(4),
        will_retry_until: None,
    }
}

fn compose(recipients: &[Reported], wire: &str, body: Body, returned: Returned) -> dsn::Composed {
    let sender = Mailbox::parse("alice@from.example").unwrap();
    let original =
        Content { added: Bytes::from_static(b"Received: by us\r\n"), wire: Bytes::from(wire.to_owned()) };
    Report {
        reporting_mta: "mail.example.org",
        queue_id: "4ZKBC",
        sender: &sender,
        envid: Some("QQ1"),
        arrival: at(3),
        now: at(5),
        recipients,
        original: &original,
        body,
        returned,
        max_returned: 50_000,
        unique: "4ZKBC.00112233",
    }
    .compose()
}

fn text(composed: &dsn::Composed) -> String {
    String::from_utf8(composed.content.wire.to_vec()).unwrap()
}

const MESSAGE: &str = "Subject: hello\r\nFrom: alice@from.example\r\n\r\n..a dot\r\nbye\r\n";

#[test]
fn the_text_of_a_failure() {
    let composed = compose(
        &[failed("user@to.example", "550 5.1.1 no such user")],
        MESSAGE,
        Body::SevenBit,
        Returned::Full,
    );
    let expected = "\
Date: Sat, 21 Nov 2026 05:00:00 +0000
From: Mail Delivery System <MAILER-DAEMON@mail.example.org>
To: <alice@from.example>
Subject: Undelivered mail returned to sender
Message-ID: <4ZKBC.00112233@mail.example.org>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"=_4ZKBC.00112233\"

This is a MIME-encapsulated message.

--=_4ZKBC.00112233
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mail.example.org.

Your message could not be delivered to the recipients below.
It's attached, whole or its header.

<user@to.example>: 550 5.1.1 no such user

--=_4ZKBC.00112233
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org
Original-Envelope-Id: QQ1
X-Switchyard-Queue-ID: 4ZKBC
Arrival-Date: Sat, 21 Nov 2026 03:00:00 +0000

Original-Recipient: rfc822;first+tag@to.example
Final-Recipient: rfc822;user@to.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.to.example
Diagnostic-Code: smtp; 550 5.1.1 no such user
Last-Attempt-Date: Sat, 21 Nov 2026 04:00:00 +0000

--=_4ZKBC.00112233
Content-Description: Undelivered message
Content-Type: message/rfc822

Received: by us
Subject: hello
From: alice@from.example

..a dot
bye

--=_4ZKBC.00112233--
";
    assert_eq!(text(&composed), expected.replace('\n', "\r\n"));
    assert_eq!((composed.body, composed.smtputf8), (Body::SevenBit, false));
}

#[test]
fn another_parser_finds_three_parts() {
    let composed = compose(&[failed("user@to.example", "550 no")], MESSAGE, Body::SevenBit, Returned::Full);
    let unstuffed = text(&composed).replace("\r\n..", "\r\n.");
    let message = MessageParser::default().parse(unstuffed.as_bytes()).unwrap();
    let kind = message.content_type().unwrap();
    assert_eq!((kind.ctype(), kind.subtype()), ("multipart", Some("report")));
    assert_eq!(kind.attribute("report-type"), Some("delivery-status"));
    let PartType::Multipart(parts) = &message.root_part().body else { panic!("not multipart") };
    let kinds: Vec<String> = parts
        .iter()
        .map(|part| message.part(*part).unwrap().content_type().unwrap())
        .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap()))
        .collect();
    assert_eq!(kinds, ["text/plain", "message/delivery-status", "message/rfc822"]);
    let PartType::Message(returned) = &message.part(parts[2]).unwrap().body else { panic!("no message") };
    assert_eq!(returned.subject(), Some("hello"));
    assert_eq!(returned.body_text(0).unwrap().trim_end(), ".a dot\r\nbye");
}

#[test]
fn b4_what_a_peer_said_is_one_bounded_line() {
    let evil =
        format!("550 no\r\nTo: <victim@x>\r\n\r\n.\r\nMAIL FROM:<>\0\u{1b}[2J {}", "x".repeat(1 << 20));
    let composed = compose(&[failed("user@to.example", &evil)], MESSAGE, Body::SevenBit, Returned::Headers);
    let text = text(&composed);
    assert!(text.len() < 2 * MAX_DIAGNOSTIC + 3000, "{}", text.len());
    for line in text.split("\r\n") {
        assert!(
            line.len() < 998 && !line.chars().any(|character| character.is_control() && character != '\t')
        );
        assert!(!line.starts_with('.') && !line.starts_with("To: <victim") && !line.starts_with("MAIL"));
    }
    let code = text.split("Diagnostic-Code: ").nth(1).unwrap().split("\r\nLast-Attempt").next().unwrap();
    assert!(code.len() <= MAX_DIAGNOSTIC + 100, "{}", code.len());
}

#[test]
fn b3_what_comes_back_is_bounded() {
    let long = format!("Subject: hello\r\n\r\n{}", "0123456789\r\n".repeat(10_000));
    for (wire, returned, kind) in [
        (MESSAGE, Returned::Headers, "text/rfc822-headers"),
        (long.as_str(), Returned::Full, "text/rfc822-headers"),
        (MESSAGE, Returned::Full, "message/rfc822"),
    ] {
        let composed = compose(&[failed("user@to.example", "550 no")], wire, Body::SevenBit, returned);
        let text = text(&composed);
        assert!(
            text.contains(&format!("Content-Type: {kind}\r\n")) && text.contains("\r\nSubject: hello\r\n")
        );
        assert_eq!(text.contains("\r\nbye\r\n"), kind == "message/rfc822");
        assert!(text.len() < 3000, "{}", text.len());
    }
    let wide = format!("{}\r\nbody\r\n", "X-Field: 0123456789\r\n".repeat(10_000));
    let composed = compose(&[failed("user@to.example", "550 no")], &wide, Body::SevenBit, Returned::Headers);
    assert!((40_000..54_000).contains(&composed.content.len()), "{}", composed.content.len());
    let binary = compose(
        &[failed("user@to.example", "550 no")],
        "A: b\r\n\r\nx\ny\r",
        Body::BinaryMime,
        Returned::Full,
    );
    assert!(!text(&binary).contains("x\ny"), "binary content cannot stand in lines of text");
}

#[test]
fn eight_bits_and_other_alphabets_have_their_types() {
    let body = compose(
        &[failed("user@to.example", "550 no")],
        "A: b\r\n\r\nGr\u{fc}\u{df}e\r\n",
        Body::EightBitMime,
        Returned::Full,
    );
    assert_eq!((body.body, body.smtputf8), (Body::EightBitMime, false));
    assert!(text(&body).contains("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
    let header = compose(
        &[failed("jos\u{e9}@to.example", "550 no")],
        "Subject: Gr\u{fc}\u{df}e\r\n\r\nx\r\n",
        Body::EightBitMime,
        Returned::Full,
    );
    let text = text(&header);
    for expected in [
        "Content-Type: message/global-delivery-status\r\n",
        "Content-Type: message/global\r\n",
        "Final-Recipient: utf-8;jos\u{e9}@to.example\r\n",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    assert!(!header.smtputf8, "its own header is ASCII");
}

// ---------------------------------------------------------------------------------------------------------

fn bouncer(per_domain: u32) -> (Bouncer, Registry) {
    let registry = Registry::new();
    let metrics = BounceMetrics::register(&registry).unwrap();
    let (clock, _) = Clock::twin(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000));
    let options = BounceOptions {
        reporting_mta: "mail.example.org".to_owned(),
        per_domain,
        ..BounceOptions::default()
    };
    (Bouncer::new(options, metrics, clock), registry)
}

fn envelope(sender: &str) -> Envelope {
    Envelope {
        sender: Sender::new(ReversePath::parse(sender).unwrap()),
        recipients: vec![Recipient::new(ForwardPath::parse("<user@to.example>").unwrap())],
    }
}

#[test]
fn b1_b3_b5_who_must_not_hear_does_not() {
    let (bouncer, registry) = bouncer(2);
    let outcome = Outcome::new(SystemTime::UNIX_EPOCH, EnhancedStatus::new(5, 1, 1), "mx", "550 no");
    let recipients = [(0, Action::Failed, &outcome)];
    let told = |envelope: &Envelope, by_hand| {
        let event = Event {
            queue_id: "4ZK",
            envelope,
            arrival: SystemTime::UNIX_EPOCH,
            retry_until: SystemTime::UNIX_EPOCH,
            recipients: &recipients,
            by_hand,
        };
        bouncer.addressee(&event).map(|to| bouncer.report(&event, to, &Content::default()))
    };
    let heard = |envelope: &Envelope| told(envelope, false);
    assert!(heard(&envelope("<>")).is_none());
    let report = heard(&envelope("<alice@from.example>")).unwrap();
    // What we make ourselves is mail that nobody ever reports about.
    assert!(report.envelope.sender.reverse_path.is_null());
    assert_eq!((report.origin, report.envelope.recipients[0].notify), (Origin::Report, Some(Notify::NEVER)));
    assert!(heard(&report.envelope).is_none());
    assert!(heard(&envelope("<other@from.example>")).is_some());
    assert!(heard(&envelope("<third@from.example>")).is_none(), "two reports for a domain, and no third");
    assert!(told(&envelope("<third@from.example>"), true).is_some(), "but the operator's");
    assert!(told(&envelope("<>"), true).is_none());
    assert!(heard(&envelope("<x@elsewhere.example>")).is_some());
    let counted = registry.encode().unwrap();
    assert!(counted.contains("switchyard_dsn_total{action=\"suppressed\"} 4\n"), "{counted}");
    assert!(counted.contains("switchyard_dsn_total{action=\"failed\"} 4\n"), "{counted}");
}

#[test]
fn notify_says_who_wants_to_hear() {
    let to = |notify| Recipient { notify, ..Recipient::new(ForwardPath::Postmaster) };
    let success = Notify { success: true, ..Notify::NEVER };
    let failure = Notify { failure: true, ..Notify::NEVER };
    for (notify, action, wanted) in [
        (None, Action::Failed, true),
        (None, Action::Delayed, true),
        (None, Action::Delivered, false),
        (Some(Notify::NEVER), Action::Failed, false),
        (Some(Notify::NEVER), Action::Delayed, false),
        (Some(success), Action::Relayed, true),
        (Some(success), Action::Delivered, true),
        (Some(success), Action::Failed, false),
        (Some(failure), Action::Failed, true),
        (Some(failure), Action::Delayed, false),
    ] {
        assert_eq!(is_wanted(&to(notify), action), wanted, "{notify:?} {action:?}");
    }
}
