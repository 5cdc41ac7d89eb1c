//! An answer that is being heard: its edits, checked one by one and counted.

use super::{EditLimits, HearError};
use crate::edit::{Edit, EditError};
use crate::event::Field;
use crate::negotiate::{Agreed, Steps};
use crate::stage::Stage;

/// An answer that is being heard.
#[derive(Debug)]
pub(super) struct Awaited {
    stage: Stage,
    edits: Vec<Edit>,
    octets: usize,
    past: bool,
}

impl Awaited {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage, edits: Vec::new(), octets: 0, past: false }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// Its message is over.
    pub(super) fn pass(&mut self) {
        (self.edits, self.past) = (Vec::new(), true);
    }

    pub(super) fn is_past(&self) -> bool {
        self.past
    }

    pub(super) fn into_edits(self) -> Vec<Edit> {
        self.edits
    }

    /// One more edit, if it may be asked for, can be made, and fits.
    pub(super) fn take(&mut self, edit: Edit, agreed: &Agreed, limits: EditLimits) -> Result<(), HearError> {
        let name = edit.as_str();
        let refused = |error| HearError::Edit { edit: name, error };
        if !edit.is_agreed(agreed.actions) {
            return Err(refused(EditError::NotAgreed));
        }
        let mut edit = edit.check().map_err(refused)?;
        if !agreed.steps.contains(Steps::LEADING_SPACE) {
            edit = with_space(edit);
        }
        self.octets = self.octets.saturating_add(edit.octets());
        if self.edits.len() == limits.count || self.octets > limits.octets {
            return Err(refused(EditError::TooMuch));
        }
        self.edits.push(edit);
        Ok(())
    }
}

/// A value with the space that was left to us; no value at all deletes a field, and stays so.
fn with_space(edit: Edit) -> Edit {
    let spaced = |field: Field| match field.value.is_empty() {
        true => field,
        false => Field { value: [b" ", &field.value[..]].concat().into(), ..field },
    };
    match edit {
        Edit::AddHeader(field) => Edit::AddHeader(spaced(field)),
        Edit::InsHeader { index, field } => Edit::InsHeader { index, field: spaced(field) },
        Edit::ChgHeader { index, field } => Edit::ChgHeader { index, field: spaced(field) },
        other => other,
    }
}
