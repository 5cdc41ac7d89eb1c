//! The spool as a process finds it: somebody else's, in use, open to everybody (H1, H5).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use switchyard_tests::site::{Site, quoted};

/// H5: the second exits, says why, and does no harm to the first.
#[test]
fn h5_two_routers_on_one_spool() {
    let site = Site::new();
    let nowhere = site.free_address();
    let mut first = site.router("router1", nowhere);
    first.start();
    let mut second = site.router("router2", nowhere);
    let folder = site.path("router1-spool");
    second.settings.set("spool", "folder", &quoted(folder.display()));
    let (status, said) = second.start_in_vain();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{}: another process uses this spool", folder.display())), "{said}");
    assert!(first.page("/readyz").is_ok_and(|page| page.starts_with("HTTP/1.1 200 ")), "{}", first.log_end());
    assert!(first.terminate().success(), "{}", first.log_end());

    // With the first gone, the second may have it.
    second.start();
    assert!(second.terminate().success(), "{}", second.log_end());
}

/// H1: a spool that others may write to, or that is reached through a link, is not used.
#[test]
fn h1_a_spool_open_to_others() {
    let site = Site::new();
    let mut router = site.router("router1", site.free_address());
    let spool = site.path("router1-spool");
    for (mode, complaint) in [(0o777, "other users may write to it"), (0o720, "other users may write to it")]
    {
        fs::create_dir_all(&spool).expect("a folder");
        fs::set_permissions(&spool, Permissions::from_mode(mode)).expect("its mode");
        let (status, said) = router.start_in_vain();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("{}: {complaint}", spool.display())), "{mode:o}: {said}");
    }
    fs::remove_dir(&spool).expect("an unused folder is empty");

    symlink(site.path("maps"), &spool).expect("a link");
    let (status, said) = router.start_in_vain();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{}: it is a symbolic link", spool.display())), "{said}");
    fs::remove_file(&spool).expect("the link");

    let parent = site.path("open");
    fs::create_dir(&parent).expect("a folder");
    fs::set_permissions(&parent, Permissions::from_mode(0o777)).expect("its mode");
    router.settings.set("spool", "folder", &quoted(parent.join("spool").display()));
    let (status, said) = router.start_in_vain();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("{}: everybody may rename", parent.display())), "{said}");

    router.settings.set("spool", "folder", &quoted(spool.display()));
    router.start();
    assert!(router.terminate().success(), "{}", router.log_end());
}
