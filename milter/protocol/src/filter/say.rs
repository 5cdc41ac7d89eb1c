//! What a filter says: an answer, or edits and an action at the end of a message.

use bytes::Bytes;

use super::{Held, Session};
use crate::edit::{Edit, EditError};
use crate::frame::USUAL_DATA;
use crate::negotiate::Steps;
use crate::response::{Action, Response};
use crate::stage::Stage;

impl Session {
    /// Answers the event at hand. What is said of a message stands until it ends, whether the MTA waits for an
    /// answer here or not.
    pub fn answer(&mut self, action: Action) {
        let Some(stage) = self.asked.take() else { return };
        let Some(agreed) = &self.agreed else { return };
        let action = if action.is_legal(stage) { action } else { Action::Continue };
        if !agreed.answers(stage) {
            match action {
                Action::Continue => {}
                Action::Skip => self.skips.push(stage),
                // An answer to one recipient says nothing of the others, and cannot be given any more.
                _ if stage == Stage::EnvRcpt && action.is_refusal() => {}
                action if self.held.is_none() => {
                    self.held = Some(Held { action, of_message: stage.is_of_message() });
                }
                _ => {}
            }
            return;
        }
        let knows_skip = agreed.steps.contains(Steps::SKIP);
        let said = match action {
            Action::Skip if !knows_skip => {
                self.skips.push(stage);
                Action::Continue
            }
            other => other,
        };
        let ends = match said {
            Action::Continue | Action::Skip => false,
            Action::Reject | Action::Tempfail | Action::Reply(_) => stage != Stage::EnvRcpt,
            _ => true,
        };
        Response::Action(said).encode(&mut self.output);
        if stage == Stage::Eom || ends && stage.is_of_message() {
            // Where no sender is told, nobody could say where the next message begins.
            let is_over = stage != Stage::Eom && agreed.tells(Stage::EnvFrom);
            self.end_message();
            self.is_over = is_over;
        }
    }

    /// Answers the end of a message: changes first, then the action.
    ///
    /// # Errors
    /// When an edit is none, or is not among the wanted actions. Nothing is written: [`Session::finish`] again.
    pub fn finish(&mut self, edits: Vec<Edit>, action: Action) -> Result<(), EditError> {
        let Some(agreed) = &self.agreed else { return Ok(()) };
        let mut checked = Vec::with_capacity(edits.len());
        for edit in edits {
            if !edit.is_agreed(agreed.actions) {
                return Err(EditError::NotAgreed);
            }
            checked.push(edit.check()?);
        }
        if self.asked == Some(Stage::Eom) {
            for edit in checked {
                self.say(edit);
            }
        }
        self.answer(action);
        Ok(())
    }

    /// Tells the MTA to wait on; only at the end of a message do MTAs expect it.
    pub fn progress(&mut self) {
        if self.asked == Some(Stage::Eom) {
            Response::Progress.encode(&mut self.output);
        }
    }

    fn say(&mut self, edit: Edit) {
        let Edit::ReplBody(body) = edit else { return Response::Edit(edit).encode(&mut self.output) };
        let most = self.agreed.as_ref().map_or(USUAL_DATA, |agreed| agreed.data_size());
        let mut rest = body;
        loop {
            let chunk: Bytes = rest.split_to(rest.len().min(most));
            Response::Edit(Edit::ReplBody(chunk)).encode(&mut self.output);
            if rest.is_empty() {
                return;
            }
        }
    }
}
