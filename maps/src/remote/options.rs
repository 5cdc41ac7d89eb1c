//! How a server of tables is asked.

use std::time::Duration;

/// How a server of tables is asked, and how long its answers are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// For one request, connecting and waiting for a connection included. At first 5 s.
    pub timeout: Duration,
    /// How long an answer is given without asking again; for as long again it is given while it is asked for.
    /// At least a second, so that who fetches can look. At first 30 s.
    pub fresh: Duration,
    /// How old an answer may be that is given while the server is away. At first a day.
    pub stale: Duration,
    /// How many answers are kept; one of more than 256 octets with its key counts as several.
    /// At least 1,024; at first 100,000.
    pub cached_keys: usize,
    /// Connections at a time, and so requests; also how many are kept for the next one. At first 8.
    pub connections: usize,
    /// Requests in a row without a reply after which none is sent for a while. At first 5.
    pub breaker_failures: u32,
    /// For how long; then one is sent, and its end decides. At first 10 s.
    pub breaker_pause: Duration,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            fresh: Duration::from_secs(30),
            stale: Duration::from_secs(24 * 60 * 60),
            cached_keys: 100_000,
            connections: 8,
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(10),
        }
    }
}

impl RemoteOptions {
    /// With the floors without which nothing would be asked or learned.
    pub(super) fn sound(self) -> Self {
        Self {
            fresh: self.fresh.max(Duration::from_secs(1)),
            cached_keys: self.cached_keys.max(1024),
            connections: self.connections.clamp(1, 1000),
            breaker_failures: self.breaker_failures.max(1),
            ..self
        }
    }
}
