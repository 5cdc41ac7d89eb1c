//! Before a generation is undone: who has it, and what each of them goes back to.

use std::collections::BTreeMap;

use switchyard_mapsync::client::FleetHost;
use switchyard_mapsync_protocol::head::HeadRef;

use super::desk::Desk;
use super::fleet::{SILENT, printable};
use super::text;

impl Desk<'_> {
    /// Says who goes back, and to what. Whether it is to be undone: not if no host has it, unless that is wished all the
    /// same.
    pub(super) async fn looked_before(&mut self, at: HeadRef, anyway: bool) -> Result<bool, String> {
        let hosts = match self.admin.hub().fleet().await {
            Ok(fleet) => fleet.hosts,
            Err(error) if anyway => {
                self.output.say(format_args!("{error}\nwho has it is not known")).map_err(text)?;
                return Ok(true);
            }
            Err(error) => {
                return Err(format!("{error}\nwho has it is not known: --yes undoes it all the same"));
            }
        };
        let lines = lines(&hosts, at);
        if lines.is_empty() && !anyway {
            let number = at.generation;
            let what = format!(
                "no host that the hub has heard has generation {number}: nothing is undone. switchyard release {number} --halt \
                 keeps hosts from using it; --yes undoes it for hosts that the hub has not heard"
            );
            self.output.say(what).map_err(text)?;
            return Ok(false);
        }
        self.output.data(lines.concat()).map_err(text)?;
        Ok(true)
    }
}

/// A line for all hosts that go back to the same, and one for those that have it ready.
fn lines(hosts: &[FleetHost], at: HeadRef) -> Vec<String> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for FleetHost { age, status } in hosts {
        let progress = &status.progress;
        let what = match progress.previous {
            Some(before) if progress.active == Some(at) => {
                format!("back to generation {}", before.generation)
            }
            None if progress.active == Some(at) => "stays on it, for it has none before".to_owned(),
            _ if progress.staged == Some(at) => "has it ready, and does not use it any more".to_owned(),
            _ => continue,
        };
        let silent = if *age > SILENT { " (silent)" } else { "" };
        lines.entry(what).or_default().push(format!("{}{silent}", printable(&status.host)));
    }
    lines.into_iter().map(|(what, hosts)| format!("{what}: {}\n", named(&hosts))).collect()
}

/// So many, the first of them by name.
fn named(hosts: &[String]) -> String {
    let some = hosts.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match hosts.len().saturating_sub(NAMED) {
        0 => some,
        more => format!("{some} and {more} more"),
    }
}

/// Hosts that are named in a line.
const NAMED: usize = 10;

#[cfg(test)]
mod tests {
    use switchyard_mapsync_protocol::hash::Hash;
    use switchyard_mapsync_protocol::status::{Counters, Progress, Status};
    use switchyard_mapsync_protocol::{Environment, Timestamp};

    use super::*;

    fn head(generation: u64) -> HeadRef {
        HeadRef { generation, hash: Hash::of(&generation.to_le_bytes()) }
    }

    fn host(name: &str, age: u64, active: Option<u64>, previous: Option<u64>, staged: u64) -> FleetHost {
        let progress = Progress {
            active: active.map(head),
            previous: previous.map(head),
            staged: Some(head(staged)),
            ..Progress::default()
        };
        let status = Status {
            environment: Environment::try_from("live".to_owned()).unwrap(),
            host: name.to_owned(),
            role: "mx".to_owned(),
            site: String::new(),
            version: String::new(),
            nonce: 1,
            at: Timestamp(1),
            progress,
            counters: Counters::default(),
            disk_free: 1,
        };
        FleetHost { age, status }
    }

    #[test]
    fn who_goes_back_to_the_same_stands_in_one_line() {
        let hosts = [
            host("a", 1, Some(3), Some(2), 3),
            host("b", SILENT + 1, Some(3), Some(2), 3),
            host("c", 1, Some(3), Some(1), 3),
            host("d", 1, Some(3), None, 3),
            host("e", 1, Some(2), Some(1), 3),
            host("f", 1, Some(2), Some(1), 2),
        ];
        let told = [
            "back to generation 1: c\n",
            "back to generation 2: a, b (silent)\n",
            "has it ready, and does not use it any more: e\n",
            "stays on it, for it has none before: d\n",
        ];
        assert_eq!(lines(&hosts, head(3)), told);
        assert!(lines(&hosts, head(4)).is_empty());
        assert!(named(&vec!["x".to_owned(); NAMED + 2]).ends_with("x and 2 more"));
    }
}
