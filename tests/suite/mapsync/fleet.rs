//! The benchmark of a fleet in small, so that it is there when somebody wants its figures: nothing is said of time.

use switchyard_tests::fleet::daemons::{Programs, whole_hosts};
use switchyard_tests::fleet::figures::{self, Figure};
use switchyard_tests::fleet::lines::{Sizes, one_hub, three_hubs};
use switchyard_tests::site::binary;

const SIZES: Sizes = Sizes { hosts: 50, rounds: 2, entries: 5000 };

fn is_measured(found: &[Figure]) {
    print!("{}", figures::table(found));
    assert!(found.iter().all(|figure| figure.value.is_finite()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_of_a_fleet_has_what_is_pushed_and_its_hub_knows() {
    is_measured(&one_hub(&binary::program("switchyard-mapsync"), SIZES).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_outlives_a_hub_and_the_leader_of_etcd() {
    is_measured(&three_hubs(&binary::program("switchyard-mapsync"), SIZES).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_hosts_of_a_fleet_go_by_what_is_pushed() {
    let [mapsync, mx] = ["switchyard-mapsync", "switchyard-mx"].map(binary::program);
    is_measured(&whole_hosts(&Programs { mapsync, mx }, 2, SIZES.entries).await);
}
