//! Small files that were asked for last, in memory ([`Recent`]): a thousand hosts that ask for the same do not open
//! it a thousand times.

use std::fs::File;
use std::io::{self, Read as _};

use bytes::Bytes;
use switchyard_mapsync_protocol::hash::Hash;

use super::recent::Recent;
use super::store::blobs::Blobs;

/// The longest file that is kept, and how many are.
pub(crate) const SMALL: u64 = 64 << 10;
const KEPT: usize = 128;

/// The files.
#[derive(Debug)]
pub(crate) struct Small {
    kept: Recent,
}

impl Default for Small {
    fn default() -> Self {
        Self { kept: Recent::new(KEPT, KEPT * SMALL as usize) }
    }
}

/// A file's octets.
#[derive(Debug)]
pub(crate) enum Octets {
    /// In memory.
    Here(Bytes),
    /// To be read from the disk.
    File(File),
}

impl Octets {
    /// How many they are.
    pub(crate) fn length(&self) -> io::Result<u64> {
        match self {
            Self::Here(octets) => Ok(octets.len() as u64),
            Self::File(file) => Ok(file.metadata()?.len()),
        }
    }
}

impl Small {
    /// A file, if it is here.
    pub(crate) fn octets(&self, hash: Hash, blobs: &Blobs) -> io::Result<Option<Octets>> {
        // One that is not on the disk any more is not here, whatever is remembered of it.
        if blobs.length(hash).is_none() {
            return Ok(None);
        }
        if let Some(octets) = self.kept.get(hash) {
            return Ok(Some(Octets::Here(octets)));
        }
        let Some(file) = blobs.read(hash)? else { return Ok(None) };
        if file.metadata()?.len() > SMALL {
            return Ok(Some(Octets::File(file)));
        }
        let mut octets = Vec::new();
        file.take(SMALL).read_to_end(&mut octets)?;
        let octets = Bytes::from(octets);
        self.kept.keep(hash, octets.clone());
        Ok(Some(Octets::Here(octets)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_files_are_kept_and_large_ones_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let bring = async |octets: &[u8]| {
            let hash = Hash::of(octets);
            let mut incoming = blobs.take(hash, 1 << 20, 1 << 30).unwrap();
            incoming.more(octets).await.unwrap();
            blobs.keep(incoming.end().await.unwrap()).unwrap();
            hash
        };
        let small = Small::default();
        let ask = |hash| small.octets(hash, &blobs).unwrap();
        assert!(ask(Hash::of(b"nobody brought it")).is_none());
        let large = bring(&vec![b'x'; SMALL as usize + 1]).await;
        assert!(matches!(ask(large), Some(Octets::File(_))));

        let first = bring(b"first").await;
        for _ in 0..2 {
            assert!(matches!(ask(first), Some(Octets::Here(octets)) if octets == "first"));
        }
        for other in 0..KEPT {
            let other = bring(other.to_string().as_bytes()).await;
            assert!(ask(other).is_some());
        }
        assert!(small.kept.get(first).is_none());
    }
}
