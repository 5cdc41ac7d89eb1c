//! Keys, the root that names them, and certificates.

use std::fs;

use switchyard_tests::peer::certificates::Certificates;
use switchyard_tests::site::Site;
use switchyard_tests::tool::switchyard;

use super::world::{HOST, file};

/// Those of the hub, the host and the admin.
pub(crate) fn make_certificates(site: &Site) -> Certificates {
    let folder = site.path("tls");
    fs::create_dir(&folder).expect("a folder");
    let made = Certificates::make(&folder, &[]);
    made.add("hub", &format!("URI:spiffe://live/hub/hub1,IP:{}", site.ip()));
    made.add("mx1", &format!("URI:spiffe://live/agent/{HOST},IP:{}", site.ip()));
    made.add("ann", "URI:spiffe://live/push/ann");
    made.add("boss", "URI:spiffe://live/admin/boss");
    made
}

/// An admin's keys, and the root that names them.
pub(crate) fn make_keys(site: &Site) {
    for name in ["root", "ann", "release", "second"] {
        let told = switchyard(["key", "new", file(site, format!("{name}.key")).as_str()]);
        assert_eq!(told.code, Some(0), "{told:?}");
    }
    make_root(site, &[]);
}

/// The root that names them, with more words.
pub(crate) fn make_root(site: &Site, more: &[&str]) {
    let key = |name: &str| file(site, name);
    let (root, ann, release, second, out) =
        (key("root.key"), key("ann.key"), key("release.key"), key("second.key"), key("root.json"));
    let words = ["key", "root", "--environment", "live", "--root", &root, "--push", &ann];
    let keys = ["--release", &release, "--release", &second, "--sign", &root, "--out", &out];
    let told = switchyard(words.into_iter().chain(keys).chain(more.iter().copied()));
    assert_eq!(told.code, Some(0), "{told:?}");
}
