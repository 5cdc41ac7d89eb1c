//! What other hubs took, as one hub hears it; no etcd, no socket.

use switchyard_mapsync_protocol::envelope::Signed;
use switchyard_mapsync_protocol::head::Head;
use switchyard_mapsync_protocol::release::{ALL, Release};

use super::*;
use crate::hub::store::heads::Heads;
use crate::testing::{PUSH, RELEASE, ROOT, head, live, root, signed};

const NOW: Timestamp = Timestamp(100);

/// A hub's disk.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A board as it is after a start, one that has others to fetch from.
    fn board(&self) -> (Arc<Board>, Blobs) {
        let blobs = Blobs::open(self.folder.path()).unwrap();
        let heads = Arc::new(Heads::open(&self.folder.path().join("heads.redb")).unwrap());
        let first = signed(&root(1, PUSH), &[ROOT]);
        (Arc::new(Board::open(live(), &first, heads, Some(&blobs)).unwrap()), blobs)
    }
}

fn entry(kind: Kind, octets: &[u8]) -> Entry {
    Entry::new(kind, octets.to_vec())
}

fn hash(octets: &[u8]) -> Hash {
    Signed::from_json(octets).unwrap().hash()
}

fn release(sequence: u64, head: &[u8]) -> Vec<u8> {
    let named: Head = Signed::from_json(head).unwrap().read().unwrap();
    let release = Release {
        environment: live(),
        sequence,
        generation: named.generation,
        head: hash(head),
        permille: ALL,
        canaries: Vec::new(),
        halted: false,
        undo: false,
        expires: Timestamp(u64::MAX),
    };
    signed(&release, &[RELEASE])
}

fn shown(board: &Board) -> [u64; 3] {
    let shown = board.watch().borrow().clone();
    [Kind::Root, Kind::Head, Kind::Release].map(|kind| shown.number(kind))
}

async fn put(blobs: &Blobs, octets: &[u8]) {
    let mut incoming = blobs.take(Hash::of(octets), 100, 1000).unwrap();
    incoming.more(octets).await.unwrap();
    blobs.keep(incoming.end().await.unwrap()).unwrap();
}

#[tokio::test]
async fn what_is_heard_is_kept_at_once_and_shown_when_its_files_are_here() {
    let bench = Bench::new();
    let one = signed(&head(1, None, &[("site.toml", b"x")]), &[PUSH]);
    let two = signed(&head(2, Some(hash(&one)), &[("site.toml", b"y")]), &[PUSH]);
    let place = Place::from_octets(b"3 abc").unwrap();
    {
        let (board, blobs) = bench.board();
        let mut turn = board.turn().await;
        let heard =
            [entry(Kind::Head, &one), entry(Kind::Release, &release(1, &one)), entry(Kind::Head, &two)];
        assert_eq!(turn.hear(&heard, Some(&place), NOW).unwrap(), 0);
        assert_eq!(shown(&board), [1, 0, 0], "nothing yet");
        // Both are wanted: the newest, and the one that hosts are to use.
        assert_eq!(turn.missing(&blobs).unwrap().len(), 2);
        put(&blobs, b"y").await;
        assert_eq!(turn.missing(&blobs).unwrap().len(), 1);
    }
    // After a restart in the middle it is as before.
    let (board, blobs) = bench.board();
    assert_eq!(shown(&board), [1, 0, 0]);
    put(&blobs, b"x").await;
    let turn = board.turn().await;
    assert_eq!(turn.place().unwrap(), Some(place));
    assert!(turn.missing(&blobs).unwrap().is_empty());
    turn.show().unwrap();
    assert_eq!(shown(&board), [1, 2, 1]);
    drop((turn, board));
    assert_eq!(shown(&bench.board().0), [1, 2, 1]);
}

#[tokio::test]
async fn y1_y3_what_no_host_would_take_is_passed_over_though_another_hub_has_it() {
    let bench = Bench::new();
    let (board, _) = bench.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let forged = signed(&head(2, Some(hash(&one)), &[]), &[RELEASE]);
    let expired = signed(&Head { expires: Timestamp(2), ..head(2, Some(hash(&one)), &[]) }, &[PUSH]);
    let unknown = signed(&head(7, Some(Hash::of(b"six")), &[]), &[PUSH]);
    let heard = [
        entry(Kind::Head, &one),
        entry(Kind::Head, &forged),
        entry(Kind::Head, &expired),
        entry(Kind::Head, b"{}"),
        entry(Kind::Release, &release(1, &unknown)),
        entry(Kind::Root, &signed(&root(2, 7), &[PUSH])),
    ];
    assert_eq!(turn.hear(&heard, None, NOW).unwrap(), 5);
    turn.show().unwrap();
    assert_eq!(shown(&board), [1, 1, 0]);
    // What is older than what is here is no news, and no fault either.
    assert_eq!(turn.hear(&[entry(Kind::Head, &one)], None, NOW).unwrap(), 0);
}

#[tokio::test]
async fn a_release_of_a_head_that_was_not_heard_brings_it_along() {
    let bench = Bench::new();
    let (board, _) = bench.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let three = signed(&head(3, Some(Hash::of(b"two")), &[]), &[PUSH]);
    let with = Entry { head: Some(one.clone().into()), ..entry(Kind::Release, &release(1, &one)) };
    assert_eq!(turn.hear(&[entry(Kind::Head, &three), with], None, NOW).unwrap(), 0);
    turn.show().unwrap();
    assert_eq!(shown(&board), [1, 3, 1]);
    assert_eq!(board.head(1).unwrap(), Some(one));
}

#[tokio::test]
async fn a_hub_tells_another_all_that_it_needs() {
    let (here, there) = (Bench::new(), Bench::new());
    let (board, _) = here.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[7]);
    let two = signed(&head(2, Some(hash(&one)), &[]), &[7]);
    let heard = [
        entry(Kind::Root, &signed(&root(2, 7), &[ROOT])),
        entry(Kind::Head, &one),
        entry(Kind::Release, &release(1, &one)),
        entry(Kind::Head, &two),
    ];
    assert_eq!(turn.hear(&heard, None, NOW).unwrap(), 0);
    let own = turn.own().unwrap();
    assert_eq!(own.len(), 4, "not the first root, which stands in every hub's settings");
    let (other, _) = there.board();
    let mut turn = other.turn().await;
    assert_eq!(turn.hear(&own, None, NOW).unwrap(), 0);
    turn.show().unwrap();
    assert_eq!(shown(&other), [2, 2, 1]);
}
