//! No number twice, whatever a hub shows.

use switchyard_mapsync_protocol::hash::Hash;

use super::*;
use crate::testing::{PUSH, head, root, signed};

fn named(generation: u64) -> HeadRef {
    HeadRef { generation, hash: Hash::of(&generation.to_le_bytes()) }
}

fn memory(folder: &Path) -> Memory {
    let mut memory = Memory::open(folder.join("push.live.seen.json")).unwrap();
    memory.by(&root(1, PUSH));
    memory
}

#[test]
fn what_was_seen_is_remembered_and_a_hub_that_shows_less_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = memory(folder.path());
    assert_eq!((first.behind(None), first.next_generation(0), first.next_release(0)), (None, 1, 1));
    first.saw(Some(named(5)), 7);
    first.saw(Some(named(3)), 2);
    first.keep().unwrap();

    let again = memory(folder.path());
    assert_eq!(again.behind(None), Some(Behind::Empty { seen: 5 }));
    assert_eq!(again.behind(Some(named(4))), Some(Behind::Older { shown: 4, seen: 5 }));
    let twin = HeadRef { hash: Hash::of(b"twin"), ..named(5) };
    assert_eq!(again.behind(Some(twin)), Some(Behind::Other(5)));
    assert_eq!((again.behind(Some(named(5))), again.behind(Some(named(6)))), (None, None));
    assert_eq!([0, 4, 5, 9].map(|shown| again.next_generation(shown)), [6, 6, 6, 10]);
    assert_eq!([0, 7, 9].map(|shown| again.next_release(shown)), [8, 8, 10]);
}

#[test]
fn what_was_signed_and_not_heard_of_is_sent_again_and_its_number_never_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp(1000);
    let mut first = memory(folder.path());
    first.saw(Some(named(1)), 0);
    let envelope = signed(&head(2, Some(named(1).hash), &[]), &[PUSH]);
    first.signs(&envelope);
    first.keep().unwrap();

    let mut again = memory(folder.path());
    let unsure = again.unsure(1, now).unwrap();
    assert_eq!((unsure.at.generation, &unsure.envelope), (2, &envelope));
    assert_eq!(again.next_generation(1), 3);
    assert_eq!(again.unsure(2, now), None, "a hub shows that number");
    assert_eq!(again.unsure(1, Timestamp(u64::MAX)), None, "nobody takes it any more");
    again.saw(Some(unsure.at), 0);
    assert_eq!((again.unsure(1, now), again.behind(Some(unsure.at))), (None, None));
}

#[test]
fn with_other_keys_numbers_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut memory = memory(folder.path());
    memory.saw(Some(named(5)), 7);
    memory.by(&root(2, 9));
    assert_eq!((memory.behind(None), memory.next_generation(0)), (None, 1));
    assert_eq!(memory.next_release(0), 8, "the keys that release are the same");
}

#[test]
fn pushes_of_one_admin_take_turns_and_the_second_knows_what_the_first_did() {
    let folder = tempfile::tempdir().unwrap();
    let (mut first, mut second) = (memory(folder.path()), memory(folder.path()));
    let turn = first.turn(&root(1, PUSH)).unwrap();
    let (began, begins) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        began.send(()).unwrap();
        let _turn = second.turn(&root(1, PUSH)).unwrap();
        second.next_generation(0)
    });
    begins.recv().unwrap();
    first.saw(Some(named(1)), 0);
    first.keep().unwrap();
    drop(turn);
    assert_eq!(waiting.join().unwrap(), 2);
}

#[test]
fn a_file_that_is_no_memory_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("push.live.seen.json");
    File::create(&at).unwrap().write_all(b"{\"more\": 1}").unwrap();
    let told = Memory::open(at).unwrap_err().to_string();
    assert!(told.contains("push.live.seen.json") && told.contains("nothing is signed without"), "{told}");
}
