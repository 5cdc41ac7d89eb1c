//! A walk over the queue: the messages that a selector means, a page at a time, so that mail goes on between two
//! pages and the answer is never all in memory.

use std::sync::Arc;

use switchyard_maps::Resolved;

use super::dispatch::Decision;
use super::message::Message;
use super::scheduler::Place;
use super::select::Selector;
use super::{QueueHandle, Shared};
use crate::spool::QueueId;

/// Messages looked at under one lock.
pub(super) const PAGE: usize = 512;

/// A message that is meant.
#[derive(Debug)]
pub(super) struct Meant {
    pub message: Arc<Message>,
    /// Where it was when it was looked at.
    pub place: Place,
    /// Its recipients that are meant.
    pub recipients: Vec<u32>,
}

/// Where a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    selector: Selector,
    named: Vec<QueueId>,
    after: Option<QueueId>,
    /// Mail that comes while we walk is not walked to.
    last: Option<QueueId>,
}

impl Walk {
    /// A walk from the oldest message on.
    ///
    /// # Errors
    /// With the word that is no queue id.
    pub(super) fn new(queue: &QueueHandle, selector: Selector) -> Result<Self, String> {
        let named = selector.queue_ids()?;
        let last = match named.last() {
            Some(last) => Some(*last),
            None => queue.0.lock().newest(),
        };
        Ok(Self { selector, named, after: None, last })
    }

    /// What is meant of the next page; none at the end.
    pub(super) async fn next(&mut self, shared: &Shared) -> Option<Vec<Meant>> {
        let page = self.page(shared)?;
        self.after = page.last().map(|(message, _)| message.id).or(self.last);
        let now = shared.now();
        let mut meant = Vec::new();
        for (message, place) in page {
            let Some(recipients) = self.selector.pick(&message, place, now) else { continue };
            meant.push(Meant { message, place, recipients });
        }
        if self.selector.next_hop.is_some() {
            meant = self.by_way(shared, meant).await;
        }
        // A long walk is one of many things that this thread does.
        tokio::task::yield_now().await;
        Some(meant)
    }

    fn page(&self, shared: &Shared) -> Option<Vec<(Arc<Message>, Place)>> {
        let last = self.last.filter(|last| self.after.is_none_or(|after| after < *last))?;
        let scheduler = shared.lock();
        if self.named.is_empty() {
            return Some(scheduler.page(self.after, last, PAGE));
        }
        let wanted = self.named.iter().filter(|id| self.after.is_none_or(|after| after < **id));
        let found = wanted.filter_map(|id| scheduler.message(*id));
        Some(found.take(PAGE).map(|(message, place)| (Arc::clone(message), place)).collect())
    }

    /// Of these, those with a recipient that goes the way asked for.
    async fn by_way(&self, shared: &Shared, meant: Vec<Meant>) -> Vec<Meant> {
        let mut left = Vec::new();
        for mut meant in meant {
            let ways = shared.decide(&meant.message, &meant.recipients).await;
            let goes = ways.iter().filter(|(_, way)| self.selector.means_way(&way_of(way)));
            meant.recipients = goes.map(|(index, _)| *index).collect();
            if !meant.recipients.is_empty() {
                left.push(meant);
            }
        }
        left
    }
}

/// A way as it is listed: where the mail goes, or what the maps do with it instead.
pub(super) fn way_of(decision: &Decision) -> String {
    match decision {
        Ok((Resolved::Deliver(destination), _)) => destination.to_string(),
        Ok((Resolved::Refuse(notice), _)) => format!("error:{} {}", notice.status, notice.text),
        Ok((Resolved::Defer(notice), _)) => format!("retry:{} {}", notice.status, notice.text),
        Ok((Resolved::Discard(reason), _)) => format!("discard:{reason}"),
        Ok((Resolved::Hold(reason), _)) => format!("hold:{reason}"),
        Err(unavailable) => format!("unknown: the {} map is unavailable", unavailable.map),
    }
}
