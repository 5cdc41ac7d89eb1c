//! What all hubs of an etcd took, one message after the other.
//!
//! `PREFIX/ENVIRONMENT/tail` says how many there are and which ledger it is; `PREFIX/ENVIRONMENT/log/NUMBER` is one.
//! Both are written in one transaction, and only if the tail is the one that was read. An etcd that was emptied begins
//! another ledger, which hubs notice by its name and hear from the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::gateway::{Gateway, LedgerError};
use crate::hub::board::Kind;
use crate::hub::board::turn::Entry;

/// Messages that are read at once, at most. An etcd that takes larger ones than it does by itself may hold more in so
/// many than an answer may have, or than comes in time: then half as many are read the next time.
const PAGE: usize = 16;

/// The ledger of each environment.
#[derive(Debug)]
pub(crate) struct Ledger {
    gateway: Gateway,
    prefix: String,
    page: AtomicUsize,
}

/// How far a ledger goes, or was heard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Which ledger.
    ledger: String,
    /// Its last message.
    index: u64,
}

/// The end of a ledger when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    /// None before the first message.
    place: Option<Place>,
    /// What etcd counts its changes by; 0 while there is none.
    revision: u64,
}

/// A part of a ledger.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) tail: Tail,
    pub(crate) entries: Vec<Entry>,
    /// How far it was heard with these; none when nothing is new.
    pub(crate) heard: Option<Place>,
    /// It is not the ledger that was heard before.
    pub(crate) is_another: bool,
}

impl Place {
    pub(crate) fn to_octets(&self) -> Vec<u8> {
        format!("{} {}", self.index, self.ledger).into_bytes()
    }

    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let (index, ledger) = std::str::from_utf8(octets).ok()?.split_once(' ')?;
        Some(Self { ledger: ledger.to_owned(), index: index.parse().ok()? })
    }
}

impl Ledger {
    pub(crate) fn new(gateway: Gateway, prefix: String) -> Self {
        Self { gateway, prefix, page: AtomicUsize::new(PAGE) }
    }

    /// With new certificates from the next dial on.
    pub(crate) fn set_tls(&self, tls: Option<Arc<ClientConfig>>) {
        self.gateway.set_tls(tls);
    }

    /// What comes after a place, up to a page of it.
    pub(crate) async fn read(&self, environment: &str, after: Option<&Place>) -> Result<Page, LedgerError> {
        let page = self.page(environment, after.map_or(0, |place| place.index)).await?;
        // One that is shorter than it was came back from a backup: what follows is not what followed.
        let is_another =
            |tail: &Place| after.is_none_or(|after| after.ledger != tail.ledger || after.index > tail.index);
        match &page.0.place {
            Some(tail) if is_another(tail) => {
                let page = match after {
                    Some(after) if after.index > 0 => self.page(environment, 0).await?,
                    _ => page,
                };
                Ok(paged(page, true))
            }
            _ => Ok(paged(page, false)),
        }
    }

    /// The tail and the messages after an index, as they are at one moment.
    async fn page(&self, environment: &str, after: u64) -> Result<(Tail, Vec<(u64, Entry)>), LedgerError> {
        let tail = json!({ "request_range": { "key": encoded(&self.tail(environment)) } });
        let log = json!({ "request_range": {
            "key": encoded(&self.log(environment, after.saturating_add(1))),
            "range_end": encoded(&self.log(environment, u64::MAX)),
            "limit": self.page.load(Ordering::Relaxed).to_string(),
        } });
        let answer = self.gateway.ask("/v3/kv/txn", &json!({ "success": [tail, log] })).await;
        let next = |now: usize| Some(if answer.is_ok() { now * 2 } else { now / 2 }.clamp(1, PAGE));
        let _always_some = self.page.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let answer = answer?;
        let found = |place: usize| {
            let range = answer.get("responses").and_then(|all| all.get(place)?.get("response_range"));
            range.ok_or_else(|| LedgerError::strange("a transaction without its answers"))
        };
        let tail = match values(found(0)?)?.pop() {
            None => Tail { place: None, revision: 0 },
            Some(Pair { value, revision, .. }) => {
                let place = Place::from_octets(&value);
                let place = place.ok_or_else(|| LedgerError::strange("a tail that is none"))?;
                Tail { place: Some(place), revision }
            }
        };
        let entries =
            values(found(1)?)?.into_iter().map(|pair| Ok((index_of(&pair.key)?, read_entry(&pair.value)?)));
        Ok((tail, entries.collect::<Result<_, LedgerError>>()?))
    }

    /// Writes a message at the end, if that is still where it was. None when others wrote meanwhile.
    pub(crate) async fn append(
        &self,
        environment: &str,
        tail: &Tail,
        entry: &Entry,
    ) -> Result<Option<Place>, LedgerError> {
        let place = match &tail.place {
            Some(last) => Place { ledger: last.ledger.clone(), index: last.index.saturating_add(1) },
            None => Place { ledger: name(), index: 1 },
        };
        let key = encoded(&self.tail(environment));
        let request = json!({
            "compare": [{ "target": "MOD", "result": "EQUAL", "key": key, "mod_revision": tail.revision.to_string() }],
            "success": [
                { "request_put": { "key": key, "value": STANDARD.encode(place.to_octets()) } },
                { "request_put": {
                    "key": encoded(&self.log(environment, place.index)),
                    "value": STANDARD.encode(written(entry)),
                } },
            ],
        });
        let answer = self.gateway.ask("/v3/kv/txn", &request).await?;
        let is_done = answer.get("succeeded").and_then(Value::as_bool).unwrap_or(false);
        Ok(is_done.then_some(place))
    }

    /// Says when there may be something new in any environment, for as long as it is asked.
    pub(crate) async fn watch(&self, news: &Notify) {
        let mut end = self.prefix.clone();
        end.push('0'); // the letter after `/`
        let key = format!("{}/", self.prefix);
        let request = json!({ "create_request": { "key": encoded(&key), "range_end": encoded(&end) } });
        self.gateway.hear("/v3/watch", &request, news).await;
    }

    fn tail(&self, environment: &str) -> String {
        format!("{}/{environment}/tail", self.prefix)
    }

    fn log(&self, environment: &str, index: u64) -> String {
        format!("{}/{environment}/log/{index:020}", self.prefix)
    }
}

impl Tail {
    /// Whether nobody has written anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.place.is_none()
    }
}

fn paged((tail, entries): (Tail, Vec<(u64, Entry)>), is_another: bool) -> Page {
    let ledger = tail.place.as_ref().map(|place| place.ledger.clone());
    let last = entries.last().map(|(index, _)| *index);
    let heard = ledger.zip(last).map(|(ledger, index)| Place { ledger, index });
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    Page { tail, entries, heard, is_another }
}

/// A ledger is called by chance, so that no two are taken for one.
fn name() -> String {
    format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

/// A key and what stands there.
struct Pair {
    key: Vec<u8>,
    value: Vec<u8>,
    revision: u64,
}

/// The pairs of a range; etcd leaves out what is empty, and writes numbers as text.
fn values(range: &Value) -> Result<Vec<Pair>, LedgerError> {
    let pairs = range.get("kvs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let octets = |pair: &Value, name: &str| {
        let text = pair.get(name).and_then(Value::as_str).unwrap_or_default();
        STANDARD.decode(text).map_err(|_| LedgerError::strange("octets that are no base64"))
    };
    let pair = |pair: &Value| {
        let revision = pair.get("mod_revision").and_then(Value::as_str).and_then(|text| text.parse().ok());
        let revision = revision.ok_or_else(|| LedgerError::strange("a key without a revision"))?;
        Ok(Pair { key: octets(pair, "key")?, value: octets(pair, "value")?, revision })
    };
    pairs.iter().map(pair).collect()
}

fn index_of(key: &[u8]) -> Result<u64, LedgerError> {
    let text = std::str::from_utf8(key).ok().and_then(|key| key.rsplit('/').next());
    let index = text.and_then(|text| text.parse().ok());
    index.ok_or_else(|| LedgerError::strange("a message without a number"))
}

/// `head`, a line end, the octets.
fn written(entry: &Entry) -> Vec<u8> {
    [entry.kind.as_str().as_bytes(), b"\n", &entry.octets].concat()
}

fn read_entry(value: &[u8]) -> Result<Entry, LedgerError> {
    let kinds = [Kind::Root, Kind::Head, Kind::Release, Kind::Plan];
    let read = kinds.into_iter().find_map(|kind| {
        let octets = value.strip_prefix(kind.as_str().as_bytes())?.strip_prefix(b"\n")?;
        Some(Entry::new(kind, octets.to_vec()))
    });
    read.ok_or_else(|| LedgerError::strange("a message of no kind"))
}

fn encoded(key: &str) -> String {
    STANDARD.encode(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let place = Place { ledger: name(), index: 7 };
        assert_eq!(Place::from_octets(&place.to_octets()), Some(place));
        for bad in ["", "7", "x y", "-1 y"] {
            assert_eq!(Place::from_octets(bad.as_bytes()), None, "{bad}");
        }
        for kind in [Kind::Root, Kind::Head, Kind::Release, Kind::Plan] {
            let entry = Entry::new(kind, &b"{\n}"[..]);
            assert_eq!(read_entry(&written(&entry)).unwrap(), entry);
        }
        for bad in [&b""[..], b"head", b"heads\n{}", b"\n{}"] {
            assert!(read_entry(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_of_etcd_are_read_and_strange_ones_are_errors() {
        let range = |kvs: Value| values(&json!({ "kvs": kvs }));
        let found = range(json!([{ "key": "YS9sb2cvMDc=", "mod_revision": "12", "value": "aGk=" }])).unwrap();
        assert_eq!(
            (index_of(&found[0].key).unwrap(), &found[0].value[..], found[0].revision),
            (7, &b"hi"[..], 12)
        );
        assert!(values(&json!({})).unwrap().is_empty());
        assert!(range(json!([{ "key": "*", "mod_revision": "12" }])).is_err());
        assert!(range(json!([{ "key": "YQ==" }])).is_err());
        assert!(range(json!([7])).is_err());
        assert!(index_of(b"a/log/x").is_err());
    }
}
