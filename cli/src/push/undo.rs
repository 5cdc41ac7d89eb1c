//! Before a generation is undone: who has it or gets it, and what each of them goes back to.

use std::collections::BTreeMap;

use switchyard_mapsync::client::FleetHost;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::release::Release;
use switchyard_mapsync_protocol::rollout::Plan;
use switchyard_mapsync_protocol::status::State;

use super::desk::Desk;
use super::fleet::{SILENT, printable};
use super::text;

impl Desk<'_> {
    /// Says who goes back, and to what. Whether it is to be undone: not if it is not what is released and no host has
    /// it, unless that is wished all the same. A hub that has just started has heard no host yet.
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
        let (lines, number) = (lines(&hosts, at), at.generation);
        if !lines.is_empty() {
            self.output.data(lines.concat()).map_err(text)?;
            return Ok(true);
        }
        let is_released = is_released(at, self.admin.release(), self.admin.plan());
        let none = format!("no host that the hub has heard has generation {number}");
        let what = match (is_released, anyway) {
            (true, _) => format!("{none} yet: none takes it any more, and who has it goes back"),
            (false, true) => none,
            (false, false) => format!(
                "{none}: nothing is undone. switchyard release {number} --halt keeps hosts from using it; --yes \
                 undoes it for hosts that the hub has not heard"
            ),
        };
        self.output.say(what).map_err(text)?;
        Ok(is_released || anyway)
    }
}

/// Whether hosts move to it now, or have by the newest release, or are about to by the steps of a rollout.
fn is_released(at: HeadRef, newest: Option<&Release>, plan: Option<&Plan>) -> bool {
    let highest = newest.map_or(0, |newest| newest.sequence);
    let is_newest = newest.is_some_and(|newest| newest.names() == at && !newest.undo);
    is_newest || plan.is_some_and(|plan| plan.names() == at && highest < plan.first())
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
            _ if progress.wanted == Some(at) && is_at_work(progress.state) => {
                "gets it ready, and does not use it any more".to_owned()
            }
            _ => continue,
        };
        let silent = if *age > SILENT { " (silent)" } else { "" };
        lines.entry(what).or_default().push(format!("{}{silent}", printable(&status.host)));
    }
    lines.into_iter().map(|(what, hosts)| format!("{what}: {}\n", named(&hosts))).collect()
}

/// Whether it still comes to have what it wants; who refuses it or went back from it does not.
fn is_at_work(state: State) -> bool {
    matches!(state, State::Settled | State::Fetching | State::Staging | State::Staged)
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
    use switchyard_mapsync_protocol::Timestamp;
    use switchyard_mapsync_protocol::envelope::Signed;
    use switchyard_mapsync_protocol::keys::SecretKey;
    use switchyard_mapsync_protocol::rollout::draw;
    use switchyard_mapsync_protocol::root;
    use switchyard_mapsync_protocol::status::Progress;

    use super::super::testing::{head, host as saying, release};
    use super::*;

    fn host(name: &str, age: u64, active: Option<u64>, previous: Option<u64>, staged: u64) -> FleetHost {
        let progress = Progress {
            active: active.map(head),
            previous: previous.map(head),
            staged: Some(head(staged)),
            ..Progress::default()
        };
        FleetHost { age, ..saying(name, progress) }
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
        let fetching = |name: &str, state: State| {
            let mut host = host(name, 1, Some(2), Some(1), 2);
            (host.status.progress.wanted, host.status.progress.state) = (Some(head(3)), state);
            host
        };
        let hosts = [
            fetching("a", State::Fetching),
            fetching("b", State::Staging),
            fetching("c", State::Refused),
            fetching("d", State::Returned),
        ];
        assert_eq!(lines(&hosts, head(3)), ["gets it ready, and does not use it any more: a, b\n"]);
        assert!(lines(&hosts, head(4)).is_empty());
        assert!(named(&vec!["x".to_owned(); NAMED + 2]).ends_with("x and 2 more"));
    }

    /// A rollout of generation 4, from release 3 on.
    fn plan() -> Plan {
        let key = SecretKey::from_seed([1; 32]).unwrap();
        let role = || root::Role { keys: vec![key.public()], threshold: 1 };
        let roles = root::Roles { root: role(), push: role(), release: role() };
        let first = release(3, 4);
        let environment = first.environment.clone();
        let root = root::Root { environment, version: 1, expires: Timestamp(9), roles };
        let sign = |release: &Release| {
            let mut signed = Signed::new(release).unwrap();
            signed.sign(&key);
            signed
        };
        let first = Release { permille: 0, canaries: vec!["a".to_owned()], ..first };
        Plan::new(draw(&first, &["a", "b"]).iter().map(sign).collect(), &root).unwrap()
    }

    #[test]
    fn what_is_released_is_undone_although_no_host_has_told_that_it_has_it() {
        let is_released = |generation, newest: Option<Release>, plan: Option<&Plan>| {
            is_released(head(generation), newest.as_ref(), plan)
        };
        let halted = |release: Release| Release { halted: true, ..release };
        let undone = |release: Release| Release { halted: true, undo: true, ..release };
        assert!(!is_released(2, None, None));
        assert!(is_released(2, Some(release(2, 2)), None));
        let stays = "who has moved stays until it is undone";
        assert!(is_released(2, Some(halted(release(2, 2))), None), "{stays}");
        assert!(!is_released(2, Some(undone(release(2, 2))), None));
        assert!(!is_released(1, Some(release(2, 2)), None), "it would end the release of another");

        let plan = plan();
        assert!(is_released(4, Some(release(2, 2)), Some(&plan)), "its first step is about to come");
        assert!(is_released(4, None, Some(&plan)));
        assert!(!is_released(4, Some(undone(release(plan.last(), 4))), Some(&plan)), "it is over");
        assert!(!is_released(4, Some(release(plan.last() + 1, 5)), Some(&plan)));
    }
}
