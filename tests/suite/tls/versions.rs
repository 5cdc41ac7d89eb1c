//! TLS 1.2 and 1.3, and nothing older.

use switchyard_tests::peer::tls::{enabled_versions, s_client, sslscan};

use super::Pair;

/// openssl itself refuses what is old unless it is told to forget its standards.
const LOW: [&str; 2] = ["-cipher", "ALL:@SECLEVEL=0"];

#[test]
fn sslscan_completes_and_finds_nothing_below_tls_1_2() {
    let pair = Pair::start(|_| ());
    for daemon in pair.daemons() {
        let scan = sslscan(daemon.address());
        assert_eq!(enabled_versions(&scan), ["TLSv1.2", "TLSv1.3"], "{scan}");
        for lost in ["vulnerable to heartbleed", "renegotiation supported"] {
            let found = scan.lines().any(|line| line.to_lowercase().contains(lost) && !line.contains("not "));
            assert!(!found, "{scan}");
        }
        assert!(scan.contains("Compression disabled") || !scan.contains("Compression enabled"), "{scan}");
        let weak = ["RC4", "3DES", "NULL", "EXPORT", "CBC", " 40 bits", " 56 bits"];
        let offered =
            scan.lines().filter(|line| line.starts_with("Preferred") || line.starts_with("Accepted"));
        let offered: Vec<&str> = offered.collect();
        assert!(offered.len() >= 4, "{scan}");
        assert!(offered.iter().all(|line| !weak.iter().any(|name| line.contains(name))), "{offered:#?}");
    }
}

#[test]
fn openssl_completes_with_1_2_and_1_3_on_a_verified_certificate_and_fails_with_what_is_older() {
    let pair = Pair::start(|_| ());
    let authority = pair.certificates.certificate("authority");
    let authority = authority.to_str().expect("a path in UTF-8");
    let verified = ["-CAfile", authority, "-verify_return_error", "-verify_hostname", "host.example.org"];
    for daemon in pair.daemons() {
        for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
            let (well, said) = s_client(daemon.address(), &[&verified[..], &[version]].concat());
            assert!(well, "{version}: {said}");
            assert!(said.contains(&format!("Protocol version: {name}")), "{said}");
            assert!(said.contains("Verification: OK"), "{said}");
        }
        for version in ["-tls1", "-tls1_1"] {
            let (well, said) = s_client(daemon.address(), &[&LOW[..], &[version]].concat());
            // The alert is the server's: it is not openssl that gave up.
            assert!(!well && said.contains("SSL alert number"), "{version}: {said}");
        }
        // And it is still there for the next one.
        assert!(s_client(daemon.address(), &["-tls1_3"]).0);
    }
}
