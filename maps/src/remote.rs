//! Tables that a server answers: `socketmap:` and `tcp:`.
//!
//! A lookup does no I/O. So it takes two steps: [`Remote::peek`] says what is known now, at once; where that is
//! nothing, the caller awaits [`Remote::fetch`] and peeks again.
//!
//! | what is known of a key | peek says |
//! |---|---|
//! | an answer not older than `fresh` | [`Peek::Answer`] |
//! | one not older than twice that | [`Peek::Stale`], and it is asked again in the background |
//! | an older one, and the server is there | [`Peek::Unknown`]: it is worth the wait |
//! | one not older than `stale`, and the server is away | [`Peek::Stale`] |
//! | none, and the server is away | [`Peek::Unavailable`] |
//! | none | [`Peek::Unknown`] |
//!
//! "Not found" is an answer as any other. A server is away for a key for [`FAILURE_KEPT`] after the key could
//! not be asked, and for all keys while the breaker is open: after `breaker_failures` requests in a row
//! without a reply none is sent for `breaker_pause`, then one, whose end decides. A reply that says "try again
//! later" is a failure for its key, and none for the breaker: a server that replies is there.
//!
//! `cache` holds the answers, `breaker` counts, `client` keeps the connections, `socketmap` and `tcp` are the
//! two protocols. Every queue has an end: keys, connections, requests that wait, octets of a reply.

mod breaker;
mod cache;
mod client;
pub mod metrics;
mod options;
mod shared;
mod socketmap;
mod tcp;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use self::breaker::Breaker;
use self::cache::{Age, Cache};
use self::client::Client;
pub use self::metrics::RemoteMetrics;
use self::metrics::{MapRemoteMetrics, Served};
pub use self::options::RemoteOptions;
pub use self::shared::Remotes;
pub use self::wire::RemoteError;
use self::wire::{Protocol, Reply};
use crate::name::MapName;
use crate::spec::TableSpec;

/// Octets of a key; the longest legal address has 320.
pub const MAX_KEY: usize = 1024;
/// How long a key that could not be asked is not asked again.
pub const FAILURE_KEPT: Duration = Duration::from_secs(1);
/// Keys asked or waiting to be asked at the same time.
const MAX_UNDER_WAY: usize = 1024;

/// What a server answered for a key: a value, or that it has none.
pub type RemoteAnswer = Option<Arc<str>>;

/// What is known of a key, without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Peek {
    /// The server's answer.
    Answer(RemoteAnswer),
    /// An older answer, good to act on.
    Stale(RemoteAnswer),
    /// Nothing yet: [`Remote::fetch`] it and look again.
    Unknown,
    /// Nothing, and the server cannot be asked now.
    Unavailable(Arc<str>),
}

/// A table that a server answers. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    options: RemoteOptions,
    cache: Cache,
    breaker: Mutex<Breaker>,
    under_way: Mutex<HashMap<Arc<str>, watch::Receiver<Outcome>>>,
    metrics: MapRemoteMetrics,
}

/// None while the request is under way.
type Outcome = Option<Result<(), RemoteError>>;

impl Remote {
    /// Makes a client for the server that a table names; none when the table is not a server's. Nothing is
    /// connected before the first question.
    #[must_use]
    pub fn new(
        map: MapName,
        table: &TableSpec,
        options: &RemoteOptions,
        metrics: &RemoteMetrics,
    ) -> Option<Self> {
        let options = options.clone().sound();
        let (protocol, endpoint) = match table {
            TableSpec::Socketmap { endpoint, name } => (Protocol::Socketmap { name: name.clone() }, endpoint),
            TableSpec::Tcp(endpoint) => (Protocol::Tcp, endpoint),
            _ => return None,
        };
        let metrics = metrics.of(map);
        Some(Self(Arc::new(Inner {
            client: Client::new(protocol, endpoint.clone(), options.connections),
            cache: Cache::new(options.cached_keys),
            breaker: Mutex::new(Breaker::new(&options, metrics.breaker())),
            under_way: Mutex::default(),
            options,
            metrics,
        })))
    }

    /// What is known of a key now. Within a runtime of tokio's it may start a request in the background.
    pub fn peek(&self, key: &str) -> Peek {
        let inner = &self.0;
        if let Some(peek) = refuse(key) {
            return peek;
        }
        let now = Instant::now();
        let (answer, age) = match inner.cache.get(key, now, &inner.options) {
            Some((answer, Age::Fresh)) => {
                inner.metrics.served(Served::Cache);
                return Peek::Answer(answer);
            }
            Some((answer, age)) => (Some(answer), age),
            None => (None, Age::Old),
        };
        let failure = inner.cache.failure(key, now);
        if let Some(answer) = answer
            && (age == Age::Ripe || failure.is_some() || inner.breaker().open().is_some())
        {
            self.refresh(key);
            inner.metrics.served(Served::Stale);
            return Peek::Stale(answer);
        }
        match failure.or_else(|| inner.breaker().refuses(now)) {
            Some(why) => {
                inner.metrics.served(Served::Unavailable);
                Peek::Unavailable(why)
            }
            None => Peek::Unknown,
        }
    }

    /// Asks the server for a key, or waits for whoever asks it already; [`Self::peek`] then knows.
    /// It ends within the time that the options give a request.
    ///
    /// # Errors
    /// When the server cannot be asked, or does not say.
    pub async fn fetch(&self, key: &str) -> Result<(), RemoteError> {
        if refuse(key).is_some() {
            return Ok(());
        }
        let mut outcome = self.ask(key)?;
        match outcome.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().unwrap_or(Ok(())),
            // The runtime goes down and took the request with it.
            Err(_) => Err(RemoteError::Away("the daemon stops".into())),
        }
    }

    /// Starts a request in the background, if one may be sent; else the old answer stays as it is.
    fn refresh(&self, key: &str) {
        let _ = self.ask(key);
    }

    /// The request for a key that is under way, or a new one. A request has its own task, so that it ends
    /// though whoever began it has gone away.
    fn ask(&self, key: &str) -> Result<watch::Receiver<Outcome>, RemoteError> {
        let inner = &self.0;
        let runtime =
            Handle::try_current().map_err(|_| RemoteError::Away("nothing runs that could ask".into()))?;
        let mut under_way = inner.under_way();
        if let Some(outcome) = under_way.get(key) {
            return Ok(outcome.clone());
        }
        let now = Instant::now();
        if let Some(why) = inner.cache.failure(key, now) {
            return Err(RemoteError::Away(why));
        }
        if under_way.len() >= MAX_UNDER_WAY {
            inner.cache.failed(key, now, "too many keys wait for an answer".into());
            return Err(RemoteError::Busy);
        }
        inner.breaker().admit(now).map_err(RemoteError::Away)?;
        let (sender, outcome) = watch::channel(None);
        let key: Arc<str> = key.into();
        under_way.insert(Arc::clone(&key), outcome.clone());
        let landing = Landing { inner: Arc::clone(inner), key };
        runtime.spawn(async move {
            let result = landing.inner.request(&landing.key).await;
            drop(landing);
            // Nobody waits for a request in the background.
            let _ = sender.send(Some(result));
        });
        Ok(outcome)
    }
}

/// What is said of a key that no server is asked for.
fn refuse(key: &str) -> Option<Peek> {
    if key.is_empty() {
        return Some(Peek::Answer(None));
    }
    if key.len() > MAX_KEY {
        return Some(Peek::Unavailable(format!("a key of more than {MAX_KEY} octets").into()));
    }
    let control = key.chars().any(char::is_control);
    control.then(|| Peek::Unavailable("a key with a control character".into()))
}

impl Inner {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<Arc<str>, watch::Receiver<Outcome>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn request(&self, key: &Arc<str>) -> Result<(), RemoteError> {
        let asked = tokio::time::timeout(self.options.timeout, self.client.ask(key)).await;
        let result = asked.unwrap_or(Err(RemoteError::Timeout));
        let now = Instant::now();
        self.metrics.asked(&result);
        match &result {
            Ok(_) | Err(RemoteError::Refused { .. }) => {
                if self.breaker().succeeded() {
                    tracing::info!(server = %self.client, "map server replies again");
                }
            }
            Err(error) => {
                let why: Arc<str> = format!("{}: {error}", self.client).into();
                if self.breaker().failed(now, why) {
                    tracing::warn!(server = %self.client, %error, "map server is not asked for a while");
                }
            }
        }
        match result {
            Ok(reply) => {
                let answer = match reply {
                    Reply::Found(value) => Some(value.into()),
                    Reply::NotFound => None,
                };
                self.cache.learned(key, now, answer);
                Ok(())
            }
            Err(error) => {
                tracing::debug!(server = %self.client, %error, "map server gave no answer");
                self.cache.failed(key, now, format!("{}: {error}", self.client).into());
                Err(error)
            }
        }
    }
}

/// Ends a request, however its task ends.
struct Landing {
    inner: Arc<Inner>,
    key: Arc<str>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.inner.under_way().remove(&self.key);
    }
}
