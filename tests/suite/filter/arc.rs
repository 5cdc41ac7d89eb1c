//! ARC: chains that dkimpy sealed and that real hosts did, whole and with every fault; and our own seal on top.
//!
//! RFC 8617 shows no keys for its example (Appendix B), so its way is gone again with keys of ours.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use switchyard_tests::corpus;
use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::peer::mta::Heard;
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

use super::ask::{ask, verdict, verifying};
use super::rsa_key;

const MESSAGE: &str = "From: John Q Doe <jqd@d1.example>\nTo: arc@dmarc.example\nSubject: Example 1\n\
                       Date: Thu, 14 Jan 2015 15:00:01 -0800\nMessage-ID: <54B84785.1060301@d1.example>\n\n\
                       Hey gang,\nThis is a test message.\n--J.\n";

/// The hosts of RFC 8617 Appendix B.
const HOPS: [&str; 3] = ["lists.example.org", "gmail.example", "clochette.example.org"];

/// Keys for all hops, and a filter that sees them in the DNS.
pub(super) struct Way {
    site: Site,
    filter: Daemon,
    record: String,
    _dns: Knot,
}

impl Way {
    fn new(more: impl FnOnce(&Site, &mut Daemon)) -> Self {
        Self::with_keys("2048", more)
    }

    /// With RSA keys of so many bits.
    pub(super) fn with_keys(bits: &str, more: impl FnOnce(&Site, &mut Daemon)) -> Self {
        let site = Site::new();
        fs::create_dir(site.path("keys")).expect("a folder for keys");
        let record = rsa_key(&site.path("keys"), "arc.pem", bits);
        let mut records = Records::default().txt("arc._domainkey.example.net", &record);
        for domain in HOPS {
            records = records.txt(&format!("arc._domainkey.{domain}"), &record);
        }
        let dns = Knot::start(&records);
        let mut filter = site.filter("mx", dns.address());
        more(&site, &mut filter);
        filter.start();
        Self { site, filter, record, _dns: dns }
    }

    /// The filter's verdict on a message, as the value of a field.
    pub(super) fn told(&self, message: &str) -> String {
        verdict(&ask(&self.filter, "192.0.2.1", "jqd@d1.example", message))
    }

    /// The message with one more set over the filter's verdict, made by dkimpy.
    fn sealed_again(&self, message: &str, domain: &str, told: &str) -> String {
        let verdict = format!("Authentication-Results:{}\n", told.replace("\r\n", "\n"));
        let sealed = arcsign(&self.site.path("keys/arc.pem"), &format!("{verdict}{message}"), domain);
        assert!(sealed.starts_with("ARC-Seal: i="), "dkimpy did not seal:\n{verdict}\n{sealed}");
        sealed.replacen(&verdict, "", 1)
    }

    /// A message with one set.
    pub(super) fn sealed(&self, domain: &str) -> String {
        self.sealed_again(MESSAGE, domain, &self.told(MESSAGE))
    }

    /// A chain of three sets.
    fn gone(&self) -> String {
        let mut message = MESSAGE.to_owned();
        for (number, domain) in HOPS.into_iter().enumerate() {
            let told = self.told(&message);
            assert_eq!(told.contains("arc=pass"), number > 0, "{told}");
            // What a list adds breaks the signatures before it, and no seal (RFC 8617 §5.2).
            if number == 1 {
                message.push_str("\n_______\narc mailing list\n");
            }
            message = self.sealed_again(&message, domain, &told);
        }
        message
    }
}

fn arcsign(key: &Path, message: &str, domain: &str) -> String {
    let mut arcsign = Command::new("/usr/bin/arcsign")
        .args(["arc", domain])
        .arg(key)
        .arg("mx.example.org")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("arcsign starts: is python3-dkim installed?");
    let wire = message.replace('\n', "\r\n");
    arcsign.stdin.take().expect("a pipe").write_all(wire.as_bytes()).expect("arcsign reads");
    let output = arcsign.wait_with_output().expect("arcsign ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").replace("\r\n", "\n")
}

/// dkimpy's word on the chain of a message whose hops all have one key.
pub(super) fn arcverify(message: &str, record: &str) -> String {
    python(
        "word, _, why = dkim.arc_verify(text, dnsfunc=txt)\n\
         print(word.decode() if word else word, why)\n",
        message,
        &[record],
    )
}

/// dkimpy's word on one set: what it says of the chain, and whether its signature and its seal are good.
fn of_set(message: &str, instance: u8, record: &str) -> String {
    python(
        "arc = dkim.ARC(text)\n\
         said = arc.verify_instance(arc.sorted_arc_headers()[1], int(sys.argv[2]), dnsfunc=txt)\n\
         print(said['cv'].decode(), said['ams-valid'], said['as-valid'])\n",
        message,
        &[record, &instance.to_string()],
    )
}

/// What dkimpy's functions say of a message, `text`, with one record, `txt`, at every name.
fn python(script: &str, message: &str, arguments: &[&str]) -> String {
    let head = "import sys, dkim\n\
                text, txt = sys.stdin.buffer.read(), lambda *a, **k: sys.argv[1].encode()\n";
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", &format!("{head}{script}")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let wire = message.replace("\r\n", "\n").replace('\n', "\r\n");
    python.stdin.take().expect("a pipe").write_all(wire.as_bytes()).expect("Python reads");
    String::from_utf8(python.wait_with_output().expect("Python ends").stdout).expect("text")
}

/// Fields with their folded lines, and the rest from the empty line on.
fn parted(message: &str) -> (Vec<String>, &str) {
    let (header, _) = message.split_once("\n\n").expect("a header");
    let mut fields: Vec<String> = Vec::new();
    for line in header.split_inclusive('\n') {
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.push_str(line),
            _ => fields.push(line.to_owned()),
        }
    }
    (fields, &message[header.len()..])
}

/// Without the fields that begin so.
fn without(message: &str, starts: &[&str]) -> String {
    let (fields, rest) = parted(message);
    let kept = fields.into_iter().filter(|field| !starts.iter().any(|start| field.starts_with(start)));
    kept.chain([rest.to_owned()]).collect()
}

/// The three fields of a set.
fn set(instance: u8) -> [String; 3] {
    ["Seal", "Message-Signature", "Authentication-Results"].map(|name| format!("ARC-{name}: i={instance};"))
}

fn without_set(message: &str, instance: u8) -> String {
    without(message, &set(instance).each_ref().map(String::as_str))
}

fn doubled(message: &str, instance: u8) -> String {
    let (fields, _) = parted(message);
    let twice = fields.into_iter().filter(|field| set(instance).iter().any(|start| field.starts_with(start)));
    twice.chain([message.to_owned()]).collect()
}

fn in_another_order(message: &str) -> String {
    let (mut fields, rest) = parted(message);
    fields.sort_by_key(|field| if field.starts_with("ARC-") { field.clone() } else { "Z".to_owned() });
    fields.into_iter().chain([rest.to_owned()]).collect()
}

#[test]
fn chains_made_by_dkimpy_pass_whole_and_fail_with_any_fault() {
    let way = Way::new(|_, _| ());
    let chain = way.gone();
    let unseen = way.sealed("no-key.example");
    let long: String = (1..=51)
        .flat_map(|number| {
            let (fields, _) = parted(&unseen);
            let of_chain = fields.into_iter().filter(|field| field.starts_with("ARC-"));
            of_chain.map(move |field| field.replacen("i=1;", &format!("i={number};"), 1)).collect::<Vec<_>>()
        })
        .collect();
    for (what, message, expected) in [
        ("whole", chain.clone(), "pass"),
        ("another trace on top", format!("Received: from a.example by b.example; x\n{chain}"), "pass"),
        ("fields in another order", in_another_order(&chain), "pass"),
        // RFC 8617 §9.3: the newest set cannot be missed.
        ("the newest set gone", without_set(&chain, 3), "pass"),
        ("another body", chain.replacen("a test message", "no test message", 1), "fail"),
        ("another subject", chain.replacen("Subject: Example 1", "Subject: Example 2", 1), "fail"),
        ("an older verdict", chain.replacen("i=1; mx.example.org", "i=1; mx.example.com", 1), "fail"),
        ("a newer verdict", chain.replacen("i=3; mx.example.org", "i=3; mx.example.com", 1), "fail"),
        ("a first set with a past", chain.replacen("cv=none", "cv=pass", 1), "fail"),
        ("a set that has failed", chain.replacen("i=3; cv=pass", "i=3; cv=fail", 1), "fail"),
        ("a later set without a past", chain.replacen("i=2; cv=pass", "i=2; cv=none", 1), "fail"),
        ("the first set gone", without_set(&chain, 1), "fail"),
        ("a set between gone", without_set(&chain, 2), "fail"),
        ("a signature gone", without(&chain, &["ARC-Message-Signature: i=2;"]), "fail"),
        ("a seal gone", without(&chain, &["ARC-Seal: i=3;"]), "fail"),
        ("a verdict gone", without(&chain, &["ARC-Authentication-Results: i=1;"]), "fail"),
        ("all signatures gone", without(&chain, &["ARC-Message-Signature:"]), "fail"),
        ("a set twice", doubled(&chain, 2), "fail"),
        ("an instance of nothing", chain.replacen("ARC-Seal: i=1;", "ARC-Seal: i=0;", 1), "fail"),
        ("no instance", chain.replacen("ARC-Seal: i=1;", "ARC-Seal:", 1), "fail"),
        ("more than fifty sets", format!("{long}{MESSAGE}"), "fail"),
        ("a key nobody shows", unseen, "fail"),
        ("no chain", MESSAGE.to_owned(), "none"),
    ] {
        let told = way.told(&message);
        let word = told.split_once("arc=").map_or("none", |(_, rest)| &rest[..4]);
        assert_eq!(word, expected, "{what}: {told}\n{message}");
        // dkimpy takes fields as they stand, has no bound, and asks for no key where there is only one.
        if !matches!(
            what,
            "fields in another order" | "a key nobody shows" | "all signatures gone" | "more than fifty sets"
        ) {
            let theirs = arcverify(&message, &way.record);
            let theirs = theirs.split(' ').next().unwrap_or_default().replace("None", "fail");
            assert_eq!(theirs.trim(), expected, "dkimpy on {what}");
        }
    }
}

#[test]
fn what_we_seal_dkimpy_verifies_and_a_broken_chain_is_said_to_be_broken() {
    let way = Way::new(|site, filter| {
        site.write("maps/signing_keys", "example.net arc:arc.pem\n");
        filter.settings.set("verify", "seal", "\"example.net\"");
        filter.settings.set("sign", "keys", &quoted(site.path("keys").display()));
        filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    });
    let chain = way.gone();
    for (message, instance) in [(MESSAGE, 1), (chain.as_str(), 4)] {
        let heard = ask(&way.filter, "192.0.2.1", "jqd@d1.example", message);
        assert!(heard.added("ARC-Seal")[0].contains(&format!("i={instance};")), "{heard:?}");
        let sealed = on_top(&heard, message);
        assert_eq!(arcverify(&sealed, &way.record).trim(), "pass success", "{sealed}");
        assert!(way.told(&sealed).contains("arc=pass"));
    }
    // RFC 8617 §5.1.2: whoever finds a chain broken says so under a seal over its own set alone.
    for broken in [
        chain.replacen("ARC-Seal: i=1;", "ARC-Seal:", 1),
        chain.replacen("a test message", "no test message", 1),
        without_set(&chain, 1),
    ] {
        let heard = ask(&way.filter, "192.0.2.1", "jqd@d1.example", &broken);
        assert!(
            heard.added("ARC-Seal")[0].contains("i=4; ") && heard.added("ARC-Seal")[0].contains("cv=fail;")
        );
        let ours = on_top(&heard, &without(&broken, &["ARC-"]));
        assert_eq!(of_set(&ours, 4, &way.record).trim(), "fail True True", "{ours}");
        // RFC 8617 §5.1: and that is the last word on it.
        let heard = ask(&way.filter, "192.0.2.1", "jqd@d1.example", &on_top(&heard, &broken));
        assert!(verdict(&heard).contains("arc=fail") && heard.added("ARC-Seal").is_empty(), "{heard:?}");
    }
    // RFC 8617 §4.2.1: there is no set with a higher number.
    let full = chain.replace("i=3;", "i=50;");
    assert!(ask(&way.filter, "192.0.2.1", "jqd@d1.example", &full).added("ARC-Seal").is_empty());
}

/// The message under the set that the filter put on top of it.
fn on_top(heard: &Heard, message: &str) -> String {
    let mut sealed = message.to_owned();
    for name in ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"] {
        let [value] = &heard.added(name)[..] else { panic!("not one {name}: {heard:?}") };
        sealed.insert_str(0, &format!("{name}:{}\n", value.replace("\r\n", "\n")));
    }
    sealed
}

#[test]
fn chains_of_real_messages_pass() {
    for name in ["001.txt", "002.txt"] {
        let text = fs::read_to_string(corpus::folder().join("mail-auth/arc").join(name))
            .expect("a message: run `cargo xtask peers`");
        let (keys, message) = text.split_once("\n\n").expect("keys and a message");
        let mut records = Records::default();
        for (name, record) in keys.lines().filter_map(|line| line.split_once(' ')) {
            records = records.txt(name, record);
        }
        let dns = Knot::start(&records);
        let (_site, filter) = verifying(&dns, |_| ());
        let told = verdict(&ask(&filter, "192.0.2.1", "a@nowhere.invalid", message));
        assert!(told.contains("arc=pass") && told.contains("dkim=pass"), "{name}: {told}");
    }
}
