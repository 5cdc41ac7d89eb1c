//! What is swept, and what stays.

use std::path::Path;

use bytes::Bytes;
use switchyard_daemon::clock::Clock;
use switchyard_daemon::drain::Drain;
use switchyard_mapsync_protocol::Timestamp;
use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::release::Release;

use super::*;
use crate::hub::board::turn::Brought;
use crate::hub::order::push;
use crate::hub::testing::hub;
use crate::testing::{PUSH, RELEASE, ROOT, head, live, root, signed};

/// More than half a store in nine of them.
const OCTETS: usize = 15_000;

/// Brings a file; when it was brought is long ago.
async fn bring(shared: &Shared, octets: &[u8]) -> Hash {
    let hash = Hash::of(octets);
    let mut incoming = shared.blobs.take(hash, u64::MAX, u64::MAX).unwrap();
    incoming.more(octets).await.unwrap();
    shared.blobs.keep(incoming.end().await.unwrap()).unwrap();
    age(&shared.blobs.path(hash));
    hash
}

fn age(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - GRACE - Duration::from_secs(60)).unwrap();
}

fn release(sequence: u64, generation: u64, head: Hash) -> Brought {
    let release = Release {
        environment: live(),
        sequence,
        generation,
        head,
        permille: 1000,
        canaries: Vec::new(),
        halted: false,
        undo: false,
        expires: Timestamp(u64::MAX),
    };
    Brought::Release(Bytes::from(signed(&release, &[RELEASE])))
}

#[tokio::test]
async fn what_no_late_generation_names_goes_and_what_may_still_be_named_stays() {
    let folder = tempfile::tempdir().unwrap();
    let shared = hub(folder.path(), &signed(&root(1, PUSH), &[ROOT]), Clock::system(), Drain::new());
    let board = Arc::clone(&shared.boards["live"]);
    let (mut files, mut heads) = (Vec::new(), Vec::new());
    for generation in 1..=20_u64 {
        let octets = vec![u8::try_from(generation).unwrap(); OCTETS];
        files.push(bring(&shared, &octets).await);
        let octets = signed(&head(generation, heads.last().copied(), &[("a", &octets)]), &[PUSH]);
        heads.push(Signed::from_json(&octets).unwrap().hash());
        push(&shared, &board, Brought::Head(octets.into(), generation - 1)).await.unwrap();
        if generation == 2 {
            push(&shared, &board, release(1, generation, heads[1])).await.unwrap();
        }
    }
    let left = bring(&shared, b"of a push that never came").await;
    let asked = bring(&shared, b"of a push that is under way").await;
    assert_eq!(shared.blobs.wanted(asked), Some(27));
    let fresh = bring(&shared, b"of a push that began just now").await;
    std::fs::File::open(shared.blobs.path(fresh)).unwrap().set_modified(SystemTime::now()).unwrap();
    let before = shared.blobs.octets();

    assert_eq!(swept(&shared).await.unwrap(), 4);
    let is_there = |hash: &Hash| shared.blobs.length(*hash).is_some();
    let generations: Vec<usize> = (1..=20).filter(|generation| is_there(&files[generation - 1])).collect();
    // The newest sixteen, though they are more than half of the store, and the released one.
    assert_eq!(generations, [2].into_iter().chain(5..=20).collect::<Vec<_>>());
    assert!(!is_there(&left) && is_there(&asked) && is_there(&fresh));
    assert_eq!(shared.blobs.octets(), before - 3 * OCTETS as u64 - 25);
    assert_eq!(swept(&shared).await.unwrap(), 0, "and nothing more the next time");
    // Hosts that cannot fetch it cannot take it.
    let gone = push(&shared, &board, release(2, 3, heads[2])).await;
    assert!(matches!(gone, Err(NotKept::Missing(missing)) if missing == [files[2]]));

    // With room for more of them, older ones stay too.
    let mut bounds = **shared.bounds.load();
    bounds.store = 1_000_000;
    shared.bounds.store(Arc::new(bounds));
    let again = bring(&shared, &vec![4; OCTETS]).await;
    assert_eq!(swept(&shared).await.unwrap(), 0);
    assert!(is_there(&again));
}
