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

fn hear(turn: &mut Turn, entries: &[Entry], place: Option<&Place>) -> usize {
    turn.hear(entries, place, Waits::default(), NOW).unwrap().refused
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
        assert_eq!(hear(&mut turn, &heard, Some(&place)), 0);
        assert_eq!(shown(&board), [1, 0, 0], "nothing yet");
        // Both are wanted: the newest, and the one that hosts are to use.
        assert_eq!(turn.show(Some(&blobs)).unwrap().len(), 2);
        put(&blobs, b"y").await;
        assert_eq!(turn.show(Some(&blobs)).unwrap().len(), 1);
    }
    // After a restart in the middle it is as before: the head has its files, and what the release names has not.
    let (board, blobs) = bench.board();
    assert_eq!(shown(&board), [1, 2, 0]);
    put(&blobs, b"x").await;
    let turn = board.turn().await;
    assert_eq!(turn.place().unwrap(), Some(place));
    assert!(turn.show(Some(&blobs)).unwrap().is_empty());
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
    assert_eq!(hear(&mut turn, &heard, None), 5);
    turn.show(None).unwrap();
    assert_eq!(shown(&board), [1, 1, 0]);
    // What is older than what is here is no news, and no fault either.
    assert_eq!(hear(&mut turn, &[entry(Kind::Head, &one)], None), 0);
}

#[tokio::test]
async fn a_release_of_a_head_that_was_not_heard_brings_it_along() {
    let bench = Bench::new();
    let (board, _) = bench.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let three = signed(&head(3, Some(Hash::of(b"two")), &[]), &[PUSH]);
    let with = Entry { head: Some(one.clone().into()), ..entry(Kind::Release, &release(1, &one)) };
    assert_eq!(hear(&mut turn, &[entry(Kind::Head, &three), with], None), 0);
    turn.show(None).unwrap();
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
    assert_eq!(hear(&mut turn, &heard, None), 0);
    let own = turn.own().unwrap();
    assert_eq!(own.len(), 4, "not the first root, which stands in every hub's settings");
    let (other, _) = there.board();
    let mut turn = other.turn().await;
    assert_eq!(hear(&mut turn, &own, None), 0);
    turn.show(None).unwrap();
    assert_eq!(shown(&other), [2, 2, 1]);
}

#[tokio::test]
async fn y6_roots_and_halts_wait_for_no_files_and_what_was_shown_stays() {
    let bench = Bench::new();
    let (board, blobs) = bench.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let two = signed(&head(2, Some(hash(&one)), &[("site.toml", b"x")]), &[PUSH]);
    let heard = [entry(Kind::Head, &one), entry(Kind::Release, &release(1, &one)), entry(Kind::Head, &two)];
    assert_eq!(hear(&mut turn, &heard[..2], None), 0);
    assert!(turn.show(Some(&blobs)).unwrap().is_empty());
    assert_eq!(shown(&board), [1, 1, 1]);
    // The files of the next are missing, and its release moves hosts.
    assert_eq!(hear(&mut turn, &[heard[2].clone(), entry(Kind::Release, &release(2, &two))], None), 0);
    assert_eq!(turn.show(Some(&blobs)).unwrap().len(), 1);
    assert_eq!(shown(&board), [1, 1, 1]);
    assert_eq!(board.lacks().borrow().len(), 1);
    let halt: Release = Signed::from_json(&release(3, &two)).unwrap().read().unwrap();
    let halt = signed(&Release { halted: true, ..halt }, &[RELEASE]);
    assert_eq!(hear(&mut turn, &[entry(Kind::Release, &halt)], None), 0);
    turn.show(Some(&blobs)).unwrap();
    assert_eq!(shown(&board), [1, 1, 3]);
    // New keys: what the old ones signed is shown no more.
    assert_eq!(hear(&mut turn, &[entry(Kind::Root, &signed(&root(2, 7), &[ROOT]))], None), 0);
    turn.show(Some(&blobs)).unwrap();
    assert_eq!(shown(&board), [2, 0, 3]);
    // A push is kept, and shown as its files allow.
    let three = signed(&head(3, Some(hash(&two)), &[("site.toml", b"x")]), &[7]);
    put(&blobs, b"x").await;
    let Look::New(checked) = turn.look(&Brought::Head(three.into(), 0), &blobs, NOW).unwrap() else {
        panic!()
    };
    std::fs::remove_file(blobs.path(Hash::of(b"x"))).unwrap();
    turn.keep(*checked, None).unwrap();
    assert_eq!(turn.show(Some(&blobs)).unwrap().len(), 1);
    assert_eq!(shown(&board), [2, 0, 3]);
}

#[tokio::test]
async fn y4_what_a_wrong_clock_refuses_is_heard_again() {
    let bench = Bench::new();
    let (board, _) = bench.board();
    let mut turn = board.turn().await;
    let one = signed(&head(1, None, &[]), &[PUSH]);
    let late = signed(&Head { expires: Timestamp(50), ..head(2, Some(hash(&one)), &[]) }, &[PUSH]);
    let early = signed(&Head { created: Timestamp(5000), ..head(3, Some(hash(&late)), &[]) }, &[PUSH]);
    let place = |text: &str| Place::from_octets(text.as_bytes()).unwrap();
    let mut page = |entries: &[Entry], end: &str, waits, now| {
        turn.hear(entries, Some(&place(end)), waits, Timestamp(now))
            .map(|heard| (heard, turn.place()))
            .unwrap()
    };
    let (_, at) = page(&[entry(Kind::Head, &one)], "1 abc", Waits::default(), 100);
    assert_eq!(at.unwrap(), Some(place("1 abc")));
    // What is not in time keeps the place before it, on the next page as well.
    let (heard, _) = page(&[entry(Kind::Head, &late)], "2 abc", Waits::default(), 100);
    assert!(heard.waits.any());
    let (heard, at) = page(&[entry(Kind::Head, &early)], "3 abc", heard.waits, 100);
    assert!(heard.waits.any());
    assert_eq!(at.unwrap(), Some(place("1 abc")));
    // The clock is set right: the newest is taken, and what is of old holds nothing up.
    let again = [entry(Kind::Head, &late), entry(Kind::Head, &early)];
    let (heard, at) = page(&again, "3 abc", Waits::default(), 5000);
    assert!(!heard.waits.any());
    assert_eq!(at.unwrap(), Some(place("3 abc")));
}
