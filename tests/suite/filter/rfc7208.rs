//! The worked examples of RFC 7208 (Appendix A and §7.4), with Knot as the DNS they describe.

use switchyard_tests::peer::knot::{Knot, Records};

use super::ask::{PLAIN, ask, verdict, verifying};

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
        // A.4: several conditions that must all hold.
        ("all.example.com", "TXT \"v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all\""),
        ("ip4._spf.all.example.com", "TXT \"v=spf1 -ip4:192.0.2.0/24 +all\""),
        ("ptr._spf.all.example.com", "TXT \"v=spf1 -ptr:example.com +all\""),
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
        ("all.example.com", "192.0.2.65", "pass"),
        ("all.example.com", "192.0.2.129", "fail"),
        ("all.example.com", "10.0.0.4", "fail"),
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

/// §7.4: a macro, and what it stands for when strong-bad@email.example.com sends from 192.0.2.3.
const MACROS: &[(&str, &str)] = &[
    ("%{o}", "email.example.com"),
    ("%{d}", "email.example.com"),
    ("%{d4}", "email.example.com"),
    ("%{d3}", "email.example.com"),
    ("%{d2}", "example.com"),
    ("%{d1}", "com"),
    ("%{dr}", "com.example.email"),
    ("%{d2r}", "example.email"),
    ("%{l}", "strong-bad"),
    ("%{l-}", "strong.bad"),
    ("%{lr}", "strong-bad"),
    ("%{lr-}", "bad.strong"),
    ("%{l1r-}", "strong"),
    ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
    ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
    ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
    ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
    ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
];

/// The same from 2001:db8::cb01.
const MACRO_OF_IPV6: (&str, &str) = (
    "%{ir}.%{v}._spf.%{d2}",
    "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com",
);

#[test]
fn rfc7208_macros_stand_for_what_it_says() {
    // One name server for all of them: in each, another label stands for `example`.
    let mut records = Records::default();
    let mut asked = Vec::new();
    let of_ipv4 = MACROS.iter().map(|example| (example, "192.0.2.3"));
    for (number, ((name, stands_for), client)) in
        of_ipv4.chain([(&MACRO_OF_IPV6, "2001:db8::cb01")]).enumerate()
    {
        let here = |text: &str| text.replace("example", &format!("e{number}"));
        let domain = here("email.example.com");
        // Only where the macro stands for just this is there an address.
        records = records
            .txt(&domain, &format!("v=spf1 exists:{}.here.net -all", here(name)))
            .record(&format!("{}.here.net", here(stands_for)), "A 127.0.0.2");
        asked.push((format!("strong-bad@{domain}"), client, *name));
    }
    let dns = Knot::start(&records);
    let (_site, filter) = verifying(&dns, |_| ());
    let otherwise = |(sender, client, _): &(String, &str, &str)| {
        !verdict(&ask(&filter, client, sender, PLAIN)).contains("spf=pass ")
    };
    let wrong: Vec<_> = asked.into_iter().filter(otherwise).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
