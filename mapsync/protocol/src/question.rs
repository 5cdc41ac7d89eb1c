//! A question to all hosts at once, and what a host answers.
//!
//! An admin asks a hub, the hub tells every host that listens, and each answers for itself. What can be asked is
//! named here ([`Check`]); nothing else is done because of a question, and nothing on a host changes. Neither side is
//! signed: whoever asks shows a certificate with the right to it, an answer counts only from the host whose
//! certificate it came with, and a hub that asks on its own learns what the files that it hands out say already.

use serde::{Deserialize, Serialize};

use crate::envelope::Malformed;
use crate::path::Path;
use crate::release::HOST;
use crate::words::Environment;

/// The most checks of one question.
pub const CHECKS: usize = 32;

/// The most hosts that a question names.
pub const HOSTS: usize = 256;

/// The most seconds that a question is open.
pub const LONGEST_WAIT: u64 = 60;

/// The longest question or answer that is read.
pub const LONGEST: usize = 128 << 10;

/// The longest text of a finding.
pub const SAYS: usize = 1000;

/// The longest address: RFC 5321 §4.5.3.1.3, with its brackets.
const ADDRESS: usize = 256;

/// The longest role.
const ROLE: usize = 64;

/// What an admin would know of all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What each host is to find out, in this order.
    pub checks: Vec<Check>,
    /// Only these hosts; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// For how many seconds answers are waited for.
    pub wait: u64,
}

/// What a host can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// The generation in use.
    Generation,
    /// How long ago it was signed, and how long it is taken.
    Age,
    /// The agent's version.
    Version,
    /// What the agent does about the newest generation.
    State,
    /// Octets left on its disk.
    Disk,
    /// How often the daemon ended by itself.
    Deaths,
    /// Whether the site does what its behaviours say, by the files in use.
    Behaviours,
    /// The hash of a file of the site, as it lies on the disk now.
    File {
        /// Which one.
        path: Path,
    },
    /// What becomes of a message there, by the settings and maps in use.
    Mail {
        /// The recipient.
        to: String,
        /// The sender; empty for the null reverse-path, none for nobody in particular.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A check of a later version.
    #[serde(other)]
    Unknown,
}

/// A question as a hub tells it to hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The hub's number of it.
    pub number: u64,
    /// What to find out.
    pub checks: Vec<Check>,
}

/// What a host answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Its environment.
    pub environment: Environment,
    /// Its name.
    pub host: String,
    /// What it is for.
    pub role: String,
    /// The number of the question.
    pub question: u64,
    /// One for each check, in their order.
    pub findings: Vec<Finding>,
}

/// What a host found out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Whether it is as it should be.
    pub outcome: Outcome,
    /// In words.
    pub says: String,
}

/// Whether what was found is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing is wrong with it.
    Fine,
    /// Somebody should look.
    Wrong,
    /// The host cannot tell.
    Unknown,
}

impl Check {
    /// Whether hosts that are alike answer alike. What is measured differs from host to host.
    pub fn is_compared(&self) -> bool {
        !matches!(self, Self::Age | Self::Disk | Self::Deaths)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Unknown => Err("a check that is not known here".to_owned()),
            Self::Mail { to, from } => {
                let longest = to.len().max(from.as_ref().map_or(0, String::len));
                if longest > ADDRESS {
                    return Err(format!("an address of {longest} octets, and at most {ADDRESS} may be"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Question {
    /// Reads a question and keeps it to its bounds.
    pub fn from_json(octets: &[u8]) -> Result<Self, Malformed> {
        let question: Self = read(octets)?;
        question.check().map_err(Malformed::Rule)?;
        Ok(question)
    }

    /// The question as it travels.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        self.check().map_err(Malformed::Rule)?;
        Ok(serde_json::to_vec(self)?)
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=CHECKS).contains(&self.checks.len()) {
            return Err(format!("a question has 1 to {CHECKS} checks, not {}", self.checks.len()));
        }
        if self.hosts.len() > HOSTS {
            return Err(format!("a question names at most {HOSTS} hosts, not {}", self.hosts.len()));
        }
        if let Some(host) = self.hosts.iter().find(|host| host.is_empty() || host.len() > HOST) {
            return Err(format!("a host's name of {} octets", host.len()));
        }
        if !(1..=LONGEST_WAIT).contains(&self.wait) {
            return Err(format!("a question waits for 1 to {LONGEST_WAIT} seconds, not {}", self.wait));
        }
        self.checks.iter().try_for_each(Check::check)
    }
}

impl Asked {
    /// Reads what a hub asks. A check that is not known here is none to refuse the others for.
    pub fn all_from_json(octets: &[u8]) -> Result<Vec<Self>, Malformed> {
        let asked: Vec<Self> = read(octets)?;
        match asked.iter().find(|asked| asked.checks.len() > CHECKS) {
            Some(asked) => {
                let have = asked.checks.len();
                Err(Malformed::Rule(format!("a question has 1 to {CHECKS} checks, not {have}")))
            }
            None => Ok(asked),
        }
    }
}

impl Answer {
    /// Reads an answer and keeps it to its bounds.
    pub fn from_json(octets: &[u8]) -> Result<Self, Malformed> {
        let answer: Self = read(octets)?;
        answer.check().map_err(Malformed::Rule)?;
        Ok(answer)
    }

    /// The answer as it travels.
    pub fn to_json(&self) -> Result<Vec<u8>, Malformed> {
        self.check().map_err(Malformed::Rule)?;
        Ok(serde_json::to_vec(self)?)
    }

    fn check(&self) -> Result<(), String> {
        if self.host.is_empty() || self.host.len() > HOST {
            return Err(format!("a host's name of {} octets", self.host.len()));
        }
        if self.role.len() > ROLE {
            return Err(format!("a role of {} octets, and at most {ROLE} may be", self.role.len()));
        }
        if self.findings.len() > CHECKS {
            return Err(format!("{} findings, and at most {CHECKS} may be", self.findings.len()));
        }
        match self.findings.iter().find(|finding| finding.says.len() > SAYS) {
            Some(finding) => {
                Err(format!("a finding of {} octets, and at most {SAYS} may be", finding.says.len()))
            }
            None => Ok(()),
        }
    }
}

impl Finding {
    /// As it should be.
    pub fn fine(says: impl AsRef<str>) -> Self {
        Self::new(Outcome::Fine, says)
    }

    /// Not as it should be.
    pub fn wrong(says: impl AsRef<str>) -> Self {
        Self::new(Outcome::Wrong, says)
    }

    /// Nobody can tell, and why.
    pub fn unknown(says: impl AsRef<str>) -> Self {
        Self::new(Outcome::Unknown, says)
    }

    /// As much of the text as fits, in one line.
    fn new(outcome: Outcome, says: impl AsRef<str>) -> Self {
        let plain = says.as_ref().chars().map(|letter| if letter.is_control() { ' ' } else { letter });
        let mut text = String::new();
        for letter in plain {
            if text.len() + letter.len_utf8() > SAYS {
                break;
            }
            text.push(letter);
        }
        Self { outcome, says: text }
    }
}

fn read<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> Result<T, Malformed> {
    if octets.len() > LONGEST {
        return Err(Malformed::TooLong(octets.len()));
    }
    Ok(serde_json::from_slice(octets)?)
}

#[cfg(test)]
mod tests;
