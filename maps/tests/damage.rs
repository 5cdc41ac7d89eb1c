//! Files that are damaged, or change while they are read: a fault with its place, and the old answers go on.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use prometheus::Registry;
use switchyard_maps::watch::Reload;
use switchyard_maps::{Answer, MapHandle, MapMetrics, MapName, MapOptions, MapSet, Reloader};

const GOOD: &str = "a.example smtp:[one.example]\nb.example smtp:[one.example]\n";

struct Site {
    folder: tempfile::TempDir,
    handle: MapHandle,
    reloader: Reloader,
}

impl Site {
    /// With a good transport map in use.
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = MapOptions { folder: folder.path().to_path_buf(), ..MapOptions::default() }
            .with_file(MapName::Transport, "transport");
        put(&folder.path().join("transport"), text);
        let (set, faults) = MapSet::start(&options);
        assert!(faults.is_empty(), "{faults}");
        let handle = MapHandle::new(set);
        let metrics = MapMetrics::register(&Registry::new()).unwrap();
        let reloader = Reloader::new(handle.clone(), options, metrics, &faults);
        Self { folder, handle, reloader }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("transport")
    }

    /// Reads the file again, which is refused for this reason, and the old answers go on.
    #[track_caller]
    fn refused(&self, place_and_reason: &str) {
        let faults = self.reloader.reload().unwrap_err().to_string();
        let told = faults.strip_prefix(&self.file().display().to_string()).unwrap_or(&faults);
        assert!(told.starts_with(place_and_reason), "{faults}");
        assert_eq!(self.route("a.example"), "smtp:[one.example]");
        assert_eq!(self.handle.snapshot().generation(), 1);
    }

    fn route(&self, domain: &str) -> String {
        match self.handle.snapshot().route(&format!("user@{domain}").parse().unwrap()) {
            Answer::Found(found) => found.value.to_string(),
            other => other.label().to_owned(),
        }
    }
}

/// In place, as an editor does that keeps the file.
fn put(file: &Path, octets: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(file).unwrap();
    file.write_all(octets.as_ref()).unwrap();
}

#[test]
fn a_file_that_is_cut_off_is_refused_where_it_ends() {
    let site = Site::new(GOOD);
    let file = OpenOptions::new().write(true).open(site.file()).unwrap();
    file.set_len(GOOD.len() as u64 - 3).unwrap();
    site.refused(":2:16: a bracket that nothing closes");
    file.set_len(0).unwrap();
    site.refused(": the file is empty");
}

#[test]
fn a_file_that_is_gone_or_is_none_is_refused() {
    let site = Site::new(GOOD);
    fs::remove_file(site.file()).unwrap();
    site.refused(": cannot be read: No such file");
    fs::create_dir(site.file()).unwrap();
    site.refused(": cannot be read: not a file");
    fs::remove_dir(site.file()).unwrap();
    // Opening a pipe that nobody writes to would never end.
    let made = std::process::Command::new("/usr/bin/mkfifo").arg(site.file()).status().unwrap();
    assert!(made.success());
    site.refused(": cannot be read: not a file");
}

#[test]
fn octets_that_are_no_text_are_refused_at_their_place() {
    let site = Site::new(GOOD);
    put(&site.file(), b"a.example smtp:[two.example]\nb.example \xff\xfe\n");
    site.refused(":2:11: octet 0xFF is not UTF-8");
    put(&site.file(), b"a.example smtp:[two.example]\nb.example error:5.0.0 a\0b\n");
    site.refused(":2:24: control character U+0000");
    // A text of two octets a letter, as some editors save it.
    put(&site.file(), b"\xff\xfea\0.\0e\0");
    site.refused(":1:1: octet 0xFF is not UTF-8");
}

#[test]
fn line_ends_of_another_system_are_fine() {
    let site = Site::new(GOOD);
    put(
        &site.file(),
        "\u{feff}a.example smtp:[two.example]\r\n# why\r\n\r\nb.example\r\n  error:5.0.0 no\r\n",
    );
    assert_eq!(site.reloader.reload(), Ok(Reload::Swapped(2)));
    assert_eq!(site.route("a.example"), "smtp:[two.example]");
    assert_eq!(site.route("b.example"), "error:5.0.0 no");
}

#[test]
fn a_line_of_a_gigabyte_is_refused_and_never_held() {
    let site = Site::new(GOOD);
    put(&site.file(), "a.example smtp:[two.example]\nb.example ");
    // A hole: it takes no room on the disk, and would take all of it in memory.
    OpenOptions::new().write(true).open(site.file()).unwrap().set_len(1 << 30).unwrap();
    let before = peak();
    site.refused(":2:1: a line of more than 1048576 octets");
    assert!(peak() - before < 256 << 10, "{} KiB more", peak() - before);
    OpenOptions::new().write(true).open(site.file()).unwrap().set_len((1 << 30) + 1).unwrap();
    site.refused(": cannot be read: larger than 1073741824 octets");
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_never_half_in_use() {
    // As many as may change at once without a word of the operator's.
    const DOMAINS: usize = 100;
    let text = |host: &str| -> String {
        (0..DOMAINS).map(|number| format!("d{number}.example smtp:[{host}.example]\n")).collect()
    };
    let texts = [text("one"), text("two")];
    let site = Site::new(&texts[0]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let aside = site.folder.path().join("aside");
            // An end of its own, for when the other side fails.
            for text in texts.iter().cycle().take(100_000).take_while(|_| !done.load(Ordering::Relaxed)) {
                put(&aside, text);
                fs::rename(&aside, site.file()).unwrap();
            }
        });
        for _ in 0..20 {
            // It may never stand still for as long as it is looked at; that is told, and the old set goes on.
            if let Err(faults) = site.reloader.reload() {
                assert!(faults.to_string().contains("it changed while the maps were read"), "{faults}");
            }
            let last = site.route(&format!("d{}.example", DOMAINS - 1));
            assert_eq!(site.route("d0.example"), last, "half of each");
        }
        done.store(true, Ordering::Relaxed);
    });
    site.reloader.reload().unwrap();
    assert_eq!(site.route("d0.example"), site.route(&format!("d{}.example", DOMAINS - 1)));
}
