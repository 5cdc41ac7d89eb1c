//! What is measured of a fleet.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use switchyard_mapsync::client::Heard;
use switchyard_mapsync_protocol::head::{HeadRef, Kind};
use switchyard_mapsync_protocol::question::{Check, Question};
use tokio::time::Instant;

use super::crowd::{Crowd, Stage};
use super::figures::{Figure, Times};
use super::ground::{Ground, Pusher};

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Hosts.
    pub hosts: usize,
    /// Small pushes.
    pub rounds: usize,
    /// Entries of the large table.
    pub entries: usize,
}

/// Pushes of a change in the large table.
const LARGE_ROUNDS: usize = 3;
/// Questions to all hosts, and checks of each.
const QUESTIONS: usize = 5;
const CHECKS: usize = 14;
/// Octets of the small file.
const SMALL: usize = 1000;

/// One hub, and all hosts at it: small pushes, its CPU and memory, and one entry of a hundred changed in a large table.
///
/// # Panics
/// When something does not come to its end.
pub async fn one_hub(program: &Path, sizes: Sizes) -> Vec<Figure> {
    let ground = Ground::new(program, 1);
    let mut entries = Entries::new(sizes.entries);
    ground.write("live/table", entries.text().as_bytes());
    let (mut by, first) = begin(&ground, 0).await;
    let empty = ground.resident(0);
    let mut crowd = crowd(&ground, &mut by, sizes.hosts, &[0]).await;
    know_table(&ground, &by, &crowd, first, 1);

    let mut figures = small_pushes(&ground, &mut by, &mut crowd, sizes.rounds).await;
    let hosts = sizes.hosts as f64;
    let memory = ground.resident(0).saturating_sub(empty) as f64 / 1000.0 / hosts;
    figures.push(Figure::new("hub's memory, a host", memory, "KB").at_most(60.0));

    figures.extend(questions(&ground, &mut by, &crowd).await);

    let (mut brought, mut verified) = (Times::default(), Times::default());
    let (mut octets, mut cpu) = (0, Duration::ZERO);
    for _ in 0..LARGE_ROUNDS {
        entries.change();
        ground.write("live/table", entries.text().as_bytes());
        let (wire, used, start) = (loopback(), ground.cpu(0), Instant::now());
        let head = ground.push(&mut by).await.expect("a push that is taken");
        know_table(&ground, &by, &crowd, head, head.generation);
        brought.add(start, &[by.published]);
        verified.add(by.published, &crowd.all(Stage::Verified, head.generation).await);
        crowd.all(Stage::VerifiedTold, head.generation).await;
        octets += loopback() - wire;
        cpu += ground.cpu(0) - used;
    }
    let pushes = hosts * LARGE_ROUNDS as f64;
    // What the admin brought went over the same wire, once for all hosts.
    let wire = octets as f64 / pushes - entries.text().len() as f64 / hosts;
    let of = format!("1 % of {} entries", sizes.entries);
    figures.extend([
        Figure::new(format!("{of}, on the wire, a host"), wire / 1000.0, "KB").at_most(160.0),
        Figure::new(format!("{of}, packed and brought to the hub, p50"), brought.percentile(50), "ms"),
        Figure::new(format!("{of}, published to verified, p50"), verified.percentile(50), "ms"),
        Figure::new(format!("{of}, published to verified, p99"), verified.percentile(99), "ms")
            .at_most(600.0),
        Figure::new(format!("{of}, hub's CPU, a host"), cpu.as_secs_f64() * 1000.0 / pushes, "ms"),
    ]);
    figures.extend(new_table(&ground, &mut by, &mut crowd, sizes.entries / 10).await);
    assert_eq!(crowd.refused(), 0, "hosts took all that their hub showed");
    figures
}

/// A table that no host has, so that all fetch the whole of it.
async fn new_table(ground: &Ground, by: &mut Pusher, crowd: &mut Crowd, entries: usize) -> Vec<Figure> {
    let text = Entries::new(entries).text();
    ground.write("live/new", text.as_bytes());
    let (wire, used) = (loopback(), ground.cpu(0));
    let head = ground.push(by).await.expect("a push that is taken");
    let mut verified = Times::default();
    verified.add(by.published, &crowd.all(Stage::Verified, head.generation).await);
    crowd.all(Stage::VerifiedTold, head.generation).await;
    let (octets, hosts, length) = (loopback() - wire, crowd.hosts() as f64, text.len() as f64);
    let cpu = (ground.cpu(0) - used).as_secs_f64() * 1000.0 / hosts;
    // The admin brought it as it is.
    let wire = octets as f64 / hosts - length / hosts;
    let of = format!("a new table of {entries} entries, {:.0} KB", length / 1000.0);
    vec![
        Figure::new(format!("{of}, on the wire, a host"), wire / 1000.0, "KB"),
        Figure::new(format!("{of}, published to verified, p99"), verified.percentile(99), "ms"),
        Figure::new(format!("{of}, hub's CPU, a host"), cpu, "ms"),
    ]
}

async fn small_pushes(ground: &Ground, by: &mut Pusher, crowd: &mut Crowd, rounds: usize) -> Vec<Figure> {
    let (mut verified, mut told, mut active) = (Times::default(), Times::default(), Times::default());
    let mut brought = Times::default();
    let (mut to_ready, mut to_use) = (Duration::ZERO, Duration::ZERO);
    // The first brings the connections and the caches to where they stay.
    for round in 0..=rounds {
        write_small(ground, round + 1);
        let (used, start) = (ground.cpu(0), Instant::now());
        let head = ground.push(by).await.expect("a push that is taken");
        let published = by.published;
        let ready = crowd.all(Stage::Verified, head.generation).await;
        let heard = crowd.all(Stage::VerifiedTold, head.generation).await;
        let (used_to_ready, released) = (ground.cpu(0), Instant::now());
        ground.release(by, head).await;
        let used_by = crowd.all(Stage::Active, head.generation).await;
        crowd.all(Stage::ActiveTold, head.generation).await;
        if round > 0 {
            brought.add(start, &[published]);
            verified.add(published, &ready);
            told.add(published, &heard);
            active.add(released, &used_by);
            to_ready += used_to_ready - used;
            to_use += ground.cpu(0) - used_to_ready;
        }
    }
    let pushes = (rounds * crowd.hosts()) as f64;
    let each = |cpu: Duration| cpu.as_secs_f64() * 1000.0 / pushes;
    vec![
        Figure::new("small push, packed and brought to the hub, p50", brought.percentile(50), "ms"),
        Figure::new("small push, published to verified, p50", verified.percentile(50), "ms").at_most(120.0),
        Figure::new("small push, published to verified, p99", verified.percentile(99), "ms").at_most(250.0),
        Figure::new("small push, published to the hub's knowing it, p99", told.percentile(99), "ms"),
        Figure::new("small push, hub's CPU, a host", each(to_ready), "ms").at_most(0.15),
        Figure::new("its release, released to in use, p50", active.percentile(50), "ms"),
        Figure::new("its release, released to in use, p99", active.percentile(99), "ms"),
        Figure::new("its release, hub's CPU, a host", each(to_use), "ms"),
    ]
}

/// Questions to all hosts, until the last one has answered.
async fn questions(ground: &Ground, by: &mut Pusher, crowd: &Crowd) -> Vec<Figure> {
    let known = [Check::Generation, Check::Version, Check::State, Check::Disk, Check::Deaths];
    let checks = known.into_iter().cycle().take(CHECKS).collect();
    let question = Question { checks, hosts: Vec::new(), wait: 30 };
    let (mut slowest, used) = (Duration::ZERO, ground.cpu(0));
    for _ in 0..QUESTIONS {
        let (start, mut answers) = (Instant::now(), 0);
        let asked = by.admin.hub().ask(&question, |heard| match heard {
            Heard::Answer(answer) => answers += usize::from(answer.findings.len() == CHECKS),
            Heard::Asked { .. } | Heard::End { .. } => {}
        });
        asked.await.expect("a hub that asks");
        assert_eq!(answers, crowd.hosts(), "every host answers every check");
        slowest = slowest.max(start.elapsed());
    }
    let cpu = (ground.cpu(0) - used).as_secs_f64() * 1000.0 / (QUESTIONS * crowd.hosts()) as f64;
    let what = format!("{CHECKS} checks, asked to answered by all hosts");
    vec![
        Figure::new(what, slowest.as_secs_f64() * 1000.0, "ms").at_most(1000.0),
        Figure::new(format!("{CHECKS} checks, hub's CPU, a host"), cpu, "ms"),
    ]
}

/// Three hubs on etcd, hosts at two of them: one of the two is killed, then etcd's leader.
///
/// # Panics
/// When something does not come to its end.
pub async fn three_hubs(program: &Path, sizes: Sizes) -> Vec<Figure> {
    let mut ground = Ground::new(program, 3);
    let (mut by, _) = begin(&ground, 1).await;
    let mut crowd = crowd(&ground, &mut by, sizes.hosts, &[0, 1]).await;
    write_small(&ground, 1);
    let head = ground.push(&mut by).await.expect("a push that is taken");
    ground.release(&mut by, head).await;
    crowd.all(Stage::ActiveTold, head.generation).await;

    write_small(&ground, 2);
    let start = Instant::now();
    ground.kill_hub(0);
    let head = ground.push(&mut by).await.expect("a push that is taken");
    ground.release(&mut by, head).await;
    let mut live = Times::default();
    live.add(start, &crowd.all(Stage::Active, head.generation).await);

    write_small(&ground, 3);
    ground.kill_leader();
    let start = Instant::now();
    let head = ground.push_until_taken(&mut by, 1).await;
    let taken = start.elapsed();
    crowd.all(Stage::Verified, head.generation).await;
    let seconds = |times: &Times, part| times.percentile(part) / 1000.0;
    vec![
        Figure::new("a hub killed, pushed to another, in use on all hosts", seconds(&live, 100), "s")
            .at_most(3.0),
        Figure::new("etcd's leader killed, a push is taken", taken.as_secs_f64(), "s").at_most(4.0),
    ]
}

/// The first generation, in use.
async fn begin(ground: &Ground, hub: usize) -> (Pusher, HeadRef) {
    write_small(ground, 0);
    let mut by = ground.admin(hub).await;
    let head = ground.push_until_taken(&mut by, hub).await;
    ground.release(&mut by, head).await;
    (by, head)
}

async fn crowd(ground: &Ground, by: &mut Pusher, hosts: usize, hubs: &[usize]) -> Crowd {
    let (at, head) = by.admin.newest().cloned().expect("it was pushed");
    let envelope = by.admin.hub().head(at.generation).await.expect("the hub has it");
    let mut crowd = Crowd::start(ground, hosts, hubs, (head, &envelope));
    crowd.all(Stage::ActiveTold, at.generation).await;
    crowd
}

fn write_small(ground: &Ground, change: usize) {
    let mut text = format!("# change {change}\n");
    while text.len() < SMALL {
        text += "# a line of a file of settings\n";
    }
    ground.write("live/notes.txt", text.as_bytes());
}

/// Hosts have the table that was pushed: it is kept beside the site.
fn know_table(ground: &Ground, by: &Pusher, crowd: &Crowd, head: HeadRef, name: u64) {
    let (at, newest) = by.admin.newest().expect("it was pushed");
    assert_eq!(*at, head);
    let table = newest.files.iter().find(|file| file.kind == Kind::Records).expect("a table travels as one");
    let copy = ground.path(&format!("table{name}"));
    fs::copy(ground.path("live/table"), &copy).expect("room for a copy");
    crowd.proofs.know(table.hash, copy);
}

/// Octets that went over the loopback since the machine started.
fn loopback() -> u64 {
    let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The entries of a table, in their order.
pub(super) struct Entries {
    entries: Vec<(u64, u8)>,
    chance: fastrand::Rng,
}

impl Entries {
    pub(super) fn new(count: usize) -> Self {
        let mut chance = fastrand::Rng::with_seed(1);
        // Between two there is room for others.
        let entries = (0..count as u64).map(|number| (number * 1000, chance.u8(..200))).collect();
        Self { entries, chance }
    }

    /// One of a hundred, anywhere: most get another value, some come, some go.
    pub(super) fn change(&mut self) {
        let count = self.entries.len();
        for _ in 0..count / 125 {
            let place = self.chance.usize(..count);
            self.entries[place].1 = self.chance.u8(..200);
        }
        for _ in 0..count / 1000 {
            let gone = self.chance.usize(..self.entries.len());
            self.entries.remove(gone);
            let (number, value) = (self.chance.u64(..count as u64 * 1000), self.chance.u8(..200));
            if let Err(place) = self.entries.binary_search_by_key(&number, |entry| entry.0) {
                self.entries.insert(place, (number, value));
            }
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (number, value) in &self.entries {
            let _ = writeln!(text, "user{number:012}@example.org\tbox{value}@example.net");
        }
        text
    }
}
