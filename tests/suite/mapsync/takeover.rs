//! A hub dies in the middle of a rollout: another one, to which no host ever spoke, goes on with it.

use std::cell::Cell;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use switchyard_tests::expect;
use switchyard_tests::peer::browser::Mutual;
use switchyard_tests::tool::switchyard;

use super::cluster::{Cluster, FOLLOWER};
use super::world::file;

const HOST: &str = "mx1.example.org";

/// A host that says what it is told to say.
struct Voice {
    /// The generation that it has.
    head: Value,
    said: Cell<u64>,
}

impl Voice {
    fn say(&self, to: &[&Mutual], is_used: bool) {
        self.said.set(self.said.get() + 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let (active, state) = if is_used { (&self.head, "settled") } else { (&Value::Null, "staged") };
        let status = json!({
            "environment": "live", "host": HOST, "role": "mx", "site": "here", "version": "0",
            "nonce": self.said.get(), "at": now, "disk_free": 1,
            "progress": {
                "release": 0, "wanted": self.head, "staged": self.head, "active": active, "previous": null,
                "state": state, "reason": null,
            },
            "counters": {
                "taken": 0, "rejected": 0, "deferred": 0, "bounced": 0, "differing": 0, "deaths": 0,
            },
        });
        for hub in to {
            let answer = hub.ask("POST", &format!("/v1/agents/{HOST}/status"), &status.to_string());
            assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        }
    }
}

#[test]
fn another_hub_goes_on_with_a_rollout_whose_hosts_never_spoke_to_it() {
    let mut cluster = Cluster::secured("[rollout]\nbake = \"1s\"\nsilence = \"3s\"\n");
    cluster.write_site("one", "new1");
    let told = cluster.push(Some(0), "one");
    assert_eq!(told.code, Some(0), "{told:?}");
    (0..=FOLLOWER).for_each(|hub| cluster.shows(hub, 1));

    // The host speaks to a hub that will die, and to one that follows and so publishes nothing.
    let tls = cluster.site.path("tls");
    cluster.certificates.add("mx1", &format!("URI:spiffe://live/agent/{HOST}"));
    let dies = Mutual::start(cluster.addresses[0], &tls, "mx1");
    let follows = Mutual::start(cluster.addresses[FOLLOWER], &tls, "mx1");
    let listed = follows.json("/v1/generations/live");
    let head = json!({ "generation": 1, "hash": listed[0]["hash"] });
    let voice = Voice { head, said: Cell::new(0) };
    let knows = |cluster: &Cluster, hub| cluster.admin(Some(hub), &["fleet"]).data.contains(HOST);
    expect::holds("a hub to know of a host that spoke to others", || {
        voice.say(&[&dies, &follows], false);
        knows(&cluster, 2)
    });

    let with = file(&cluster.site, "push0.toml");
    let looks_on = thread::spawn(move || switchyard(["release", "1", "--staged", "--with", with.as_str()]));
    expect::holds("the first step to wait for the host", || {
        voice.say(&[&dies, &follows], false);
        cluster.admin(Some(2), &["rollout"]).data.contains(&format!("{HOST} does not have it in use"))
    });
    cluster.kill_hub(0);
    let told = looks_on.join().expect("a release");
    assert!(told.speech.contains("the rollout goes on without us"), "{told:?}");

    expect::holds("another hub to end it", || {
        voice.say(&[&follows], true);
        cluster.admin(Some(1), &["rollout"]).data.starts_with("generation 1: complete: ")
    });
    // One that starts again need not wait until hosts have spoken to it.
    cluster.start_hub(0);
    expect::holds("it to know of the host by the others", || knows(&cluster, 0));
}
