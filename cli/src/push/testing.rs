//! Releases, and what hosts say, for tests of those who look at both.

use switchyard_mapsync::client::FleetHost;
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::HeadRef;
use switchyard_mapsync_protocol::release::{ALL, Release};
use switchyard_mapsync_protocol::status::{Counters, Progress, Status};
use switchyard_mapsync_protocol::{Environment, Timestamp};

fn live() -> Environment {
    Environment::try_from("live".to_owned()).unwrap()
}

/// The head of a generation.
pub(super) fn head(generation: u64) -> HeadRef {
    HeadRef { generation, hash: Hash::of(&generation.to_le_bytes()) }
}

/// What a host of this name said a second ago.
pub(super) fn host(name: &str, progress: Progress) -> FleetHost {
    let status = Status {
        environment: live(),
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
    FleetHost { age: 1, status }
}

/// A release of a generation to all hosts.
pub(super) fn release(sequence: u64, generation: u64) -> Release {
    Release {
        environment: live(),
        sequence,
        generation,
        head: head(generation).hash,
        permille: ALL,
        canaries: Vec::new(),
        halted: false,
        undo: false,
        expires: Timestamp(9),
    }
}
