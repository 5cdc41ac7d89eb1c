//! What maps ask of a message for its sender and its recipients: copies, and changes of its header.
//!
//! Both are asked before anything is done: a map that cannot say makes the client come again, and nothing is changed
//! in part. What one recipient's entry asks for is done for all, since a message has one header.

use switchyard_maps::field_edits::{FieldChange, FieldEdit, FieldEdits};
use switchyard_maps::{Answer, Snapshot};
use switchyard_smtp::address::{Mailbox, ReversePath};

use crate::draft::Draft;
use crate::message::Envelope;

/// Copies of one message.
const MAX_COPIES: usize = 100;
/// Changes of one message's header.
const MAX_EDITS: usize = 200;

/// All that the maps ask for.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// Who gets a copy: nobody twice, and nobody who gets it anyway (Postfix's bcc(5) rules).
    pub(crate) copies: Vec<String>,
    edits: Vec<FieldEdit>,
}

/// A map cannot say now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MapUnavailable;

/// Asks the maps, for the sender first and then for each recipient.
pub(crate) async fn asked(maps: &Snapshot, envelope: &Envelope) -> Result<Wishes, MapUnavailable> {
    let mut wishes = Wishes::default();
    if let Ok(sender) = ReversePath::parse(&format!("<{}>", envelope.sender)) {
        wishes.edit(said(maps.settled(|maps| maps.sender_headers(&sender)).await)?.as_ref());
        wishes.copy(said(maps.settled(|maps| maps.sender_bcc(&sender)).await)?, envelope);
    }
    for recipient in &envelope.recipients {
        if let Ok(mailbox) = Mailbox::parse(recipient) {
            wishes.edit(said(maps.settled(|maps| maps.recipient_headers(&mailbox)).await)?.as_ref());
            wishes.copy(said(maps.settled(|maps| maps.recipient_bcc(&mailbox)).await)?, envelope);
        }
    }
    Ok(wishes)
}

fn said<T>(answer: Answer<switchyard_maps::Found<T>>) -> Result<Option<T>, MapUnavailable> {
    match answer {
        Answer::Found(found) => Ok(Some(found.value)),
        Answer::NotFound => Ok(None),
        Answer::Unavailable(_) => Err(MapUnavailable),
    }
}

impl Wishes {
    fn copy(&mut self, to: Option<Mailbox>, envelope: &Envelope) {
        let Some(copy) = to.map(|mailbox| mailbox.to_string()) else { return };
        let has = |address: &String| address.eq_ignore_ascii_case(&copy);
        if self.copies.len() < MAX_COPIES
            && !self.copies.iter().any(has)
            && !envelope.recipients.iter().any(has)
        {
            self.copies.push(copy);
        }
    }

    fn edit(&mut self, edits: Option<&FieldEdits>) {
        for edit in edits.into_iter().flat_map(|edits| edits.0.iter()) {
            // Many recipients of one domain ask for the same.
            if self.edits.len() < MAX_EDITS && !self.edits.contains(edit) {
                self.edits.push(edit.clone());
            }
        }
    }

    /// Changes the header as it was asked for; `verdicts` are each check's word, none for mail of ours. Whether
    /// anything was changed.
    pub(crate) fn apply(&self, draft: &mut Draft<'_>, verdicts: &[(&str, &str)]) -> bool {
        let holds = |edit: &&FieldEdit| match &edit.when {
            Some(when) => verdicts.contains(&(when.check, when.result)),
            None => true,
        };
        let mut has_changed = false;
        // What goes is counted among what the MTA has, so it goes before anything is put on top.
        for FieldEdit { name, change, .. } in self.edits.iter().filter(holds) {
            if matches!(change, FieldChange::Replace(_) | FieldChange::Remove) {
                has_changed |= draft.remove(|field| field.name.eq_ignore_ascii_case(name.as_bytes())) > 0;
            }
        }
        for FieldEdit { name, change, .. } in self.edits.iter().filter(holds) {
            if let FieldChange::Add(text) | FieldChange::Replace(text) = change {
                draft.prepend(name, &format!(" {text}"));
                has_changed = true;
            }
        }
        has_changed
    }
}
