//! Which hosts flip to a generation that they have ready: one small signed message.
//!
//! Each host finds out by itself whether it is meant. Its place is a hash of its name and the generation, so every
//! generation begins with other hosts, and a larger share always holds the smaller one.

use serde::{Deserialize, Serialize};

use crate::envelope::{Message, Type};
use crate::hash::Hash;
use crate::head::HeadRef;
use crate::words::{Environment, Timestamp};

/// The most hosts that a release names.
pub const CANARIES: usize = 256;

/// The longest name of a host.
pub const HOST: usize = 253;

/// Every host.
pub const ALL: u16 = 1000;

/// What is to be in use, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Whom it is for.
    pub environment: Environment,
    /// Rises with every release of the environment.
    pub sequence: u64,
    /// The generation to flip to.
    pub generation: u64,
    /// The hash of its head.
    pub head: Hash,
    /// How many of a thousand hosts flip: [`ALL`] of them, or fewer.
    pub permille: u16,
    /// Hosts that flip besides, by name.
    pub canaries: Vec<String>,
    /// Nobody flips: who has flipped stays.
    pub halted: bool,
    /// Who has flipped to this generation goes back to what it had in use before, and does not take this head again.
    /// Only together with `halted`.
    pub undo: bool,
    /// From then on it moves nobody.
    pub expires: Timestamp,
}

impl Release {
    /// The head that it puts in use.
    pub fn names(&self) -> HeadRef {
        HeadRef { generation: self.generation, hash: self.head }
    }

    /// Whether this host is to flip.
    pub fn moves(&self, host: &str) -> bool {
        let named = self.canaries.iter().any(|canary| canary == host);
        !self.halted && (named || number(host, self.generation) % u64::from(ALL) < u64::from(self.permille))
    }
}

/// A host's number at this generation; its place among a thousand is what is left of it.
pub(crate) fn number(host: &str, generation: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(host.as_bytes());
    let hash = hasher.finalize();
    hash.as_bytes().iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

impl Message for Release {
    const TYPE: Type = Type::Release;

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn check(&self) -> Result<(), String> {
        if self.permille > ALL {
            return Err(format!("{} hosts of a thousand", self.permille));
        }
        if self.undo && !self.halted {
            return Err("what is undone is halted too".to_owned());
        }
        if self.canaries.len() > CANARIES {
            return Err(format!("{} hosts by name, and at most {CANARIES} may be", self.canaries.len()));
        }
        match self.canaries.iter().find(|host| host.is_empty() || host.len() > HOST) {
            Some(host) => Err(format!("a host's name of {} octets", host.len())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn release(sequence: u64, generation: u64, head: Hash) -> Release {
        Release {
            environment: Environment::try_from("live".to_owned()).unwrap(),
            sequence,
            generation,
            head,
            permille: ALL,
            canaries: Vec::new(),
            halted: false,
            undo: false,
            expires: Timestamp(2000),
        }
    }

    #[test]
    fn a_larger_share_holds_the_smaller_one_and_all_is_all() {
        let hosts: Vec<_> = (0..1000).map(|n| format!("mx{n}.example.net")).collect();
        let moved = |permille, generation| -> Vec<_> {
            let release = Release { permille, ..release(1, generation, Hash::of(b"")) };
            hosts.iter().filter(|host| release.moves(host)).collect()
        };
        let tenth = moved(100, 7);
        let quarter = moved(250, 7);
        assert!((60..140).contains(&tenth.len()), "{}", tenth.len());
        assert!(tenth.iter().all(|host| quarter.contains(host)));
        assert_ne!(tenth, moved(100, 8), "another generation begins elsewhere");
        assert_eq!(moved(0, 7).len(), 0);
        assert_eq!(moved(ALL, 7).len(), 1000);
    }

    #[test]
    fn named_hosts_move_unless_it_is_halted() {
        let canaries = vec!["mx1".to_owned()];
        let mut release = Release { permille: 0, canaries, ..release(1, 1, Hash::of(b"")) };
        assert!(release.moves("mx1") && !release.moves("mx2"));
        release.halted = true;
        assert!(!release.moves("mx1"));
        release.permille = ALL;
        assert!(!release.moves("mx2"));
        release.permille = ALL + 1;
        assert!(release.check().is_err());
    }
}
