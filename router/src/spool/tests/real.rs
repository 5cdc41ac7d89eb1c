//! A real folder: who may use it (H1, H2, H5), and that it works there too.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::*;

fn claim(path: &Path) -> Result<Folder, String> {
    Folder::claim(path).map_err(|error| error.to_string())
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn h1_only_a_folder_of_our_own_is_used() {
    let above = tempfile::tempdir().unwrap();
    let spool = above.path().join("spool");
    drop(claim(&spool).unwrap());
    assert_eq!(fs::metadata(&spool).unwrap().permissions().mode() & 0o777, 0o700);

    for bits in [0o770, 0o707, 0o722] {
        mode(&spool, bits);
        let complaint = claim(&spool).unwrap_err();
        assert!(
            complaint.contains("other users may write") && complaint.contains("chmod 0700"),
            "{complaint}"
        );
    }
    mode(&spool, 0o700);
    mode(&spool.join("log"), 0o777);
    assert!(claim(&spool).unwrap_err().contains("spool/log: other users may write"));
    mode(&spool.join("log"), 0o700);

    let link = above.path().join("link");
    symlink(&spool, &link).unwrap();
    assert!(claim(&link).unwrap_err().contains("symbolic link"));
    assert!(claim(&above.path().join("link/")).unwrap_err().contains("symbolic link"));
    fs::rename(spool.join("blob"), above.path().join("elsewhere")).unwrap();
    symlink(above.path().join("elsewhere"), spool.join("blob")).unwrap();
    assert!(claim(&spool).unwrap_err().contains("spool/blob: it is a symbolic link"));
    fs::remove_file(spool.join("blob")).unwrap();

    let open = above.path().join("open");
    fs::create_dir(&open).unwrap();
    mode(&open, 0o777);
    assert!(claim(&open.join("spool")).unwrap_err().contains("everybody may rename"));
    mode(&open, 0o1777);
    drop(claim(&open.join("spool")).unwrap());

    let file = above.path().join("file");
    fs::File::create(&file).unwrap();
    assert!(claim(&file).unwrap_err().contains("it is not a folder"));
}

#[test]
fn h2_files_that_others_prepared_are_refused() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("spool");
    let folder = claim(&path).unwrap();
    let secret = above.path().join("secret");
    fs::File::create(&secret).unwrap();

    symlink(&secret, path.join("blob/linked")).unwrap();
    symlink(above.path().join("nowhere"), path.join("blob/dangling")).unwrap();
    fs::hard_link(&secret, path.join("blob/hard")).unwrap();
    fs::create_dir(path.join("blob/folder")).unwrap();
    let fifo = path.join("blob/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for name in ["linked", "dangling", "hard", "folder", "fifo"] {
        assert!(folder.open(Place::Blob, name).is_err(), "{name}");
        assert!(folder.create(Place::Blob, name).is_err(), "{name}");
    }
    assert!(!above.path().join("nowhere").exists());
    fs::hard_link(&secret, path.join("log/0000000000000001")).unwrap();
    let metrics = SpoolMetrics::register(&Registry::new()).unwrap();
    let refused = Spool::open(&options(), folder, Clock::system(), metrics).unwrap_err().to_string();
    assert!(refused.contains("log/0000000000000001") && refused.contains("second name"), "{refused}");
}

#[test]
fn h5_a_second_process_is_told_who_has_it() {
    let above = tempfile::tempdir().unwrap();
    let path = above.path().join("spool");
    let first = claim(&path).unwrap();
    let complaint = claim(&path).unwrap_err();
    assert!(
        complaint.contains("another process uses this spool") && complaint.contains("spool:"),
        "{complaint}"
    );
    drop(first);
    drop(claim(&path).unwrap());
}

#[test]
fn mail_is_kept_in_a_real_folder() {
    let above = tempfile::tempdir().unwrap();
    let options = SpoolOptions { folder: above.path().join("spool"), ..options() };
    let metrics = || SpoolMetrics::register(&Registry::new()).unwrap();
    let open = || {
        Spool::open(&options, Folder::claim(&options.folder).unwrap(), Clock::system(), metrics()).unwrap()
    };
    let (spool, _) = open();
    let sent: Vec<_> =
        (1..=40_u128).map(|number| message(number, if number == 7 { 50_000 } else { 7000 })).collect();
    let ids: Vec<_> = sent.iter().map(|message| accept(&spool, message).unwrap()).collect();
    ids[..30].iter().for_each(|id| spool.done(*id));
    drop(spool);
    let (spool, recovered) = open();
    assert_eq!(super::ids(&recovered), ids[30..]);
    for (id, message) in ids.iter().zip(&sent).skip(30) {
        assert_eq!(spool.load(*id).as_ref(), Ok(&message.content));
    }
    assert_eq!(fs::read_dir(options.folder.join("blob")).unwrap().count(), 0);
}
