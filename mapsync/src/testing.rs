//! Keys and messages of an environment that is not there, for tests.

use switchyard_mapsync_protocol::envelope::{Message, Signed};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::head::{File, Head, HeadRef, Kind};
use switchyard_mapsync_protocol::keys::SecretKey;
use switchyard_mapsync_protocol::root::{self, Roles, Root};
use switchyard_mapsync_protocol::{Environment, Timestamp};

use crate::agent::Set;

pub(crate) const ROOT: u8 = 1;
pub(crate) const PUSH: u8 = 2;
pub(crate) const RELEASE: u8 = 3;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32]).unwrap()
}

pub(crate) fn live() -> Environment {
    Environment::try_from("live".to_owned()).unwrap()
}

pub(crate) fn signed(message: &impl Message, keys: &[u8]) -> Vec<u8> {
    let mut signed = Signed::new(message).unwrap();
    keys.iter().for_each(|seed| signed.sign(&key(*seed)));
    signed.to_json().unwrap()
}

pub(crate) fn root(version: u64, push: u8) -> Root {
    let role = |seed: u8| root::Role { keys: vec![key(seed).public()], threshold: 1 };
    let roles = Roles { root: role(ROOT), push: role(push), release: role(RELEASE) };
    Root { environment: live(), version, expires: Timestamp(u64::MAX), roles }
}

pub(crate) fn head(generation: u64, previous: Option<Hash>, files: &[(&str, &[u8])]) -> Head {
    let file = |(path, octets): &(&str, &[u8])| File {
        path: path.to_string().try_into().unwrap(),
        kind: Kind::Text,
        hash: Hash::of(octets),
        bytes: octets.len() as u64,
        records: 0,
    };
    Head {
        environment: live(),
        generation,
        previous,
        created: Timestamp(1),
        expires: Timestamp(u64::MAX),
        author: "ann".to_owned(),
        note: format!("change {generation}"),
        files: files.iter().map(file).collect(),
    }
}

/// What a set of an mx says of itself, as it stands in `set.json`.
pub(crate) fn told(name: HeadRef, head: Head, host: &str) -> Vec<u8> {
    let set = Set {
        name,
        head,
        host: host.to_owned(),
        role: "mx".to_owned(),
        daemon: "mx".to_owned(),
        control: None,
        metrics: None,
    };
    serde_json::to_vec(&set).unwrap()
}
