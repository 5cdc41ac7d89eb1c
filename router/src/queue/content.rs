//! Content in memory: from its arrival until the first attempt has ended, while there is room for it, and read back
//! from the spool for the attempts after that. All jobs of an attempt share what was read: a message to many
//! destinations is in memory once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use switchyard_smtp::envelope::Content;

use super::Shared;
use super::message::Message;
use crate::spool::SpoolError;

/// What was read back of a message and is still in use. Who finds it locked waits for another's reading.
pub(super) type ReadBack = tokio::sync::Mutex<Weak<Content>>;

impl Shared {
    /// Reserves memory for content; false when there is none left.
    pub(super) fn remember(&self, octets: usize) -> bool {
        let budget = self.means.load().options.content_memory;
        let take = |used: usize| used.checked_add(octets).filter(|sum| *sum <= budget);
        self.memory.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// True when so much content is in memory that what only waits has to leave it.
    pub(super) fn is_memory_short(&self) -> bool {
        self.memory.load(Ordering::Relaxed) > self.means.load().options.content_memory / 2
    }

    /// Drops a message's content from memory.
    pub(super) fn forget_content(&self, message: &Message) {
        if let Some(content) = message.state().content.take() {
            self.memory.fetch_sub(content.len(), Ordering::Relaxed);
        }
    }

    /// A message's content: from memory while it is there, else from the spool.
    pub(super) async fn content(&self, message: &Message) -> Result<Arc<Content>, SpoolError> {
        if let Some(content) = message.state().content.clone() {
            return Ok(Arc::new(content));
        }
        let mut read_back = message.read_back.lock().await;
        if let Some(content) = read_back.upgrade() {
            return Ok(content);
        }
        let (spool, id) = (self.spool.clone(), message.id);
        let loaded = tokio::task::spawn_blocking(move || spool.load(id)).await;
        let content = Arc::new(loaded.unwrap_or(Err(SpoolError::Closed))?);
        *read_back = Arc::downgrade(&content);
        Ok(content)
    }
}
