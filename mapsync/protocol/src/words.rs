//! Small words of the protocol: the environment that a message is for, and a moment.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of an environment.
const LONGEST: usize = 64;

/// Whom a message is for: hosts take nothing that was signed for another environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Environment(String);

/// A name that no environment can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an environment's name is 1 to {LONGEST} of a-z, 0-9 and \"-\"")]
pub struct NoEnvironment;

impl TryFrom<String> for Environment {
    type Error = NoEnvironment;

    fn try_from(name: String) -> Result<Self, NoEnvironment> {
        let legal = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        let fits = !name.is_empty() && name.len() <= LONGEST;
        if fits && name.bytes().all(legal) { Ok(Self(name)) } else { Err(NoEnvironment) }
    }
}

impl From<Environment> for String {
    fn from(environment: Environment) -> Self {
        environment.0
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Seconds since 1970, as the one who calls has them: nothing here reads a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "second {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_a_plain_name() {
        assert!(Environment::try_from("live-2".to_owned()).is_ok());
        for name in ["", "Live", "a b", "a/b", "é", &"a".repeat(65)] {
            assert_eq!(Environment::try_from(name.to_owned()), Err(NoEnvironment), "{name}");
        }
    }
}
