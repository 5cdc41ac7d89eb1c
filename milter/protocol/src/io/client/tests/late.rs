//! Answers that nobody waits for: they come behind a word in the middle of a row.

use bytes::BytesMut;
use tokio::sync::Notify;

use super::house::Late;
use super::*;
use crate::edit::Edit;
use crate::response::Response;

/// "Continue", so many times: three are owed behind the first field.
fn answers(count: usize) -> Vec<u8> {
    b"\0\0\0\x01c".repeat(count)
}

/// Three answers, the last with a new body of more than is read at a time.
fn new_body() -> Vec<u8> {
    let mut octets = BytesMut::from(&answers(2)[..]);
    Response::Edit(Edit::ReplBody(vec![b'x'; 40_000].into())).encode(&mut octets);
    octets.extend_from_slice(&answers(1));
    octets.to_vec()
}

/// A session whose first message was refused at its first field, and what was owed behind that has come as far as it
/// does.
async fn refused(octets: &[u8], leaves: bool) -> (House, Arc<Pool>, Registry, Session) {
    let let_go = Arc::new(Notify::new());
    let late = Late { octets: octets.to_vec(), leaves, let_go: Arc::clone(&let_go) };
    let house = House::new(Fault::Late(late));
    let (pool, registry) = pool(&[&house], |_| ());
    let mut session = Session::new(Arc::clone(&pool));
    assert_eq!(send(&mut session).await.verdict, Verdict::Reject);
    session.abort();
    let_go.notify_one();
    while !house.told().contains(&"late") {
        tokio::task::yield_now().await;
    }
    // Once more, so that the run time has heard of it, too.
    tokio::task::yield_now().await;
    (house, pool, registry, session)
}

async fn next_sender(session: &mut Session) -> Outcome {
    session.tell(Event::EnvFrom(Path::new("<>"))).await
}

#[tokio::test]
async fn what_comes_late_is_heard_to_its_end_and_a_filter_that_hangs_up_then_is_asked_anew() {
    let (all, body) = (answers(3), new_body());
    for (octets, leaves, connections, is_cautious) in [
        (&all[..], false, 1, false),
        (&body[..], false, 1, false),
        // All is heard, so that it is not its early word that cost the connection.
        (&all, true, 2, false),
        (&body[..], true, 2, false),
        // Some, and cut within an answer and within a body.
        (&all[..10], false, 2, true),
        (&all[..14], false, 2, true),
        (&body[..30_000], false, 2, true),
        (&all[..5], true, 2, true),
        (&[], true, 2, true),
    ] {
        let case = (octets.len(), leaves);
        let (house, pool, registry, mut session) = refused(octets, leaves).await;
        let outcome = next_sender(&mut session).await;
        assert_eq!((outcome.verdict, outcome.by), (Verdict::GoOn, By::Filter), "{case:?}");
        assert_eq!((house.connections(), pool.is_cautious()), (connections, is_cautious), "{case:?}");
        assert_eq!(session.message(&mail()).await.verdict, Verdict::Reject, "{case:?}");
        assert_eq!(count(&registry, "switchyard_milter_failures_total", &[]), 0, "{case:?}");
    }
}

#[tokio::test]
async fn nonsense_that_comes_late_counts_and_the_next_message_is_told_over_another_connection() {
    let octets = [answers(1), b"\0\0\0\x01z".to_vec()].concat();
    let (house, _, registry, mut session) = refused(&octets, false).await;
    let outcome = next_sender(&mut session).await;
    assert_eq!((outcome.verdict, outcome.by, house.connections()), (Verdict::GoOn, By::Filter, 2));
    assert_eq!(count(&registry, "switchyard_milter_failures_total", &["protocol"]), 1);
}
