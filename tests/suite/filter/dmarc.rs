//! The worked examples of RFC 9989: how far up the tree of names a policy and an organization are looked for.

use switchyard_tests::peer::knot::{Knot, Records};

use super::rfc::{ask, verdict, verifying};

/// Policies, then mail of this author from this sender, and what is told of it under whose policy.
struct Example {
    policies: &'static [(&'static str, &'static str)],
    mail: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

const EXAMPLES: &[Example] = &[
    // §4.10.2, first example: the record with the fewest labels.
    Example {
        policies: &[("mail.example.com", "p=quarantine"), ("example.com", "p=reject")],
        mail: &[
            ("a.mail.example.com", "other.example.com", "pass", "reject"),
            ("a.mail.example.com", "example.com", "pass", "reject"),
            ("a.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §4.10.2, second example: a record that says of itself that it is no public suffix.
    Example {
        policies: &[("mail.example.com", "p=reject; psd=n"), ("example.com", "p=none")],
        mail: &[
            ("a.mail.example.com", "b.mail.example.com", "pass", "reject"),
            ("a.mail.example.com", "other.example.com", "fail", "reject"),
        ],
    },
    // §4.10.2, last example: the name below a public suffix.
    Example {
        policies: &[("com", "p=reject; psd=y")],
        mail: &[
            ("a.mail.example.com", "other.example.com", "pass", "reject"),
            ("a.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §4.10: eight questions for thirteen labels, and none for those left out.
    Example {
        policies: &[("f.g.h.i.j.mail.example.com", "p=none; psd=n"), ("example.com", "p=reject")],
        mail: &[
            ("a.b.c.d.e.f.g.h.i.j.mail.example.com", "example.com", "pass", "reject"),
            ("a.b.c.d.e.f.g.h.i.j.mail.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // §5.1.7: an organization's part that lies too deep to be found.
    Example {
        policies: &[("b.c.d.e.f.g.example.com", "p=none; psd=n"), ("example.com", "p=reject")],
        mail: &[
            ("mail.a.b.c.d.e.f.g.example.com", "example.com", "pass", "reject"),
            ("mail.a.b.c.d.e.f.g.example.com", "rival.com", "fail", "reject"),
        ],
    },
    // The same with a record of its own, as it advises.
    Example {
        policies: &[("mail.a.b.c.d.e.f.g.example.com", "p=quarantine"), ("example.com", "p=reject")],
        mail: &[("mail.a.b.c.d.e.f.g.example.com", "rival.com", "fail", "quarantine")],
    },
    // §4.10 step 6: two records are none.
    Example {
        policies: &[
            ("a.example.com", "p=none"),
            ("a.example.com", "p=none; t=y"),
            ("example.com", "p=reject"),
        ],
        mail: &[("a.example.com", "rival.com", "fail", "reject")],
    },
];

#[test]
fn rfc9989_policies_and_organizations_are_found_up_the_tree() {
    for Example { policies, mail } in EXAMPLES {
        let mut records = Records::default();
        for (name, policy) in *policies {
            records = records.txt(&format!("_dmarc.{name}"), &format!("v=DMARC1; {policy}"));
        }
        for sender in ["example.com", "other.example.com", "b.mail.example.com", "rival.com"] {
            records = records.txt(sender, "v=spf1 ip4:192.0.2.1 -all");
        }
        let dns = Knot::start(&records);
        let (_site, filter) = verifying(&dns, |_| ());
        for (author, sender, word, policy) in *mail {
            let message = format!("From: a@{author}\nSubject: x\n\nx\n");
            let told = verdict(&ask(&filter, "192.0.2.1", &format!("a@{sender}"), &message));
            assert!(told.contains(&format!("dmarc={word}")), "{author} by {sender}, {policies:?}: {told}");
            assert!(told.contains(&format!("policy.dmarc={policy}")), "{author}, {policies:?}: {told}");
        }
    }
}
