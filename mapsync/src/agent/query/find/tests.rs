//! A host of the example site that is asked.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use switchyard_config::example::FILES;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::question::Outcome;

use super::*;
use crate::agent::disk::set_name;
use crate::agent::host::{Known, make};
use crate::testing::head;

/// A host that has generation 7 in use, and its folder.
async fn host(name: &str) -> (tempfile::TempDir, Arc<Disk>) {
    host_of(FILES, name).await
}

/// The same, of a site with these files.
async fn host_of(site: &[(&str, &str)], name: &str) -> (tempfile::TempDir, Arc<Disk>) {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(root.path()).unwrap());
    let files: Vec<_> = site.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let mut head = head(7, None, &files);
    head.created = Timestamp(1000);
    head.expires = Timestamp(2000);
    let at = HeadRef { generation: 7, hash: Hash::of(b"head") };
    let making = disk.begin(&set_name(&at)).unwrap();
    for (path, text) in site {
        making.write(&format!("{SITE}/{path}"), text.as_bytes()).unwrap();
    }
    let made = make(&making, name, &disk.current(), Known::default()).await.unwrap();
    let set = Set {
        name: at,
        head,
        host: name.to_owned(),
        role: made.role.to_owned(),
        daemon: made.daemon.to_owned(),
        control: made.control,
        metrics: made.metrics,
    };
    making.finish(&serde_json::to_vec(&set).unwrap()).unwrap();
    disk.flip(&set_name(&at)).unwrap();
    (root, disk)
}

async fn ask(disk: &Arc<Disk>, now: u64, check: Check) -> Finding {
    all(disk, None, Timestamp(now), &[check]).await.remove(0)
}

fn mail(to: &str) -> Check {
    Check::Mail { to: to.to_owned(), from: None }
}

fn transport() -> Check {
    Check::File { path: "maps/transport".to_owned().try_into().unwrap() }
}

#[tokio::test]
async fn a_host_tells_what_is_in_use_and_what_it_does_with_mail() {
    let (_root, disk) = host("mx1.example.org").await;
    assert_eq!(ask(&disk, 1500, Check::Generation).await, Finding::fine("7"));
    assert_eq!(ask(&disk, 1500, Check::Age).await, Finding::fine("500 s, 500 s left"));
    assert_eq!(ask(&disk, 2000, Check::Age).await, Finding::wrong("1000 s, expired"));
    assert_eq!(ask(&disk, 1500, Check::Version).await, Finding::fine(env!("CARGO_PKG_VERSION")));
    assert_eq!(ask(&disk, 1500, Check::Unknown).await.outcome, Outcome::Unknown);
    assert_eq!(ask(&disk, 1500, Check::State).await.outcome, Outcome::Unknown, "it has said nothing yet");
    let told = ask(&disk, 1500, Check::Behaviours).await;
    assert!(told.outcome == Outcome::Fine && told.says.ends_with(" hold"), "{told:?}");

    let told = ask(&disk, 1500, mail("alice@example.org")).await;
    assert!(told.outcome == Outcome::Fine && told.says.starts_with("250 "), "{told:?}");
    let told = ask(&disk, 1500, mail("nobody-here@example.org")).await;
    assert!(told.outcome == Outcome::Fine && told.says.starts_with("refused: 550 "), "{told:?}");
    let told = ask(&disk, 1500, mail("no address")).await;
    assert_eq!(told.outcome, Outcome::Unknown, "{told:?}");
}

#[tokio::test]
async fn a_router_tells_where_mail_goes() {
    let (_root, disk) = host("router1.example.org").await;
    let told = ask(&disk, 1500, mail("alice@example.org")).await;
    assert!(told.outcome == Outcome::Fine && told.says.contains(" to lmtp:@mailboxes"), "{told:?}");
}

#[tokio::test]
async fn a_hub_s_own_host_says_that_no_mail_passes_it() {
    let hub = "[[host]]\nname = 'hub1.example.org'\nrole = 'hub'\naddresses = ['192.0.2.41']\n";
    let with_hub =
        |text: &str| format!("{}\n{hub}", text.replacen("[facts]", "[facts]\nenvironment = 'live'", 1));
    let is_site = |path: &str| path == "site.toml";
    let text = FILES.iter().find(|(path, _)| is_site(path)).map(|(_, text)| with_hub(text)).unwrap();
    let files: Vec<_> =
        FILES.iter().map(|(path, old)| (*path, if is_site(path) { text.as_str() } else { *old })).collect();
    let (_root, disk) = host_of(&files, "hub1.example.org").await;
    let told = ask(&disk, 1500, mail("alice@example.org")).await;
    assert_eq!(told, Finding::fine("no mail passes this host"));
}

#[tokio::test]
async fn a_file_that_is_not_as_it_was_signed_is_told() {
    let (_root, disk) = host("mx1.example.org").await;
    let told = ask(&disk, 1500, transport()).await;
    assert!(told.outcome == Outcome::Fine && told.says.starts_with("blake3-"), "{told:?}");
    let at = disk.current().join(SITE).join("maps/transport");
    // Sets are written once: somebody must have wished to spoil it.
    fs::set_permissions(&at, fs::Permissions::from_mode(0o644)).unwrap();
    let mut text = fs::read(&at).unwrap();
    text[0] ^= 1;
    File::create(&at).and_then(|mut file| io::Write::write_all(&mut file, &text)).unwrap();
    let told = ask(&disk, 1500, transport()).await;
    assert!(told.outcome == Outcome::Wrong && told.says.contains(" was signed"), "{told:?}");
    fs::remove_file(&at).unwrap();
    assert_eq!(ask(&disk, 1500, transport()).await.outcome, Outcome::Wrong);
    let none = Check::File { path: "maps/none".to_owned().try_into().unwrap() };
    assert_eq!(ask(&disk, 1500, none).await, Finding::wrong("not a file of this generation"));
}

#[tokio::test]
async fn a_host_without_a_set_says_so() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::open(root.path()).unwrap());
    for check in [Check::Generation, Check::Age, mail("alice@example.org"), transport()] {
        assert_eq!(ask(&disk, 1, check).await, Finding::wrong("no generation is in use"));
    }
}
