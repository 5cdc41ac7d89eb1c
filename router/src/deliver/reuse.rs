//! Connections that are kept for the next message to the same destination.

use std::sync::Arc;
use std::time::Duration;

use switchyard_smtp::io::dial::Connection;

/// How long connections are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReuseOptions {
    /// How long a connection waits for the next message.
    pub idle: Duration,
    /// Messages on one connection at most.
    pub messages: u32,
}

impl Default for ReuseOptions {
    fn default() -> Self {
        Self { idle: Duration::from_secs(5), messages: 100 }
    }
}

/// A connection, and whom it leads to.
#[derive(Debug)]
pub struct Kept {
    /// The session.
    pub connection: Box<Connection>,
    /// `mx.example[192.0.2.1]:25`, for the log.
    pub relay: Arc<str>,
    /// `mx.example`, for reports.
    pub host: Arc<str>,
    /// It leads to a host of ours.
    pub(super) is_own: bool,
    /// Under which options it was made.
    pub(super) rules: Arc<Rules>,
}

/// Stands for the options of one deliverer: connections made under others are not used.
#[derive(Debug)]
pub(super) struct Rules;

impl Kept {
    /// True when one more message may go this way.
    #[must_use]
    pub fn has_room(&self, options: &ReuseOptions) -> bool {
        self.connection.is_reusable() && self.connection.transactions() < options.messages
    }

    /// True when the peer still waits for us after a while of silence.
    #[must_use]
    pub fn still_waits(&mut self) -> bool {
        self.connection.is_idle()
    }

    /// Says goodbye without making anybody wait for it.
    pub fn close(self) {
        if self.connection.is_reusable() {
            tokio::spawn(async move { self.connection.quit().await });
        }
    }
}
