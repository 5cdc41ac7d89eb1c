//! Looks on while hosts come to use what was released, or go back from what was undone, and says how long they took.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use switchyard_mapsync::admin::Admin;
use switchyard_mapsync::client::FleetHost;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::status::State;

use super::fleet::{SILENT, printable};
use super::text;
use crate::output::{Exit, Output};
use crate::progress;

/// What became of a host.
#[derive(Debug, PartialEq, Eq)]
enum Became {
    /// It did what is wished.
    Moved,
    /// It does not, and says why.
    Refused(String),
    /// Not yet.
    Waiting,
}

/// What became of a host, and after how long.
type Known = BTreeMap<String, (Became, Duration)>;

/// Looks on while hosts do what the newest release says, if that moves anybody.
pub(super) async fn looked_on(admin: &mut Admin, output: &mut Output) -> Result<Exit, String> {
    let release = admin.release().filter(|release| release.undo || !release.halted).cloned();
    let Some(release) = release else { return Ok(Exit::Fine) };
    match watch(admin, &release, output).await {
        // What was said before holds; only nobody looks on.
        Err(why) => {
            output.say(format_args!("{why}\nwho uses it is not known: switchyard fleet")).map_err(text)?;
            Ok(Exit::Wrong)
        }
        told => told,
    }
}

/// Waits for every host that is meant and not silent; not for ever.
async fn watch(admin: &mut Admin, release: &Release, output: &mut Output) -> Result<Exit, String> {
    let bar = progress::bar(0, "{bar:30} {pos}/{len} hosts {elapsed} {wide_msg}");
    let start = Instant::now();
    let mut known = Known::new();
    loop {
        let asked = Instant::now();
        let fleet = admin.hub().fleet().await.map_err(text)?;
        let waiting = look(&mut known, &fleet.hosts, release, start.elapsed());
        bar.set_length(known.len() as u64);
        bar.set_position((known.len() - waiting) as u64);
        bar.set_message(format!("{} have it ready", ready(&fleet.hosts, release)));
        if waiting == 0 || start.elapsed() > PATIENCE {
            break;
        }
        // A large fleet is asked more seldom.
        tokio::time::sleep(LOOK.max(asked.elapsed() * 4)).await;
    }
    bar.finish_and_clear();
    let mut times = Vec::new();
    for (host, (became, time)) in &known {
        let host = printable(host);
        match became {
            Became::Moved => times.push(*time),
            Became::Waiting if release.undo => {
                output.say(format_args!("{host}: uses it still")).map_err(text)?;
            }
            Became::Waiting => output.say(format_args!("{host}: does not use it yet")).map_err(text)?,
            Became::Refused(why) => {
                output.say(format_args!("{host}: {}", printable(why))).map_err(text)?;
            }
        }
    }
    times.sort();
    output.data(in_words(&times, release.undo)).map_err(text)?;
    Ok(if times.len() == known.len() { Exit::Fine } else { Exit::Wrong })
}

/// How many hosts have it at least ready.
fn ready(hosts: &[FleetHost], release: &Release) -> usize {
    let has = |host: &&FleetHost| {
        let progress = &host.status.progress;
        [progress.staged, progress.active].into_iter().flatten().any(|head| head.hash == release.head)
    };
    hosts.iter().filter(has).count()
}

/// Looks at each host that is meant; how many are waited for.
fn look(known: &mut Known, hosts: &[FleetHost], release: &Release, now: Duration) -> usize {
    for host in hosts.iter().filter(|host| host.age <= SILENT) {
        let name = &host.status.host;
        let is_there = host.status.progress.active.is_some_and(|head| head.hash == release.head);
        // Of an undone release those are meant who use it when we begin to look.
        let is_meant = if release.undo { is_there } else { release.moves(name) };
        if !is_meant && !known.contains_key(name) {
            continue;
        }
        let entry = known.entry(name.clone()).or_insert((Became::Waiting, now));
        if entry.0 == Became::Waiting {
            *entry = (became(host, release, is_there), now);
        }
    }
    known.values().filter(|(became, _)| *became == Became::Waiting).count()
}

fn became(host: &FleetHost, release: &Release, is_there: bool) -> Became {
    let progress = &host.status.progress;
    if is_there != release.undo {
        return Became::Moved;
    }
    let word = match progress.state {
        _ if release.undo || progress.wanted.is_none_or(|head| head.hash != release.head) => None,
        State::Refused => Some("refuses it"),
        State::Returned => Some("went back from it"),
        State::Settled | State::Fetching | State::Staging | State::Staged => None,
    };
    let why = progress.reason.as_deref().unwrap_or("and does not say why");
    word.map_or(Became::Waiting, |word| Became::Refused(format!("{word}: {why}")))
}

/// How many hosts, and how long they took.
fn in_words(times: &[Duration], undone: bool) -> String {
    let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1));
    let (Some(first), Some(median), Some(late)) = (times.first(), at(50), at(95)) else {
        let none = if undone {
            "no host used it\n"
        } else {
            "no host that is meant has said a word to the hub yet\n"
        };
        return none.to_owned();
    };
    let what = match (times.len(), undone) {
        (1, false) => "host uses it",
        (_, false) => "hosts use it",
        (1, true) => "host went back",
        (_, true) => "hosts went back",
    };
    let count = times.len();
    format!("{count} {what}: first after {first:.1?}, median {median:.1?}, 95 % after {late:.1?}\n")
}

/// How often the hub is asked.
const LOOK: Duration = Duration::from_millis(50);
/// Until nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::status::Progress;

    use super::super::testing::{head, host as saying, release as to_all};
    use super::*;

    fn host(name: &str, active: u64, state: State) -> FleetHost {
        let progress = Progress {
            wanted: Some(head(2)),
            active: Some(head(active)),
            state,
            reason: Some("no room".to_owned()),
            ..Progress::default()
        };
        saying(name, progress)
    }

    fn release(undo: bool) -> Release {
        Release { halted: undo, undo, ..to_all(1, 2) }
    }

    #[test]
    fn hosts_are_waited_for_until_they_use_it_or_say_why_not() {
        let (mut known, second) = (Known::new(), Duration::from_secs(1));
        let silent = FleetHost { age: SILENT + 1, ..host("gone", 1, State::Staged) };
        let hosts = [host("a", 2, State::Settled), host("b", 1, State::Staged), silent];
        assert_eq!(look(&mut known, &hosts, &release(false), second), 1);
        assert_eq!(look(&mut known, &[host("b", 1, State::Returned)], &release(false), second * 2), 0);
        assert_eq!(known["a"], (Became::Moved, second), "the first time counts");
        assert_eq!(known["b"].0, Became::Refused("went back from it: no room".to_owned()));
        assert!(!known.contains_key("gone"));
        assert_eq!(ready(&hosts, &release(false)), 1);
    }

    #[test]
    fn of_what_is_undone_those_are_waited_for_who_use_it() {
        let (mut known, second) = (Known::new(), Duration::from_secs(1));
        let hosts = [host("a", 2, State::Settled), host("b", 1, State::Staged)];
        assert_eq!(look(&mut known, &hosts, &release(true), second), 1);
        assert_eq!(look(&mut known, &[host("a", 1, State::Returned)], &release(true), second * 2), 0);
        assert_eq!(known.into_iter().collect::<Vec<_>>(), [("a".to_owned(), (Became::Moved, second * 2))]);
    }

    #[test]
    fn times_are_told_in_one_line() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_secs).collect();
        assert_eq!(
            in_words(&times, false),
            "20 hosts use it: first after 1.0s, median 10.0s, 95 % after 19.0s\n"
        );
        assert!(in_words(&times[..1], true).starts_with("1 host went back: first after 1.0s"));
        assert!(in_words(&[], false).starts_with("no host that is meant"));
    }
}
