//! From the text to the installed file, in a process of its own.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use switchyard_maps::artifact::{ExactBuilder, Install};

use crate::sample::Site;

/// What the building cost.
pub(crate) struct Built {
    seconds: f64,
    peak: u64,
    file: u64,
}

impl Built {
    pub(crate) fn report(&self, site: &Site) {
        let beyond = (self.file as f64 - site.key_octets() as f64) / site.keys.len() as f64;
        println!("build from text     {:>10.1} s", self.seconds);
        println!(
            "file                {:>10.1} MB, {beyond:.1} octets a key beyond the keys",
            self.file as f64 / 1e6
        );
        println!(
            "peak memory         {:>10.1} MB, {:.2} × file",
            self.peak as f64 / 1e6,
            self.peak as f64 / self.file as f64
        );
    }
}

/// Starts this program once more and reads its two figures.
pub(crate) fn in_a_child(text: &Path, place: &Path) -> Built {
    let mut child = Command::new(env::current_exe().unwrap());
    let output = child.arg("--build").arg(text).arg(place).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).unwrap();
    let mut words = words.split_whitespace();
    let seconds = words.next().unwrap().parse().unwrap();
    let peak = words.next().unwrap().parse().unwrap();
    Built { seconds, peak, file: fs::metadata(place).unwrap().len() }
}

/// The child: builds and says seconds and peak memory.
pub(crate) fn run(text: &Path, place: &Path) {
    let start = Instant::now();
    let mut lines = BufReader::new(File::open(text).unwrap());
    let mut builder = ExactBuilder::new();
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        let (key, value) = line.trim_end().split_once(' ').unwrap();
        builder.push(key, value, number).unwrap();
    }
    let built = builder.finish().unwrap();
    built.write(Install::create(place).unwrap()).unwrap().commit().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("{seconds} {}", kilobytes * 1024);
}
