//! Answers that are lost.

use switchyard_mapsync_protocol::Timestamp;

use super::*;
use crate::admin::Memory;
use crate::client::testing::{HUB, World, ok};
use crate::testing::{PUSH, ROOT, live, root, signed};

const NONE: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const LOST: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

/// Brings a release of this number to a hub that loses its answer, and shows `later` as its release 7 after that. What came
/// of it, and how often it was brought.
async fn brought(number: u64, later: &[u8]) -> (Result<(), AdminError>, usize) {
    let world = World::new();
    let empty = [NONE; 4].map(<[u8]>::to_vec);
    let answers = empty.into_iter().chain([LOST.to_vec(), ok(later)]).collect();
    let (address, server) = world.server_of(HUB, answers).await;
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path().join("seen.json")).unwrap();
    let root = signed(&root(1, PUSH), &[ROOT]);
    let met = Admin::meet(world.client(address), &root, &live(), memory, Timestamp(1)).await;
    let mut admin = met.unwrap();
    let message = Message { what: Newest::Release, number, after: 0, octets: b"ours".to_vec() };
    let became = admin.bring_message(message).await;
    drop(admin);
    let times = server.await.unwrap().matches("POST /v1/releases/live HTTP/1.1\r\n").count();
    (became, times)
}

#[tokio::test]
async fn what_was_overtaken_while_its_answer_was_lost_is_not_brought_again() {
    let (became, times) = brought(6, b"another").await;
    let error = became.unwrap_err();
    assert!(error.is_overtaken() && !error.is_unsure(), "{error}");
    assert!(error.to_string().ends_with("overtaken by 7 meanwhile: whether it was in force is not known"));
    assert_eq!(times, 1);
}

#[tokio::test]
async fn what_is_there_is_found_and_what_is_not_is_brought_again() {
    let (became, times) = brought(7, b"ours").await;
    assert_eq!((became.is_ok(), times), (true, 1));
    // The hub shows an older one.
    let (became, times) = brought(8, b"another").await;
    assert_eq!((became.is_ok(), times), (true, 2));
}
