//! Signing: by map, with every key the DNS shows and none that it does not; verified by Debian's dkimpy.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use switchyard_milter_protocol::response::Action;
use switchyard_tests::expect;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::mta::{Mail, Mta};
use switchyard_tests::site::{Site, quoted};

use super::{key, signing};

const MESSAGE: &str = "From: Ann <ann@example.org>\nTo: bob@example.net\nSubject: hello\nDate: Fri, 11 Jul 2003 21:00:37 -0700\n\
                       Message-ID: <1@example.org>\n\nHi Bob.\n.\n\n";

fn mail(message: &str) -> Mail<'_> {
    Mail {
        client: "192.0.2.7".parse().expect("an address"),
        hello: "client.example.org",
        sender: "ann@example.org",
        recipient: "bob@example.net",
        message,
    }
}

/// dkimpy's word on the first signature of a message, with the keys in a file of its own.
pub(super) fn dkimpy(message: &str, records: &[(&str, &str)]) -> String {
    let script = "import sys, dkim\n\
                  keys = dict(line.split('\\t') for line in sys.argv[1].split('\\n'))\n\
                  def txt(name, timeout=5):\n    \
                      return keys.get(name.decode().rstrip('.') if isinstance(name, bytes) else name.rstrip('.'), '').encode()\n\
                  verifier = dkim.DKIM(sys.stdin.buffer.read())\n\
                  print([verifier.verify(idx=number, dnsfunc=txt) for number in range(int(sys.argv[2]))])\n";
    let keys: Vec<String> = records.iter().map(|(name, text)| format!("{name}\t{text}")).collect();
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", script, &keys.join("\n"), &records.len().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let wire = message.replace("\r\n", "\n").replace('\n', "\r\n");
    python.stdin.take().expect("a pipe").write_all(wire.as_bytes()).expect("Python reads");
    let output = python.wait_with_output().expect("Python ends");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn mail_of_ours_gets_a_signature_by_every_key_the_dns_shows() {
    let site = Site::new();
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let rsa = key(&keys, "rsa.pem", "RSA");
    let ed25519 = key(&keys, "ed.pem", "ED25519");
    let _hidden = key(&keys, "hidden.pem", "ED25519");
    let other = key(&keys, "other.pem", "ED25519");
    let records = Records::default()
        .txt("rsa._domainkey.example.org", &rsa)
        .txt("ed._domainkey.example.org", &ed25519)
        // Another key's public half.
        .txt("swapped._domainkey.example.org", &other);
    let dns = Knot::start(&records);
    site.write(
        "maps/signing_keys",
        "example.org rsa:rsa.pem ed:ed.pem hidden:hidden.pem swapped:hidden.pem next:other.pem:published\n",
    );
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("sign", "networks", "[\"192.0.2.0/24\"]");
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    filter.start();

    let mut mta = Mta::connect(filter.address());
    let heard = mta.tell(&mail(MESSAGE));
    assert_eq!(heard.action, Action::Continue);
    let signatures = heard.added("DKIM-Signature");
    assert_eq!(signatures.len(), 2, "{heard:?}\n{}", filter.log_end());
    assert!(signatures[0].contains("s=rsa;") && signatures[1].contains("s=ed;"), "{signatures:?}");
    // RFC 6376 §5.4.2: once more than they are there.
    assert!(signatures[0].replace(['\n', '\t'], "").contains(":From"), "{signatures:?}");

    let mut signed = String::new();
    for signature in signatures.iter().rev() {
        signed.push_str(&format!("DKIM-Signature:{signature}\n"));
    }
    signed.push_str(MESSAGE);
    // The one put on top last stands first.
    let records =
        [("ed._domainkey.example.org", ed25519.as_str()), ("rsa._domainkey.example.org", rsa.as_str())];
    let said = dkimpy(&signed, &records);
    assert_eq!(said.trim(), "[True, True]", "{signed}");
    let forged = signed.replacen("From: Ann", "From: Eve <eve@evil.example>\nFrom: Ann", 1);
    assert_eq!(dkimpy(&forged, &records).trim(), "[False, False]", "a second author is no part of it");
    expect::holds("every key to be counted", || {
        filter.metric("switchyard_milter_keys{state=\"proven\"}") == 2.0
            && filter.metric("switchyard_milter_keys{state=\"refused\"}") == 3.0
    });

    // A rotation's next step is a line of the map.
    site.write("maps/signing_keys", "example.org rsa:rsa.pem:retired ed:ed.pem\n");
    expect::holds("the new step", || {
        mta.next_session();
        let heard = mta.tell(&mail(MESSAGE));
        heard.added("DKIM-Signature").len() == 1
    });
}

#[test]
fn mail_of_others_is_never_signed_and_an_unlisted_domain_goes_on_as_it_came() {
    let site = Site::new();
    let (mut filter, _dns, _) = signing(&site, "192.0.2.0/24");
    filter.start();
    let mut mta = Mta::connect(filter.address());
    let unlisted = MESSAGE.replace("example.org", "example.com");
    assert!(mta.tell(&mail(&unlisted)).edits.is_empty());
    mta.next_session();
    let stranger = Mail { client: "198.51.100.7".parse().expect("an address"), ..mail(MESSAGE) };
    let heard = mta.tell(&stranger);
    assert!(heard.added("DKIM-Signature").is_empty(), "{heard:?}");
    assert_eq!(heard.added("Authentication-Results").len(), 1, "{heard:?}");
}
