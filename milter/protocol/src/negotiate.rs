//! What both sides agree on before the first event: version, actions, protocol steps, data size, lists of macros.
//!
//! The MTA offers all it can ([`Options::offer`]); the filter answers with the part of it that it wants
//! ([`Wants::answer`]); the MTA takes the answer only if it is a part of the offer ([`Agreed::new`]). Both sides then
//! hold the same [`Agreed`].

mod actions;
mod steps;

use bytes::{BufMut as _, Bytes, BytesMut};

pub use actions::Actions;
pub use steps::{DataSize, Steps};

use crate::decode::{DecodeError, Parts, put_text};
use crate::stage::Stage;

/// The oldest version spoken here.
pub const OLDEST: u32 = 2;
/// The newest version there is.
pub const NEWEST: u32 = 6;

/// Macros in one list, and octets of its text.
const MOST_NAMES: usize = 256;

/// The code of the frame, the same in both directions.
pub(crate) const CODE: u8 = b'O';

/// What one side says at the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The version of the protocol.
    pub version: u32,
    /// The edits: may be made, or will be asked for.
    pub actions: Actions,
    /// Events, answers and features: can be left out, or shall be.
    pub steps: Steps,
    /// The macros that a filter wants at a stage instead of the usual ones. Only a filter sends them.
    pub macros: Vec<(Stage, Vec<Bytes>)>,
}

/// Why two sides cannot talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NegotiateError {
    /// The filter answered with a version that was not offered, or one too old.
    #[error("the filter speaks version {answered}, where {OLDEST} to {offered} were offered")]
    Version {
        /// Ours.
        offered: u32,
        /// Theirs.
        answered: u32,
    },
    /// The filter will ask for edits that were not offered.
    #[error("the filter wants actions {:#x} that were not offered", .0.0)]
    Actions(Actions),
    /// The filter wants steps that were not offered.
    #[error("the filter wants protocol steps {:#x} that were not offered", .0.0)]
    Steps(Steps),
    /// The filter sent lists of macros, which it may not.
    #[error("the filter sent lists of macros, which were not offered")]
    Lists,
    /// The MTA cannot do what the filter cannot be without.
    #[error("the MTA does not offer actions {:#x}, which the filter needs", .0.0)]
    Missing(Actions),
}

impl Options {
    /// All that an MTA of this crate can do, in the newest version.
    #[must_use]
    pub fn offer() -> Self {
        Self::offer_version(NEWEST)
    }

    /// The same in an older version, for filters that stumble over the newest.
    #[must_use]
    pub fn offer_version(version: u32) -> Self {
        let version = version.clamp(OLDEST, NEWEST);
        let (actions, steps) = (Actions::of_version(version), Steps::of_version(version));
        Self { version, actions, steps, macros: Vec::new() }
    }

    pub(crate) fn encode(&self, output: &mut BytesMut) {
        output.put_u32(self.version);
        output.put_u32(self.actions.0);
        output.put_u32(self.steps.0);
        for (stage, names) in &self.macros {
            let Some(number) = stage.list_number() else { continue };
            output.put_u32(number);
            put_text(output, &names.join(&b' '));
        }
    }

    pub(crate) fn decode(payload: Bytes) -> Result<Self, DecodeError> {
        let mut parts = Parts::new(CODE, payload);
        let version = parts.number()?;
        let actions = Actions(parts.number()?);
        let steps = Steps(parts.number()?);
        let mut macros = Vec::new();
        while !parts.is_empty() {
            if macros.len() == Stage::ALL.len() {
                return Err(parts.many("lists of macros", Stage::ALL.len()));
            }
            let stage = Stage::of_list_number(parts.number()?).ok_or_else(|| parts.value("a stage"))?;
            let list = parts.text()?;
            let names: Vec<Bytes> = list
                .split(|octet| matches!(octet, b' ' | b',' | b'\t'))
                .filter(|name| !name.is_empty())
                .take(MOST_NAMES + 1)
                .map(|name| list.slice_ref(name))
                .collect();
            if names.len() > MOST_NAMES {
                return Err(parts.many("macros in a list", MOST_NAMES));
            }
            macros.push((stage, names));
        }
        Ok(Self { version, actions, steps, macros })
    }
}

/// What a filter asks for: the filter's side of the bargain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wants {
    /// Edits that it will make. An MTA that cannot do one of them is refused.
    pub actions: Actions,
    /// Steps that it wants where they are offered: events and answers left out, features.
    pub steps: Steps,
    /// Lists of macros, sent where the MTA takes them.
    pub macros: Vec<(Stage, Vec<Bytes>)>,
}

impl Wants {
    /// The answer to an MTA's offer.
    ///
    /// # Errors
    /// When the MTA cannot do an edit that the filter makes, or speaks too old a version.
    pub fn answer(&self, offer: &Options) -> Result<Options, NegotiateError> {
        if offer.version < OLDEST {
            return Err(NegotiateError::Version { offered: NEWEST, answered: offer.version });
        }
        let missing = self.actions.without(offer.actions);
        if !missing.is_empty() {
            return Err(NegotiateError::Missing(missing));
        }
        let version = offer.version.min(NEWEST);
        let takes_lists = offer.actions.contains(Actions::SET_MACROS) && !self.macros.is_empty();
        Ok(Options {
            version,
            actions: if takes_lists { self.actions | Actions::SET_MACROS } else { self.actions },
            steps: self.steps & offer.steps & Steps::of_version(version),
            macros: if takes_lists { self.macros.clone() } else { Vec::new() },
        })
    }
}

/// What holds for the rest of the connection, on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The version.
    pub version: u32,
    /// Edits that the filter may ask for.
    pub actions: Actions,
    /// Events and answers that are left out, and features in use.
    pub steps: Steps,
    /// The lists of macros that the filter wants.
    pub macros: Vec<(Stage, Vec<Bytes>)>,
}

impl Agreed {
    /// Takes the filter's answer to an offer.
    ///
    /// # Errors
    /// When it is not a part of what was offered.
    pub fn new(offer: &Options, answer: Options) -> Result<Self, NegotiateError> {
        if !(OLDEST..=offer.version).contains(&answer.version) {
            return Err(NegotiateError::Version { offered: offer.version, answered: answer.version });
        }
        let strange = answer.actions.without(offer.actions);
        if !strange.is_empty() {
            return Err(NegotiateError::Actions(strange));
        }
        let strange = answer.steps.without(offer.steps);
        if !strange.is_empty() {
            return Err(NegotiateError::Steps(strange));
        }
        if !answer.macros.is_empty() && !offer.actions.contains(Actions::SET_MACROS) {
            return Err(NegotiateError::Lists);
        }
        let Options { version, actions, steps, macros } = answer;
        Ok(Self { version, actions, steps, macros })
    }

    /// Octets of data that a body chunk may have.
    #[must_use]
    pub fn data_size(&self) -> usize {
        self.steps.data_size().octets()
    }

    /// Whether the filter wants to be told of this stage at all.
    #[must_use]
    pub fn tells(&self, stage: Stage) -> bool {
        // What an older version has no word for is not sent either.
        let known = match stage {
            Stage::Unknown => self.version >= 3,
            Stage::Data => self.version >= 4,
            _ => true,
        };
        known && !Steps::no_event(stage).is_some_and(|step| self.steps.contains(step))
    }

    /// Whether the filter answers at this stage.
    #[must_use]
    pub fn answers(&self, stage: Stage) -> bool {
        !Steps::no_reply(stage).is_some_and(|step| self.steps.contains(step))
    }

    /// The list of macros that the filter wants at a stage, where it sent one.
    #[must_use]
    pub fn wanted_macros(&self, stage: Stage) -> Option<&[Bytes]> {
        self.macros.iter().find(|(of, _)| *of == stage).map(|(_, names)| names.as_slice())
    }
}

#[cfg(test)]
mod tests;
