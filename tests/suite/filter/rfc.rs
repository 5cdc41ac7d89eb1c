//! The worked examples of RFC 7208, RFC 6376, RFC 8463 and RFC 9989, with Knot as the DNS they describe; and A8.

use switchyard_milter_protocol::edit::Edit;
use switchyard_milter_protocol::response::Action;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::mta::{Heard, Mail, Mta};
use switchyard_tests::site::Site;
use switchyard_tests::site::daemon::Daemon;

const PLAIN: &str = "From: a@nowhere.invalid\nSubject: x\n\nx\n";

/// What a filter says about one message.
pub(super) fn ask(filter: &Daemon, client: &str, sender: &str, message: &str) -> Heard {
    let mail = Mail {
        client: client.parse().expect("an address"),
        hello: "mail.client.invalid",
        sender,
        recipient: "bob@ours.example",
        message,
    };
    Mta::connect(filter.address()).tell(&mail)
}

pub(super) fn verdict(heard: &Heard) -> String {
    let mut verdicts = heard.added("Authentication-Results");
    assert_eq!(verdicts.len(), 1, "{heard:?}");
    verdicts.remove(0)
}

pub(super) fn verifying(dns: &Knot, more: impl FnOnce(&mut Daemon)) -> (Site, Daemon) {
    let site = Site::new();
    let mut filter = site.filter("mx", dns.address());
    more(&mut filter);
    filter.start();
    (site, filter)
}

/// RFC 7208 Appendix A: the hosts of example.com, under as many names as there are records to try.
fn rfc7208(records: &[&str]) -> Records {
    let mut zone = Records::default();
    for (number, spf) in records.iter().enumerate() {
        let name = format!("c{number}.example.com");
        zone = zone
            .txt(&name, spf)
            .record(&name, "A 192.0.2.10")
            .record(&name, "A 192.0.2.11")
            .record(&name, "MX 10 mail-a.example.com.")
            .record(&name, "MX 20 mail-b.example.com.");
    }
    for (name, data) in [
        ("amy.example.com", "A 192.0.2.65"),
        ("bob.example.com", "A 192.0.2.66"),
        ("mail-a.example.com", "A 192.0.2.129"),
        ("mail-b.example.com", "A 192.0.2.130"),
        ("example.org", "MX 10 mail-c.example.org."),
        ("mail-c.example.org", "A 192.0.2.140"),
        ("example.com", "TXT \"v=spf1 ptr -all\""),
        ("example.com", "A 192.0.2.10"),
        ("10.2.0.192.in-addr.arpa", "PTR example.com."),
        ("65.2.0.192.in-addr.arpa", "PTR amy.example.com."),
        ("140.2.0.192.in-addr.arpa", "PTR mail-c.example.org."),
        ("4.0.0.10.in-addr.arpa", "PTR bob.example.com."),
        // A.3: users of a domain as names in it.
        ("mobile.example.com", "TXT \"v=spf1 exists:%{l1r+}.%{d}\""),
        ("mary.mobile.example.com", "A 127.0.0.2"),
        ("remote.example.com", "TXT \"v=spf1 exists:%{ir}.%{l1r+}.%{d}\""),
        ("15.15.168.192.joel.remote.example.com", "A 127.0.0.2"),
        // A.2: several domains with one policy.
        ("many.example.net", "TXT \"v=spf1 include:c8.example.com include:c3.example.com -all\""),
        ("la.example.net", "TXT \"v=spf1 redirect=many.example.net\""),
    ] {
        zone = zone.record(name, data);
    }
    zone
}

#[test]
fn rfc7208_examples() {
    let records = [
        "v=spf1 +all",
        "v=spf1 a -all",
        "v=spf1 a:example.org -all",
        "v=spf1 mx -all",
        "v=spf1 mx:example.org -all",
        "v=spf1 mx mx:example.org -all",
        "v=spf1 mx/30 mx:example.org/30 -all",
        "v=spf1 ptr:example.com -all",
        "v=spf1 ip4:192.0.2.128/28 -all",
    ];
    let dns = Knot::start(&rfc7208(&records));
    let (_site, filter) = verifying(&dns, |_| ());
    for (domain, client, expected) in [
        ("c0.example.com", "203.0.113.9", "pass"),
        ("c1.example.com", "192.0.2.10", "pass"),
        ("c1.example.com", "192.0.2.11", "pass"),
        ("c1.example.com", "192.0.2.12", "fail"),
        ("c2.example.com", "192.0.2.10", "fail"),
        ("c3.example.com", "192.0.2.129", "pass"),
        ("c3.example.com", "192.0.2.130", "pass"),
        ("c3.example.com", "192.0.2.10", "fail"),
        ("c4.example.com", "192.0.2.140", "pass"),
        ("c4.example.com", "192.0.2.129", "fail"),
        ("c5.example.com", "192.0.2.140", "pass"),
        ("c5.example.com", "192.0.2.130", "pass"),
        ("c6.example.com", "192.0.2.131", "pass"),
        ("c6.example.com", "192.0.2.143", "pass"),
        ("c6.example.com", "192.0.2.144", "fail"),
        ("c7.example.com", "192.0.2.65", "pass"),
        ("c7.example.com", "192.0.2.140", "fail"),
        ("c7.example.com", "10.0.0.4", "fail"),
        ("example.com", "192.0.2.65", "pass"),
        ("example.com", "10.0.0.4", "fail"),
        ("c8.example.com", "192.0.2.65", "fail"),
        ("c8.example.com", "192.0.2.129", "pass"),
        ("many.example.net", "192.0.2.129", "pass"),
        ("many.example.net", "192.0.2.65", "fail"),
        ("la.example.net", "192.0.2.129", "pass"),
        ("la.example.net", "192.0.2.65", "fail"),
        ("no-policy.example.com", "192.0.2.129", "none"),
    ] {
        let said = verdict(&ask(&filter, client, &format!("user@{domain}"), PLAIN));
        assert!(said.contains(&format!("spf={expected} ")), "{domain} from {client}: {said}");
        assert!(said.contains(&format!("smtp.mailfrom=user@{domain}")), "{said}");
    }
    for (sender, client, expected) in [
        ("mary@mobile.example.com", "203.0.113.9", "pass"),
        ("fred@mobile.example.com", "203.0.113.9", "neutral"),
        ("joel@remote.example.com", "192.168.15.15", "pass"),
        ("joel@remote.example.com", "192.168.15.16", "neutral"),
    ] {
        let said = verdict(&ask(&filter, client, sender, PLAIN));
        assert!(said.contains(&format!("spf={expected} ")), "{sender} from {client}: {said}");
    }
}

/// RFC 6376 Appendix A.2 and C.
const RFC6376: &str = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
";
const BRISBANE: &str = "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";

/// RFC 8463 Appendix A.
const RFC8463: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
";

#[test]
fn rfc6376_and_rfc8463_examples() {
    let records = Records::default()
        .txt("brisbane._domainkey.example.com", BRISBANE)
        .txt("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
        .txt("test._domainkey.football.example.com", "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB");
    let dns = Knot::start(&records);
    let (_site, filter) = verifying(&dns, |_| ());
    let said = verdict(&ask(&filter, "192.0.2.1", "joe@football.example.com", RFC6376));
    assert!(said.contains("dkim=pass header.i=joe@football.example.com"), "{said}");
    let said = verdict(&ask(&filter, "192.0.2.1", "joe@football.example.com", RFC8463));
    assert_eq!(said.matches("dkim=pass").count(), 2, "{said}");
    // The keys signed this, and nothing else.
    for (message, passes) in [(RFC6376, 0), (RFC8463, 0)] {
        let said = verdict(&ask(&filter, "192.0.2.1", "joe@x.invalid", &message.replace("dinner", "supper")));
        assert_eq!(said.matches("dkim=pass").count(), passes, "{said}");
        assert!(said.contains("dkim=fail"), "{said}");
        let said =
            verdict(&ask(&filter, "192.0.2.1", "joe@x.invalid", &message.replace("hungry", "thirsty")));
        assert_eq!(said.matches("dkim=pass").count(), passes, "{said}");
    }
}

/// RFC 9989 §4.10: policies by the tree, and what each setting makes of them.
#[test]
fn rfc9989_policies_are_found_and_obeyed_as_far_as_the_settings_say() {
    let records = Records::default()
        .txt("_dmarc.example.com", "v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:r@example.com")
        .txt("example.com", "v=spf1 ip4:192.0.2.1 -all")
        .record("shop.example.com", "A 192.0.2.1")
        .txt("_dmarc.watch.example", "v=DMARC1; p=none")
        .txt("_dmarc.try.example", "v=DMARC1; p=reject; t=y");
    let dns = Knot::start(&records);
    for (setting, author, client, word, becomes) in [
        ("tell", "example.com", "203.0.113.9", "dmarc=fail", "pass"),
        ("tell", "example.com", "192.0.2.1", "dmarc=pass", "pass"),
        ("quarantine", "example.com", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "example.com", "203.0.113.9", "", "refuse"),
        ("obey", "example.com", "192.0.2.1", "dmarc=pass", "pass"),
        ("obey", "shop.example.com", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "gone.example.com", "203.0.113.9", "", "refuse"),
        ("obey", "watch.example", "203.0.113.9", "dmarc=fail", "pass"),
        ("obey", "try.example", "203.0.113.9", "dmarc=fail", "hold"),
        ("obey", "quiet.example", "203.0.113.9", "", "pass"),
    ] {
        let (_site, filter) =
            verifying(&dns, |filter| filter.settings.set("verify", "dmarc", &format!("{setting:?}")));
        let message = format!("From: a@{author}\nSubject: x\n\nx\n");
        let heard = ask(&filter, client, "a@example.com", &message);
        let held = heard.edits.iter().any(|edit| matches!(edit, Edit::Quarantine(_)));
        let became = match &heard.action {
            Action::Continue if held => "hold",
            Action::Continue => "pass",
            Action::Reply(reply) if reply.code() == 550 && reply.status() == Some((5, 7, 26)) => "refuse",
            other => panic!("{other:?}"),
        };
        assert_eq!(became, becomes, "{setting} {author} from {client}: {heard:?}\n{}", filter.log_end());
        if becomes == "refuse" {
            assert!(heard.edits.is_empty(), "what is refused is not changed");
        } else {
            assert!(verdict(&heard).contains(word), "{author}: {heard:?}");
        }
    }
}

#[test]
fn a8_verdicts_in_our_name_are_removed_before_anybody_reads_them() {
    let dns = Knot::start(&Records::default());
    let (_site, filter) = verifying(&dns, |_| ());
    let mut message = String::new();
    for _ in 0..50 {
        message.push_str("Authentication-Results: mx.example.org; dmarc=pass header.from=bank.example\n");
    }
    message.push_str("authentication-results:\n\t(mx) MX.EXAMPLE.ORG;\n\tdkim=pass\n");
    message.push_str("Authentication-Results: other.example; spf=pass\n");
    message.push_str(PLAIN);
    let heard = ask(&filter, "192.0.2.1", "a@nowhere.invalid", &message);
    let removed: Vec<u32> = heard
        .edits
        .iter()
        .filter_map(|edit| match edit {
            Edit::ChgHeader { index, field } if field.value.is_empty() => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(removed, (1..=51).rev().collect::<Vec<u32>>(), "the last first, and not the other host's");
    assert!(verdict(&heard).trim_start().starts_with("mx.example.org;"), "{heard:?}");
    assert_eq!(filter.metric("switchyard_milter_forged_verdicts_total"), 51.0);
}
