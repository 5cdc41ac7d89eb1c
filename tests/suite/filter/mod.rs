//! The suite's filter: what it proves of a message, what it signs, and what becomes of that at real MTAs.

mod arc;
mod ask;
mod events;
mod forged;
mod headers;
mod idle;
mod postfix;
mod reload;
mod reports;
mod rfc6376;
mod rfc7208;
mod rfc8463;
mod rfc8617;
mod rfc9989;
mod room;
mod sendmail;
mod sign;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use switchyard_tests::peer::knot::{Knot, Records};
use switchyard_tests::site::daemon::Daemon;
use switchyard_tests::site::{Site, quoted};

/// A filter, not started yet, that signs mail of `example.org` from a network with one key, which the DNS beside it
/// shows; and the text of its record.
fn signing(site: &Site, network: &str) -> (Daemon, Knot, String) {
    let keys = site.path("keys");
    fs::create_dir(&keys).expect("a folder for keys");
    let record = key(&keys, "ed.pem", "ED25519");
    let dns = Knot::start(&Records::default().txt("ed._domainkey.example.org", &record));
    site.write("maps/signing_keys", "example.org ed:ed.pem\n");
    let mut filter = site.filter("filter", dns.address());
    filter.settings.set("sign", "networks", &format!("[\"{network}\"]"));
    filter.settings.set("sign", "keys", &quoted(keys.display()));
    filter.settings.set("maps", "signing_keys", "\"signing_keys\"");
    (filter, dns, record)
}

/// A private key in a file of the site, made by OpenSSL, and the text of its DNS record.
fn key(folder: &Path, name: &str, algorithm: &str) -> String {
    match algorithm {
        "RSA" => rsa_key(folder, name, "2048"),
        _ => made_key(folder, name, algorithm, &[]),
    }
}

/// The same, of so many bits.
fn rsa_key(folder: &Path, name: &str, bits: &str) -> String {
    made_key(folder, name, "RSA", &["-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
}

fn made_key(folder: &Path, name: &str, algorithm: &str, options: &[&str]) -> String {
    let file = folder.join(name);
    let mut make = Command::new("/usr/bin/openssl");
    make.args(["genpkey", "-algorithm", algorithm, "-out"]).arg(&file).args(options).stderr(Stdio::null());
    assert!(make.status().expect("OpenSSL starts").success(), "no key was made");
    let public = Command::new("/usr/bin/openssl")
        .args(["pkey", "-pubout", "-outform", "DER", "-in"])
        .arg(&file)
        .output()
        .expect("OpenSSL starts");
    let der = public.stdout;
    // RFC 8463 §4.2: the bare key, which is the end of what OpenSSL writes.
    let (kind, octets) = match algorithm {
        "RSA" => ("rsa", &der[..]),
        _ => ("ed25519", &der[der.len() - 32..]),
    };
    let base64 = Command::new("/usr/bin/base64")
        .arg("-w0")
        .stdin(Stdio::from(fs::File::open(put(folder, octets)).expect("a file")))
        .output()
        .expect("base64 starts");
    format!("v=DKIM1; k={kind}; p={}", String::from_utf8_lossy(&base64.stdout))
}

#[expect(clippy::disallowed_methods, reason = "a test's scratch file need not survive a power cut")]
fn put(folder: &Path, octets: &[u8]) -> std::path::PathBuf {
    let path = folder.join("scratch");
    fs::write(&path, octets).expect("room for a file");
    path
}
