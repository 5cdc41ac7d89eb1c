//! Answers that are lost.

use switchyard_mapsync_protocol::Timestamp;

use super::*;
use crate::admin::Memory;
use crate::client::testing::{HUB, World, ok};
use crate::testing::{PUSH, ROOT, live, root, signed};

const NONE: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const LOST: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const REFUSED: &[u8] = b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n";
const FASTER: &[u8] = b"HTTP/1.1 412 Precondition Failed\r\ncontent-length: 0\r\n\r\n";

/// Brings a message of this number to a hub that loses its answer, and says this to each question after that. What
/// came of it, and how often it was brought.
async fn brought(what: Newest, number: u64, then: &[&[u8]]) -> (Result<(), AdminError>, usize) {
    let world = World::new();
    let answers = [&[NONE, NONE, NONE, NONE, LOST], then].concat();
    let (address, server) = world.server_of(HUB, answers.into_iter().map(<[u8]>::to_vec).collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::open(folder.path().join("seen.json")).unwrap();
    let root = signed(&root(1, PUSH), &[ROOT]);
    let met = Admin::meet(world.client(address), &root, &live(), memory, Timestamp(1)).await;
    let mut admin = met.unwrap();
    let became = admin.bring_message(Message { what, number, after: 0, octets: b"ours".to_vec() }).await;
    drop(admin);
    (became, server.await.unwrap().matches("POST /v1/").count())
}

/// The same for a release.
async fn released(number: u64, then: &[&[u8]]) -> (Result<(), AdminError>, usize) {
    brought(Newest::Release, number, then).await
}

fn must_be_overtaken_by_7(became: Result<(), AdminError>) {
    let error = became.unwrap_err();
    assert!(error.is_overtaken() && !error.is_unsure(), "{error}");
    assert!(error.to_string().ends_with("overtaken by 7 meanwhile: whether it was in force is not known"));
}

#[tokio::test]
async fn what_was_overtaken_while_its_answer_was_lost_is_not_brought_again() {
    let (became, times) = released(6, &[&ok(b"another")]).await;
    must_be_overtaken_by_7(became);
    assert_eq!(times, 1);
}

#[tokio::test]
async fn what_is_there_is_found_and_what_is_not_is_brought_again() {
    let (became, times) = released(7, &[&ok(b"ours")]).await;
    assert_eq!((became.is_ok(), times), (true, 1));
    // The hub shows an older one.
    let (became, times) = released(8, &[&ok(b"another")]).await;
    assert_eq!((became.is_ok(), times), (true, 2));
}

#[tokio::test]
async fn what_is_overtaken_before_it_is_brought_again_is_told_as_that_and_not_as_refused() {
    let (became, times) = released(6, &[NONE, REFUSED, &ok(b"another")]).await;
    must_be_overtaken_by_7(became);
    assert_eq!(times, 2);
    let (became, _) = released(7, &[NONE, REFUSED, &ok(b"ours")]).await;
    assert!(became.is_ok(), "it came to have it between the two questions: {became:?}");
    let (became, _) = released(7, &[NONE, REFUSED, &ok(b"another")]).await;
    let error = became.unwrap_err();
    assert!(!error.is_overtaken() && !error.is_unsure(), "another of this number is there: {error}");
}

#[tokio::test]
async fn a_generation_that_another_followed_before_it_is_brought_again_is_there() {
    let (became, times) = brought(Newest::Head, 7, &[NONE, FASTER, &ok(b"ours")]).await;
    assert!(became.is_ok() && times == 2, "{became:?}");
    let (became, _) = brought(Newest::Head, 7, &[NONE, FASTER, &ok(b"another")]).await;
    assert!(became.unwrap_err().lost_the_race());
}
