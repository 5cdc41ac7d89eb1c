//! What a host says about itself: which generation it has where, and how it is.
//!
//! It is not signed. The hub takes it only from the host whose certificate it came with, counts by it, and believes
//! nothing else because of it.

use serde::{Deserialize, Serialize};

use crate::envelope::Malformed;
use crate::head::HeadRef;
use crate::release::HOST;
use crate::words::{Environment, Timestamp};

/// The longest status that is read.
pub const LONGEST: usize = 16 << 10;

/// The longest reason.
pub const REASON: usize = 2000;

/// The longest role, site or version.
const WORD: usize = 64;

/// A host's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Which environment it takes.
    pub environment: Environment,
    /// Its name, as releases count it.
    pub host: String,
    /// What it is for: every role has a host that goes first.
    pub role: String,
    /// Where it stands: every place has a host that goes first.
    pub site: String,
    /// The version of its agent.
    pub version: String,
    /// Rises with each status: an older one that comes late is known by it.
    pub nonce: u64,
    /// Its clock.
    pub at: Timestamp,
    /// Where it is with generations.
    pub progress: Progress,
    /// How its daemons are.
    pub counters: Counters,
    /// Octets left on its disk.
    pub disk_free: u64,
}

/// Where a host is with generations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The last release that it took; 0 before the first.
    pub release: u64,
    /// The newest generation that it knows.
    pub wanted: Option<HeadRef>,
    /// The newest that it has ready: fetched, checked, compiled, tested.
    pub staged: Option<HeadRef>,
    /// The one in use.
    pub active: Option<HeadRef>,
    /// The one before it.
    pub previous: Option<HeadRef>,
    /// What it does about the wanted one.
    pub state: State,
    /// Why it refused, went back, or is worried.
    pub reason: Option<String>,
}

/// What a host does about the generation that it wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has nothing to do: no generation is wanted, or the wanted one is in use.
    #[default]
    Settled,
    /// It fetches.
    Fetching,
    /// It compiles and tests.
    Staging,
    /// It is ready, and waits for its release.
    Staged,
    /// It will not have this generation.
    Refused,
    /// It had this generation in use, and went back.
    Returned,
}

/// What a host's daemons did since its agent began to look; a start of the agent begins at nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counters {
    /// Messages and recipients that were taken.
    pub taken: u64,
    /// Those refused for good.
    pub rejected: u64,
    /// Those put off.
    pub deferred: u64,
    /// Those reported back.
    pub bounced: u64,
    /// Answers of a set that waits which differ from those of the one in use by no line that changed, or fail.
    pub differing: u64,
    /// How often a daemon died by itself since the agent started.
    pub deaths: u64,
}

impl Status {
    /// Reads a status and keeps it to its bounds.
    pub fn from_json(octets: &[u8]) -> Result<Self, Malformed> {
        if octets.len() > LONGEST {
            return Err(Malformed::TooLong(octets.len()));
        }
        let status: Self = serde_json::from_slice(octets)?;
        status.check()?;
        Ok(status)
    }

    /// The status as it travels.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        self.check()?;
        Ok(serde_json::to_vec(self)?)
    }

    /// Keeps one that came as a part of something else to its bounds.
    pub fn check(&self) -> Result<(), Malformed> {
        self.bounds().map_err(Malformed::Rule)
    }

    fn bounds(&self) -> Result<(), String> {
        if self.host.is_empty() || self.host.len() > HOST {
            return Err(format!("a host's name of {} octets", self.host.len()));
        }
        for (name, word) in [("role", &self.role), ("site", &self.site), ("version", &self.version)] {
            if word.len() > WORD {
                return Err(format!("a {name} of {} octets, and at most {WORD} may be", word.len()));
            }
        }
        match &self.progress.reason {
            Some(reason) if reason.len() > REASON => {
                Err(format!("a reason of {} octets, and at most {REASON} may be", reason.len()))
            }
            _ => Ok(()),
        }
    }
}

/// As much of a reason as fits.
pub fn reason(text: &str) -> String {
    let mut end = text.len().min(REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::hash::Hash;

    pub(crate) fn status(host: &str) -> Status {
        Status {
            environment: Environment::try_from("live".to_owned()).unwrap(),
            host: host.to_owned(),
            role: "mx".to_owned(),
            site: "here".to_owned(),
            version: "0.1.0".to_owned(),
            nonce: 1,
            at: Timestamp(1500),
            progress: Progress::default(),
            counters: Counters::default(),
            disk_free: 1 << 30,
        }
    }

    #[test]
    fn a_status_comes_back_and_stays_in_its_bounds() {
        let mut full = status("mx1.example.net");
        let head = HeadRef { generation: 7, hash: Hash::of(b"") };
        full.progress.active = Some(head);
        full.progress.state = State::Refused;
        full.progress.reason = Some(reason(&"\u{e9}\n".repeat(REASON)));
        let octets = full.to_json().unwrap();
        assert!(octets.len() <= LONGEST);
        assert_eq!(Status::from_json(&octets).unwrap(), full);
        assert!(Status::from_json(&vec![b' '; LONGEST + 1]).is_err());
        let other = String::from_utf8(octets).unwrap().replace("nonce", "once");
        assert!(Status::from_json(other.as_bytes()).is_err());
        let with = |change: fn(&mut Status)| {
            let mut wrong = full.clone();
            change(&mut wrong);
            wrong
        };
        for wrong in [
            with(|status| status.host.clear()),
            with(|status| status.host = "x".repeat(HOST + 1)),
            with(|status| status.role = "x".repeat(WORD + 1)),
            with(|status| status.progress.reason = Some("x".repeat(REASON + 1))),
        ] {
            assert!(wrong.to_json().is_err(), "{wrong:?}");
            assert!(Status::from_json(&serde_json::to_vec(&wrong).unwrap()).is_err(), "{wrong:?}");
        }
    }
}
