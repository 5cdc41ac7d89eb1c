//! Whose keys count: for the next root, for heads, for releases.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::envelope::{Message, Signed, Type};
use crate::keys::PublicKey;
use crate::words::{Environment, Timestamp};

/// The most keys of one role.
pub const KEYS: usize = 16;

/// Keys of which so many different ones must have signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The keys, each once.
    pub keys: Vec<PublicKey>,
    /// How many of them must sign.
    pub threshold: usize,
}

/// The three roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Who says whose keys count: kept away from every network.
    pub root: Role,
    /// Admins, who sign heads.
    pub push: Role,
    /// Who says when a head is in use: hubs may hold these keys, for they choose only among heads of admins.
    pub release: Role,
}

/// The keys of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Whom it is for.
    pub environment: Environment,
    /// One more than the root before.
    pub version: u64,
    /// From then on nothing is taken by these keys but the next root.
    pub expires: Timestamp,
    /// Who may sign what.
    pub roles: Roles,
}

impl Role {
    /// Whether enough different keys of this role have signed; if not, how many have.
    pub fn signed(&self, signed: &Signed) -> Result<(), usize> {
        let have = signed.signers(&self.keys);
        if have >= self.threshold { Ok(()) } else { Err(have) }
    }

    /// Whether nothing that `old` alone could sign still counts: no key is in both.
    pub fn replaces(&self, old: &Self) -> bool {
        !self.keys.iter().any(|key| old.keys.contains(key))
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let keys = self.keys.len();
        if keys > KEYS {
            return Err(format!("role {name} has {keys} keys, and at most {KEYS} may be"));
        }
        if self.keys.iter().collect::<BTreeSet<_>>().len() < keys {
            return Err(format!("role {name} names a key twice"));
        }
        if self.threshold == 0 || self.threshold > keys {
            return Err(format!("role {name} wants {} signatures of {keys} keys", self.threshold));
        }
        Ok(())
    }
}

impl Message for Root {
    const TYPE: Type = Type::Root;

    fn environment(&self) -> &Environment {
        &self.environment
    }

    fn check(&self) -> Result<(), String> {
        if self.version == 0 {
            return Err("roots are counted from 1".to_owned());
        }
        self.roles.root.check("root")?;
        self.roles.push.check("push")?;
        self.roles.release.check("release")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::SecretKey;

    #[test]
    fn a_threshold_must_be_one_that_can_be_met_and_means_something() {
        let keys: Vec<_> = (1..=17).map(|n| SecretKey::from_seed([n; 32]).unwrap().public()).collect();
        let role = |keys: &[PublicKey], threshold| Role { keys: keys.to_vec(), threshold }.check("push");
        assert_eq!(role(&keys[..2], 2), Ok(()));
        assert_eq!(role(&keys[..2], 0), Err("role push wants 0 signatures of 2 keys".to_owned()));
        assert_eq!(role(&keys[..2], 3), Err("role push wants 3 signatures of 2 keys".to_owned()));
        assert_eq!(role(&[], 0), Err("role push wants 0 signatures of 0 keys".to_owned()));
        assert_eq!(role(&keys, 1), Err("role push has 17 keys, and at most 16 may be".to_owned()));
        assert_eq!(role(&[keys[0], keys[0]], 1), Err("role push names a key twice".to_owned()));
    }
}
