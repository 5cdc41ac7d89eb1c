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
    let key = |name: &str| file(site, name);
    let told = switchyard([
        "key",
        "root",
        "--environment",
        "live",
        "--root",
        &key("root.key"),
        "--push",
        &key("ann.key"),
        "--release",
        &key("release.key"),
        "--release",
        &key("second.key"),
        "--sign",
        &key("root.key"),
        "--out",
        &key("root.json"),
    ]);
    assert_eq!(told.code, Some(0), "{told:?}");
}
