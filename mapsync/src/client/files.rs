//! Files to and from a hub: whole ones by hash, and what changed between two tables.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::{delta, head, packed};
use tokio::time::sleep;

use super::wire::full;
use super::{ClientError, Hub, MAX_SMALL, PATIENCE};

impl Hub {
    /// A file, written to `to` as it comes, and how many octets of it travelled: a hub may send it packed. What is not
    /// what its hash and length say is an error; what was written by then is worth nothing.
    ///
    /// # Errors
    /// When the hub cannot be asked, or lies.
    pub async fn file(&mut self, file: &head::File, to: &mut impl Write) -> Result<u64, ClientError> {
        let request = self.request(Method::GET, &format!("/v1/blobs/{}", file.hash));
        let response = self.send(request.header(ACCEPT_ENCODING, "zstd"), full(""), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let is_packed = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "zstd");
        let mut proved = Proved { to, hasher: blake3::Hasher::new(), length: 0, most: file.bytes };
        let mut travelled = 0;
        if is_packed {
            let unread = |error: io::Error| self.wire.error(format!("what it sent cannot be kept: {error}"));
            let mut pourer = packed::Pourer::new(&mut proved).map_err(unread)?;
            let poured = self.wire.pieces(response, packed::longest(file.bytes), |piece| {
                travelled += piece.len() as u64;
                pourer.write_all(piece)
            });
            poured.await?;
            pourer.flush().map_err(unread)?;
        } else {
            let kept = self.wire.pieces(response, file.bytes, |piece| {
                travelled += piece.len() as u64;
                proved.write_all(piece)
            });
            kept.await?;
        }
        let is_it = proved.length == file.bytes && Hash::from(proved.hasher.finalize()) == file.hash;
        if is_it {
            Ok(travelled)
        } else {
            Err(self.wire.error(format!("sends something else for {}", file.path)))
        }
    }

    /// What changed from one table to another, written to `to` as it comes: no longer than that can be, and not looked
    /// into. How many octets came.
    ///
    /// # Errors
    /// When the hub cannot be asked, or has none: the table is to be fetched whole.
    pub async fn delta(
        &mut self,
        from: &head::File,
        file: &head::File,
        to: &mut impl Write,
    ) -> Result<u64, ClientError> {
        let path = format!("/v1/deltas/{}/{}", from.hash, file.hash);
        let response = self.send(self.request(Method::GET, &path), full(""), PATIENCE).await?;
        if response.status() != StatusCode::OK {
            return Err(self.wire.refusal(response).await);
        }
        let (most, mut length) = (packed::longest(delta::longest(from, file)), 0);
        let kept = self.wire.pieces(response, most, |piece| {
            length += piece.len() as u64;
            to.write_all(piece)
        });
        kept.await?;
        Ok(length)
    }

    /// Whether the hub has a file already.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn has(&mut self, hash: Hash) -> Result<bool, ClientError> {
        let request = self.request(Method::HEAD, &format!("/v1/blobs/{hash}"));
        let response = self.send(request, full(""), PATIENCE).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(self.wire.refusal(response).await),
        }
    }

    /// Brings a file; a hub that is busy with others' is asked again for about two minutes.
    ///
    /// # Errors
    /// When it cannot be read, or the hub does not take it.
    pub async fn bring(&mut self, file: &head::File, at: &Path) -> Result<(), ClientError> {
        for _ in 0..TRIES {
            let response = self.put(file, at).await?;
            match response.status() {
                StatusCode::OK | StatusCode::CREATED => {
                    return self.wire.whole(response, MAX_SMALL).await.map(drop);
                }
                // RFC 9110 §15.6.4, §10.2.3: it takes only so many files at once, and says when to come back.
                StatusCode::SERVICE_UNAVAILABLE => {
                    let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok());
                    let after = after.and_then(|after| after.parse().ok()).unwrap_or(1).min(LONGEST_WAIT);
                    // It has not read what we sent, so nothing more can be asked there.
                    self.wire.hang_up();
                    sleep(Duration::from_secs(after).mul_f64(1.0 + fastrand::f64())).await;
                }
                _ => return Err(self.wire.refusal(response).await),
            }
        }
        Err(self.wire.error("is busy with what others bring: push again later"))
    }

    async fn put(&mut self, file: &head::File, at: &Path) -> Result<Response<Incoming>, ClientError> {
        let unread = |error: io::Error| self.wire.error(format!("was not brought {}: {error}", at.display()));
        let pieces = Pieces { file: File::open(at).map_err(unread)?, left: file.bytes };
        let request = self.request(Method::PUT, &format!("/v1/blobs/{}", file.hash));
        let request = request.header(CONTENT_LENGTH, file.bytes);
        self.send(request, StreamBody::new(stream::iter(pieces)).boxed(), UPLOAD).await
    }
}

/// What comes of a file, counted and hashed on its way, and no more of it than there can be.
struct Proved<'t, W> {
    to: &'t mut W,
    hasher: blake3::Hasher,
    length: u64,
    most: u64,
}

impl<W: Write> Write for Proved<'_, W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.length = self.length.saturating_add(octets.len() as u64);
        if self.length > self.most {
            return Err(packed::BadFrame::TooLong(self.most).into());
        }
        self.to.write_all(octets)?;
        self.hasher.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// A file as the pieces of a body; never more of it than was signed, if it grows meanwhile.
struct Pieces {
    file: File,
    left: u64,
}

impl Iterator for Pieces {
    type Item = io::Result<Frame<Bytes>>;

    fn next(&mut self) -> Option<Self::Item> {
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
        if want == 0 {
            return None;
        }
        let mut piece = vec![0; want];
        let read = self.file.read_exact(&mut piece).map(|()| Frame::data(Bytes::from(piece)));
        self.left = if read.is_ok() { self.left - want as u64 } else { 0 };
        Some(read)
    }
}

const PIECE: usize = 64 << 10;
/// How often a file is brought to a hub that is busy, and the most seconds that it may ask to wait.
const TRIES: u32 = 80;
const LONGEST_WAIT: u64 = 10;
/// For a file to be brought.
const UPLOAD: Duration = Duration::from_secs(3600);
