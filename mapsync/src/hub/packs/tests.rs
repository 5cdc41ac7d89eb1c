use std::io::Read as _;

use switchyard_mapsync_protocol::packed::Unpacker;

use super::*;

async fn put(blobs: &Blobs, octets: &[u8]) -> Hash {
    let hash = Hash::of(octets);
    let mut incoming = blobs.take(hash, u64::MAX, u64::MAX).unwrap();
    incoming.more(octets).await.unwrap();
    blobs.keep(incoming.end().await.unwrap()).unwrap();
    hash
}

fn table(value: u8) -> Vec<u8> {
    (0..5000).flat_map(|n| format!("user{n:05}@example.org\t{value}\n").into_bytes()).collect()
}

#[tokio::test]
async fn what_failed_and_what_had_no_room_is_packed_when_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
    let packs = Arc::new(Packs::open(folder.path(), Arc::clone(&blobs)).unwrap());
    let is_packed = async |hash: Hash, most: u64| Arc::clone(&packs).packed(hash, most).await.is_some();
    let (one, two) = (put(&blobs, &table(1)).await, put(&blobs, &table(2)).await);

    let at = folder.path().join("packed");
    fs::remove_dir(&at).unwrap();
    assert!(!is_packed(one, 1_000_000).await);
    fs::create_dir(&at).unwrap();
    // Not for each host that asks: a while after.
    let began = Instant::now();
    assert!(packs.kept(one, 1_000_000, began).is_some());
    assert!(packs.kept(one, 1_000_000, began + AGAIN).is_none());
    assert!(is_packed(one, 1_000_000).await);

    assert!(!is_packed(two, 100).await);
    assert!(packs.kept(two, 100, began + AGAIN).is_some(), "it has no room as long as there is no more");
    assert!(is_packed(two, 1_000_000).await);
}

#[tokio::test]
async fn what_was_packed_is_handed_out_from_memory_as_far_as_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
    let packs = Arc::new(Packs::open(folder.path(), Arc::clone(&blobs)).unwrap());
    let hash = put(&blobs, &table(1)).await;
    let ask = async || Arc::clone(&packs).packed(hash, 1_000_000).await.unwrap();
    let others_are_asked_for =
        || packs.in_memory.keep(Hash::of(b"another"), Bytes::from(vec![0; ALL_IN_MEMORY]));
    let is_it = |octets: &[u8]| {
        let mut unpacked = Vec::new();
        Unpacker::new(octets, 1_000_000).unwrap().read_to_end(&mut unpacked).unwrap();
        Hash::of(&unpacked) == hash
    };

    // It fell out of memory, and comes back. Who holds it has its part of the room.
    let mut held = Vec::new();
    for count in 1..=3 {
        let Octets::Here(octets) = ask().await else { panic!("it is read from the disk") };
        assert!(is_it(&octets));
        held.push(octets);
        assert_eq!(packs.room.available_permits(), ROOM - count * held[0].len());
        others_are_asked_for();
        assert!(packs.in_memory.get(hash).is_none());
    }
    drop(held);
    assert_eq!(packs.room.available_permits(), ROOM);

    let full = packs.room.try_acquire_many(u32::try_from(ROOM).unwrap()).unwrap();
    let Octets::File(mut file) = ask().await else { panic!("there is no room in memory") };
    let mut octets = Vec::new();
    file.read_to_end(&mut octets).unwrap();
    assert!(is_it(&octets));
    drop(full);
    assert!(matches!(ask().await, Octets::Here(_)));
}

#[tokio::test]
async fn a_file_is_packed_where_that_is_worth_it_and_the_oldest_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Arc::new(Blobs::open(folder.path()).unwrap());
    let packs = Arc::new(Packs::open(folder.path(), Arc::clone(&blobs)).unwrap());
    let (one, two) = (put(&blobs, &table(1)).await, put(&blobs, &table(2)).await);
    let small = put(&blobs, b"a b\n").await;
    let mut chance = fastrand::Rng::with_seed(7);
    let noise: Vec<u8> = (0..100_000).map(|_| chance.u8(..)).collect();
    let noise = put(&blobs, &noise).await;
    let length = async |hash: Hash, most: u64| {
        Arc::clone(&packs).packed(hash, most).await.map(|octets| octets.length().unwrap())
    };
    let packed = length(one, 1_000_000).await.unwrap();
    assert!(packed < 40_000, "{packed} octets");
    for as_it_is in [small, noise, Hash::of(b"not here")] {
        assert_eq!(length(as_it_is, 1_000_000).await, None);
    }

    // With room for one, the other is made again, and nothing of the first one is left.
    let files = || fs::read_dir(folder.path().join("packed")).unwrap().count();
    assert!(length(two, packed + packed / 2).await.is_some());
    assert_eq!(files(), 1);
    assert!(packs.in_memory.get(one).is_none() && packs.in_memory.get(two).is_some());
    assert!(length(one, packed + packed / 2).await.is_some());
    assert_eq!(files(), 1);
    drop(Packs::open(folder.path(), blobs).unwrap());
    assert_eq!(files(), 0);
}
