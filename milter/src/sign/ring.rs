//! The keys that have shown themselves in the DNS: a key signs only after a record there has verified what it
//! signed, and stops when the record is gone.
//!
//! A key is proven when it is first needed, and all of them at every new set of maps and every so often
//! ([`KeyRing::recheck`]). What the DNS cannot say now changes nothing about a key that was proven before.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mail_auth::common::crypto::SigningKey as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{DnsError, Parameters};
use switchyard_daemon::clock::Clock;
use switchyard_smtp::address::Domain;

use super::key::{Key, KeyError};
use crate::dns::Dns;
use crate::metrics::Metrics;

/// Keys that are known at once; over it, what is refused goes first.
const MAX_KEYS: usize = 50_000;
/// How soon a refused key may be tried again by mail that needs it.
const RETRY: Duration = Duration::from_secs(30);
/// RFC 8301 §3.2: a shorter RSA key is not to be verified by anybody.
const LEAST_BITS: usize = 1024;
/// What is signed to see whether the record's half fits.
const PROBE: &[u8] = b"switchyard: does the DNS show this key?";

/// A key, by where it is and where it must be seen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct KeyName {
    /// The signing domain.
    pub(crate) domain: Domain,
    /// Below which its record stands.
    pub(crate) selector: Domain,
    /// The private half.
    pub(crate) file: PathBuf,
}

/// Why a key may not sign.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The file.
    #[error("the key file {}", .0)]
    File(#[from] KeyError),
    /// No such record.
    #[error("the DNS shows no key there")]
    Absent,
    /// The record is none, is revoked, or is another key's.
    #[error("the DNS shows another key there, or a revoked one")]
    Other,
    /// Too short.
    #[error("it has {0} bits, and nobody accepts less than {LEAST_BITS}")]
    Short(usize),
    /// Perhaps later.
    #[error("the DNS cannot say now: {0}")]
    Unknown(String),
}

impl Refusal {
    /// As a metric's label.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Absent => "absent",
            Self::Other => "different",
            Self::Short(_) => "short",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// All keys in use.
pub(crate) struct KeyRing {
    dns: Dns,
    clock: Clock,
    metrics: Metrics,
    keys: Mutex<HashMap<KeyName, Arc<Slot>>>,
}

/// One key's standing.
#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    /// Held while the DNS is asked, so that a burst of mail asks once.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    New,
    Proven(Key),
    Refused {
        why: String,
        at: Instant,
    },
}

/// A key's standing, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) name: KeyName,
    /// Why it may not sign; none when it may.
    pub(crate) refused: Option<String>,
}

impl KeyRing {
    pub(crate) fn new(dns: Dns, clock: Clock, metrics: Metrics) -> Self {
        Self { dns, clock, metrics, keys: Mutex::new(HashMap::new()) }
    }

    /// The key, if it may sign; it is proven now if it never was.
    pub(crate) async fn proven(&self, name: &KeyName) -> Option<Key> {
        let slot = self.slot(name);
        if let Some(settled) = slot.settled(self.clock.now_monotonic()) {
            return settled;
        }
        let _turn = slot.asking.lock().await;
        // Somebody may have asked while we waited for our turn.
        if let Some(settled) = slot.settled(self.clock.now_monotonic()) {
            return settled;
        }
        self.prove(name, &slot).await;
        slot.key()
    }

    /// Asks the DNS about these keys and no others; what is not among them is forgotten.
    pub(crate) async fn keep(&self, names: &[KeyName]) {
        let wanted: HashSet<&KeyName> = names.iter().collect();
        self.known().retain(|name, _| wanted.contains(name));
        for name in names.iter().take(MAX_KEYS) {
            self.slot(name);
        }
        self.recheck().await;
    }

    /// Asks the DNS again about every key there is.
    pub(crate) async fn recheck(&self) {
        let names: Vec<KeyName> = self.known().keys().cloned().collect();
        for name in names {
            let slot = self.slot(&name);
            let _turn = slot.asking.lock().await;
            self.prove(&name, &slot).await;
        }
        self.count();
    }

    /// Every key, and whether it may sign.
    pub(crate) fn standings(&self) -> Vec<Standing> {
        let known = self.known();
        let mut standings: Vec<Standing> = known
            .iter()
            .map(|(name, slot)| Standing {
                name: name.clone(),
                refused: match &*slot.state() {
                    State::New => Some("not looked for yet".to_owned()),
                    State::Proven(_) => None,
                    State::Refused { why, .. } => Some(why.clone()),
                },
            })
            .collect();
        drop(known);
        standings.sort_by(|one, other| {
            let key =
                |standing: &Standing| (standing.name.domain.to_string(), standing.name.selector.to_string());
            key(one).cmp(&key(other))
        });
        standings
    }

    async fn prove(&self, name: &KeyName, slot: &Slot) {
        let found = self.look(name).await;
        let label = found.as_ref().map_or_else(Refusal::label, |_| "shown");
        self.metrics.key_checks.with_label_values(&[label]).inc();
        let KeyName { domain, selector, file } = name;
        let file = file.display();
        let mut state = slot.state();
        match found {
            Ok(key) => {
                if !matches!(*state, State::Proven(_)) {
                    tracing::info!(%domain, %selector, %file, kind = key.kind(), "the DNS shows this key: it may sign");
                }
                *state = State::Proven(key);
            }
            Err(why @ Refusal::Unknown(_)) if matches!(*state, State::Proven(_)) => {
                tracing::warn!(%domain, %selector, %why, "a key that was seen before signs on");
            }
            Err(why) => {
                tracing::warn!(%domain, %selector, %file, %why, "this key does not sign");
                *state = State::Refused { why: why.to_string(), at: self.clock.now_monotonic() };
            }
        }
    }

    /// Reads the key, and lets the record verify what it signs: no other proof covers type, flags and form alike.
    async fn look(&self, name: &KeyName) -> Result<Key, Refusal> {
        let file = name.file.clone();
        let key = tokio::task::spawn_blocking(move || Key::read(&file)).await;
        let key = key.map_err(|error| Refusal::Unknown(error.to_string()))??;
        // RFC 6376 §3.6.2.1
        let at = format!("{}._domainkey.{}.", name.selector, name.domain);
        let caches = Parameters::new(());
        let dns = self.dns.load_full();
        let record =
            dns.txt_lookup::<DomainKey>(at, caches.cache_txt).await.map_err(|error| match error {
                mail_auth::Error::Dns(DnsError::RecordNotFound(_)) => Refusal::Absent,
                mail_auth::Error::Dns(DnsError::Resolver(why)) => Refusal::Unknown(why),
                _ => Refusal::Other,
            })?;
        let signed = key.sign(PROBE).map_err(|_| KeyError::NoKey)?;
        record.p.verify_bytes(PROBE, &signed, key.algorithm()).map_err(|_| Refusal::Other)?;
        let bits = record.p.public_key_bits();
        if bits < LEAST_BITS {
            return Err(Refusal::Short(bits));
        }
        Ok(key)
    }

    fn slot(&self, name: &KeyName) -> Arc<Slot> {
        let mut known = self.known();
        if let Some(slot) = known.get(name) {
            return Arc::clone(slot);
        }
        if known.len() >= MAX_KEYS {
            known.retain(|_, slot| matches!(*slot.state(), State::Proven(_)));
            if known.len() >= MAX_KEYS {
                known.clear();
            }
        }
        Arc::clone(known.entry(name.clone()).or_default())
    }

    fn count(&self) {
        let standings = self.standings();
        let refused = standings.iter().filter(|standing| standing.refused.is_some()).count();
        let set = |state, count: usize| {
            self.metrics.keys.with_label_values(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set("proven", standings.len() - refused);
        set("refused", refused);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<KeyName, Arc<Slot>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self) -> Option<Key> {
        match &*self.state() {
            State::Proven(key) => Some(key.clone()),
            State::New | State::Refused { .. } => None,
        }
    }

    /// What is known without asking; none when it is time to ask.
    fn settled(&self, now: Instant) -> Option<Option<Key>> {
        match &*self.state() {
            State::New => None,
            State::Proven(key) => Some(Some(key.clone())),
            State::Refused { at, .. } => (now.duration_since(*at) < RETRY).then_some(None),
        }
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyRing").field("keys", &self.known().len()).finish_non_exhaustive()
    }
}
