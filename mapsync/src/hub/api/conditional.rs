//! The words of a request's head that change an answer: which version is known, how long to wait.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};

use crate::hub::board::Notice;

/// RFC 7240.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The longest wait: shorter than what stands between usually bears, and than a connection that stands still.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(55);

/// A number as an entity tag: `"57"` (RFC 9110 §8.8.3).
pub(crate) fn tag(number: u64) -> String {
    format!("\"{number}\"")
}

/// The number in `If-Match` or `If-None-Match`. Other tags than numbers are none of ours, and match nothing.
pub(crate) fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    text.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// Whether the client knows this one already.
pub(crate) fn is_known(headers: &HeaderMap, number_now: u64) -> bool {
    number(headers, header::IF_NONE_MATCH) == Some(number_now)
}

/// How long the client would wait for something new: RFC 7240 §4.3, `Prefer: wait=55`.
pub(crate) fn wait(headers: &HeaderMap) -> Duration {
    let preferences = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut words = preferences.flat_map(|value| value.split(',')).map(str::trim);
    let seconds = words.find_map(|word| word.strip_prefix("wait=")?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT)
}

/// A wait, shortened by up to an eighth by the name of who waits, so that hosts which began together do not come
/// back together for ever.
pub(crate) fn spread(wait: Duration, name: &str) -> Duration {
    let part = blake3::hash(name.as_bytes()).as_bytes().first().copied().unwrap_or_default();
    wait - wait / 8 * u32::from(part) / 256
}

/// The heading of a signed message.
pub(crate) fn heading(notice: &Notice) -> [(HeaderName, String); 3] {
    [
        (header::ETAG, tag(notice.number)),
        (header::CONTENT_TYPE, "application/json".to_owned()),
        // Whoever stands between may keep it, and asks every time.
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn waits_are_read_bounded_and_spread() {
        let of = |values: &[&str]| wait(&headers(&PREFER, values)).as_secs();
        assert_eq!(of(&["wait=30"]), 30);
        assert_eq!(of(&["respond-async, wait=30"]), 30);
        assert_eq!(of(&["respond-async", "wait=1000"]), LONGEST_WAIT.as_secs());
        assert_eq!(of(&["wait=-1"]), 0);
        assert_eq!(of(&["wait=99999999999999999999"]), 0);
        let full = Duration::from_secs(40);
        let spreads: Vec<_> = (0..50).map(|n| spread(full, &format!("mx{n}"))).collect();
        assert!(spreads.iter().all(|short| *short <= full && *short >= full * 7 / 8));
        assert!(spreads.iter().any(|short| *short != spreads[0]));
    }

    #[test]
    fn tags_are_numbers() {
        let of = |value: &str| number(&headers(&header::IF_MATCH, &[value]), header::IF_MATCH);
        assert_eq!(of("\"57\""), Some(57));
        for other in ["57", "W/\"57\"", "\"a\"", "*", "\"\"", "\"1\", \"2\"", "\""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
