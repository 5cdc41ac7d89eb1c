//! What is wanted, and for how long.

use switchyard_mapsync_protocol::hash::Hash;
use switchyard_mapsync_protocol::release::ALL;

use super::*;
use crate::testing::{PUSH, RELEASE, ROOT, head, live, root, signed};

const HOST: &str = "mx1.example.org";
/// Messages are taken at this time, and the release holds until twice of it.
const NOW: Timestamp = Timestamp(1000);

fn kept() -> Kept {
    let trusted = Trusted::begin(&signed(&root(1, PUSH), &[ROOT]), &live()).unwrap();
    let mut kept = Kept { trusted, release: None, unfit: Vec::new() };
    let head = signed(&head(1, None, &[]), &[PUSH]);
    kept.trusted.accept_head(&head, NOW).unwrap();
    let names = kept.trusted.newest().unwrap();
    let release = Release {
        environment: live(),
        sequence: 1,
        generation: names.generation,
        head: names.hash,
        permille: ALL,
        canaries: Vec::new(),
        halted: false,
        undo: false,
        expires: Timestamp(2 * NOW.0),
    };
    let octets = signed(&release, &[RELEASE]);
    kept.trusted.accept_release(&octets, NOW).unwrap();
    kept.release = Some((release, octets));
    kept
}

#[test]
fn y2_a_release_that_is_out_of_time_moves_nobody() {
    let kept = kept();
    let head = kept.trusted.newest();
    assert!(head.is_some());
    assert_eq!(kept.due(HOST, Timestamp(2 * NOW.0 - 1)), head);
    assert_eq!(kept.due(HOST, Timestamp(2 * NOW.0)), None);
    assert_eq!(kept.wanted(HOST), head, "and its set is not swept");
}

#[test]
fn y4_what_keys_signed_that_are_struck_out_moves_nobody() {
    let mut kept = kept();
    kept.trusted.accept_root(&signed(&root(2, 9), &[ROOT])).unwrap();
    assert_eq!((kept.wanted(HOST), kept.due(HOST, NOW)), (None, None));
}

#[test]
fn each_set_that_does_not_fit_is_remembered() {
    let mut kept = kept();
    let named = |generation| HeadRef { generation, hash: Hash::of(b"") };
    for generation in 1..=20 {
        kept.refuse(Unfit { head: named(generation), why: "no".to_owned() });
    }
    assert!(kept.is_unfit(&named(19)) && kept.is_unfit(&named(20)));
    assert_eq!(kept.unfit.len(), UNFIT);
}
