//! Files by hash: taken once, handed out whole or in part.

use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use switchyard_mapsync_protocol::hash::Hash;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::Asks;
use super::problem::Problem;
use crate::hub::board::NotKept;
use crate::hub::order::Order;
use crate::hub::small::Octets;
use crate::hub::{Shared, packs};

/// How long an upload may bring nothing.
const STILL: Duration = Duration::from_secs(30);
/// Of a file, read at once.
const PIECE: usize = 64 << 10;

/// Takes a file.
pub(crate) async fn put_one(
    State(shared): State<Shared>,
    Asks(caller): Asks,
    Path(hash): Path<String>,
    body: Body,
) -> Result<Response, Problem> {
    let hash = named(&hash)?;
    if shared.blobs.wanted(hash).is_some() {
        return Ok(StatusCode::OK.into_response());
    }
    if matches!(shared.order, Order::Follows) {
        return Err(NotKept::Follows(shared.peers.names()).into());
    }
    let Ok(_place) = shared.uploads.try_acquire() else {
        return Err(Problem::busy("enough uploads are on their way: try again"));
    };
    let bounds = shared.bounds.load();
    let mut incoming = shared.blobs.take(hash, bounds.blob, bounds.store).map_err(Problem::store)?;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = tokio::time::timeout(STILL, pieces.next()).await;
        let piece = piece.map_err(|_| {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "stood-still", "nothing came for a while")
        })?;
        match piece {
            Some(Ok(octets)) => incoming.more(&octets).await?,
            Some(Err(error)) => return Err(Problem::bad(error.to_string())),
            None => break,
        }
    }
    let (arrived, blobs) = (incoming.end().await?, shared.blobs.clone());
    let kept = tokio::task::spawn_blocking(move || blobs.keep(arrived)).await;
    let is_new = kept.map_err(Problem::store)?.map_err(Problem::store)?;
    shared.metrics.stored.set(i64::try_from(shared.blobs.octets()).unwrap_or(i64::MAX));
    tracing::debug!(%caller, %hash, "a file came");
    Ok(if is_new { StatusCode::CREATED } else { StatusCode::OK }.into_response())
}

/// Hands a file out. Who only asks whether it is here is about to name it.
pub(crate) async fn get_one(
    State(shared): State<Shared>,
    method: Method,
    Path(hash): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hash = named(&hash)?;
    if method == Method::HEAD {
        shared.blobs.wanted(hash);
    }
    if method == Method::GET && takes_packed(&headers) {
        let most = shared.bounds.load().store / packs::PART_OF_STORE;
        if let Some(packed) = Arc::clone(&shared.packs).packed(hash, most).await {
            return whole(packed, hash).await.map_err(Problem::store);
        }
    }
    let octets = shared.small.octets(hash, &shared.blobs).map_err(Problem::store)?;
    let octets = octets.ok_or_else(|| Problem::not_found(format!("{hash} is not here")))?;
    let length = octets.length().map_err(Problem::store)?;
    let (status, from, count) = match range(&headers, length) {
        Range::Whole => (StatusCode::OK, 0, length),
        Range::Part { from, count } => (StatusCode::PARTIAL_CONTENT, from, count),
        Range::Outside => {
            let size = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            let why = format!("the file has {length} octets");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", why);
            return Ok((size, problem).into_response());
        }
    };
    let mut answer = part(octets, from, count).await.map_err(Problem::store)?.into_response();
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=31536000, immutable"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, count.into());
    if let Ok(tag) = format!("\"{hash}\"").try_into() {
        headers.insert(header::ETAG, tag);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(part) = format!("bytes {from}-{}/{length}", from + count - 1).try_into()
    {
        headers.insert(header::CONTENT_RANGE, part);
    }
    Ok(answer)
}

/// So many octets from there on.
async fn part(octets: Octets, from: u64, count: u64) -> io::Result<Body> {
    match octets {
        Octets::Here(mut all) => {
            let length = all.len();
            let at = |place| usize::try_from(place).unwrap_or(usize::MAX).min(length);
            all.truncate(at(from.saturating_add(count)));
            Ok(all.split_off(at(from)).into())
        }
        Octets::File(file) => {
            let mut file = tokio::fs::File::from_std(file);
            if from > 0 {
                file.seek(SeekFrom::Start(from)).await?;
            }
            Ok(Body::from_stream(ReaderStream::with_capacity(file.take(count), PIECE)))
        }
    }
}

/// RFC 9110 §12.5.3: whether a file may come packed. A part of one comes as it is.
fn takes_packed(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut codings = codings.flat_map(|value| value.split(',')).map(str::trim);
    // Who weighs it may not want it at all.
    !headers.contains_key(header::RANGE) && codings.any(|coding| coding.eq_ignore_ascii_case("zstd"))
}

/// A packed file.
async fn whole(packed: Octets, hash: Hash) -> io::Result<Response> {
    let length = packed.length()?;
    let body = part(packed, 0, length).await?;
    let heading = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_ENCODING, "zstd".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "max-age=31536000, immutable".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
        // RFC 9110 §8.8.3: another coding is another representation.
        (header::ETAG, format!("\"{hash}.zstd\"")),
    ];
    Ok((heading, body).into_response())
}

fn named(hash: &str) -> Result<Hash, Problem> {
    hash.parse().map_err(|error| Problem::bad(format!("{error}")))
}

/// What part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    Part { from: u64, count: u64 },
    Outside,
}

/// RFC 9110 §14.2: one range is answered; several, or what is none, get the whole.
fn range(headers: &HeaderMap, length: u64) -> Range {
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let Some((first, last)) =
        asked.and_then(|text| text.trim().strip_prefix("bytes=")).and_then(|text| text.split_once('-'))
    else {
        return Range::Whole;
    };
    let (from, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(last)) if from <= last => (from, last.saturating_add(1).min(length)),
        (Ok(from), Err(_)) if last.is_empty() => (from, length),
        (Err(_), Ok(count)) if first.is_empty() => (length.saturating_sub(count), length),
        _ => return Range::Whole,
    };
    if from >= end { Range::Outside } else { Range::Part { from, count: end - from } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_answered() {
        let of = |text: &str| {
            let headers = [(header::RANGE, text.parse().unwrap())].into_iter().collect();
            range(&headers, 10)
        };
        assert_eq!(of("bytes=0-3"), Range::Part { from: 0, count: 4 });
        assert_eq!(of("bytes=4-"), Range::Part { from: 4, count: 6 });
        assert_eq!(of("bytes=-3"), Range::Part { from: 7, count: 3 });
        assert_eq!(of("bytes=-30"), Range::Part { from: 0, count: 10 });
        assert_eq!(of("bytes=8-18446744073709551615"), Range::Part { from: 8, count: 2 });
        for outside in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(of(outside), Range::Outside, "{outside}");
        }
        for whole in ["bytes=5-3", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b"] {
            assert_eq!(of(whole), Range::Whole, "{whole}");
        }
        assert_eq!(range(&HeaderMap::new(), 10), Range::Whole);
    }
}
