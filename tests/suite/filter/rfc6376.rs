//! The worked example of RFC 6376 (Appendix A), with Knot as the DNS it describes.

use switchyard_tests::peer::knot::{Knot, Records};

use super::ask::{ask, verdict, verifying};

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

#[test]
fn rfc6376_example_passes_and_nothing_else_under_its_signature() {
    let dns = Knot::start(&Records::default().txt("brisbane._domainkey.example.com", BRISBANE));
    let (_site, filter) = verifying(&dns, |_| ());
    let told = |message: &str| verdict(&ask(&filter, "192.0.2.1", "joe@football.example.com", message));
    let said = told(RFC6376);
    assert!(said.contains("dkim=pass header.i=joe@football.example.com"), "{said}");
    for changed in [RFC6376.replace("dinner", "supper"), RFC6376.replace("hungry", "thirsty")] {
        let said = told(&changed);
        assert!(said.contains("dkim=fail") && !said.contains("dkim=pass"), "{said}");
    }
}
