//! The worked example of RFC 8463 (Appendix A): its message is verified, and its key signs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::site::{Site, quoted};

use super::ask::{ask, verdict, verifying};
use super::sign::dkimpy;

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

/// §A.2: both public halves.
const ED25519: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";
/// §A.1: the secret half of the first, as OpenSSL writes it: sixteen octets that say what it is (RFC 8410), and it.
const SECRET: &str = "-----BEGIN PRIVATE KEY-----\n\
                      MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                      -----END PRIVATE KEY-----\n";

fn records() -> Records {
    Records::default()
        .txt("brisbane._domainkey.football.example.com", ED25519)
        .txt("test._domainkey.football.example.com", RSA)
}

#[test]
fn rfc8463_example_passes_and_nothing_else_under_its_signatures() {
    let dns = Knot::start(&records());
    let (_site, filter) = verifying(&dns, |_| ());
    let told = |message: &str| verdict(&ask(&filter, "192.0.2.1", "joe@football.example.com", message));
    let said = told(RFC8463);
    assert_eq!(said.matches("dkim=pass").count(), 2, "{said}");
    for changed in [RFC8463.replace("dinner", "supper"), RFC8463.replace("hungry", "thirsty")] {
        let said = told(&changed);
        assert!(said.contains("dkim=fail") && !said.contains("dkim=pass"), "{said}");
    }
}

#[test]
fn rfc8463_key_signs_its_message_and_dkimpy_verifies_it() {
    let dns = Knot::start(&records());
    let site = Site::new();
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let mut file = fs::File::create(keys.join("brisbane.pem")).expect("a key file");
    file.write_all(SECRET.as_bytes()).expect("room for a key");
    file.set_permissions(fs::Permissions::from_mode(0o600)).expect("a key for us alone");
    site.write("maps/signing_keys", "football.example.com brisbane:brisbane.pem\n");
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("sign", "networks", "[\"192.0.2.0/24\"]");
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    filter.start();
    let (_, bare) = RFC8463.split_once("From: Joe").expect("an author");
    let bare = format!("From: Joe{bare}");
    let heard = ask(&filter, "192.0.2.1", "joe@football.example.com", &bare);
    let [signature] = &heard.added("DKIM-Signature")[..] else {
        panic!("{heard:?}\n{}", filter.log_end());
    };
    let signed = format!("DKIM-Signature:{signature}\n{bare}");
    let said = dkimpy(&signed, &[("brisbane._domainkey.football.example.com", ED25519)]);
    assert_eq!(said.trim(), "[True]", "{signed}");
}
