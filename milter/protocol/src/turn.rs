//! Whose turn it is: the order of events that both sides hold one another to.

use crate::negotiate::Agreed;
use crate::stage::Stage;

/// An event that cannot come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{stage} comes out of turn")]
pub struct OutOfTurn {
    /// The event's stage.
    pub stage: Stage,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Turn {
    connected: bool,
    /// The latest stage of the message at hand.
    message: Option<Stage>,
}

impl Turn {
    /// Takes the next event, if it can come now.
    pub(crate) fn admit(&mut self, stage: Stage, agreed: &Agreed) -> Result<(), OutOfTurn> {
        let connected = self.connected || !agreed.tells(Stage::Connect);
        let may = match stage {
            Stage::Connect => !self.connected && self.message.is_none(),
            Stage::Helo => connected && self.message.is_none(),
            Stage::Unknown => connected && self.message.is_none_or(|message| message < Stage::Data),
            _ => connected && self.follows(stage, agreed),
        };
        if !may {
            return Err(OutOfTurn { stage });
        }
        self.connected = true;
        if stage.is_of_message() {
            self.message = Some(stage);
        }
        Ok(())
    }

    fn follows(&self, stage: Stage, agreed: &Agreed) -> bool {
        match self.message {
            // A message begins with the first stage that is told at all.
            None => stage == Stage::EnvFrom || !agreed.tells(Stage::EnvFrom),
            Some(latest) => stage > latest || stage == latest && stage.repeats(),
        }
    }

    /// Whether a message has begun.
    pub(crate) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    pub(crate) fn end_message(&mut self) {
        self.message = None;
    }
}
