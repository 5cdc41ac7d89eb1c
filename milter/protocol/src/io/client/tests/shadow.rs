//! A shadow is told the same and only counted.

use super::*;
use crate::reply::ReplyText;
use crate::response::Action;

const ADDED: Bytes = Bytes::from_static(b"Received: by us\r\n");
const WIRE: Bytes = Bytes::from_static(b"Subject: hi\r\n\r\nhello\r\n");

/// A chain of one filter with one shadow; the metrics are the shadow's.
fn shadowed(real: &House, ghost: &House) -> (Chain, Registry) {
    let (ghost, registry) = pool(&[ghost], |_| ());
    let shadows = vec![Arc::new(Shadow::new(ghost))];
    (Chain::with_shadows([pool(&[real], |_| ()).0], shadows), registry)
}

async fn send_by(chain: &mut Chain) -> Verdict {
    for event in envelope() {
        let outcome = chain.tell(&event).await;
        if outcome.verdict != Verdict::GoOn {
            chain.abort();
            return outcome.verdict;
        }
    }
    let verdict = chain.message(&ADDED, &WIRE).await.verdict;
    chain.abort();
    verdict
}

async fn result_of(registry: &Registry) -> Vec<&'static str> {
    while count(registry, "switchyard_milter_shadow_total", &[]) == 0 {
        tokio::task::yield_now().await;
    }
    let results = ["same", "edits", "verdict", "down", "not_compared"];
    let counted = |result: &&str| count(registry, "switchyard_milter_shadow_total", &[result]) > 0;
    results.into_iter().filter(counted).collect()
}

#[tokio::test]
async fn what_a_shadow_says_is_compared_and_never_done() {
    for (fault, result) in [
        (Fault::None, "same"),
        // The same new body in two parts, and the same field behind it.
        (
            Fault::Says(Stage::Eom, b"\0\0\0\x03bne\0\0\0\x04bw\r\n\0\0\0\x0dhX-Seen\0 yes\0\0\0\0\x01c"),
            "same",
        ),
        // Another field with the same body.
        (Fault::Says(Stage::Eom, b"\0\0\0\x06bnew\r\n\0\0\0\x0chX-Seen\0 no\0\0\0\0\x01c"), "edits"),
        (Fault::Answers(Stage::Eom, Action::Accept), "edits"),
        (Fault::Answers(Stage::Eom, Action::Reject), "verdict"),
        (Fault::Answers(Stage::EnvFrom, Action::Tempfail), "verdict"),
        (Fault::Dies(Stage::Body), "down"),
    ] {
        let (real, ghost) = (House::new(Fault::None), House::new(fault.clone()));
        let (mut chain, registry) = shadowed(&real, &ghost);
        assert_eq!(send_by(&mut chain).await, Verdict::GoOn);
        assert_eq!(result_of(&registry).await, [result], "{fault:?}");
    }
}

#[tokio::test]
async fn the_same_refusal_is_the_same_at_whatever_stage() {
    let no = || Action::Reply(ReplyText::new(550, None, "no").unwrap());
    for stage in [Stage::Connect, Stage::EnvFrom, Stage::EnvRcpt, Stage::Data, Stage::Eoh, Stage::Eom] {
        let real = House::new(Fault::Answers(stage, no()));
        let ghost = House::new(Fault::Answers(stage, no()));
        let (mut chain, registry) = shadowed(&real, &ghost);
        for event in envelope() {
            // A recipient that is refused ends nothing.
            let goes_on = chain.tell(&event).await.verdict == Verdict::GoOn || stage == Stage::EnvRcpt;
            if !goes_on {
                break;
            }
        }
        if !matches!(stage, Stage::Connect | Stage::EnvFrom | Stage::Data) {
            let _ = chain.message(&ADDED, &WIRE).await;
        }
        chain.abort();
        assert_eq!(result_of(&registry).await, ["same"], "{stage}");
    }
}

#[tokio::test]
async fn a_message_that_its_client_drops_has_no_story_and_leaves_none_in_the_next() {
    let (real, ghost) = (House::new(Fault::None), House::new(Fault::None));
    let (mut chain, registry) = shadowed(&real, &ghost);
    for event in envelope() {
        assert_eq!(chain.tell(&event).await.verdict, Verdict::GoOn);
    }
    chain.abort();
    for event in envelope().iter().skip(2) {
        assert_eq!(chain.tell(event).await.verdict, Verdict::GoOn);
    }
    assert_eq!(chain.message(&ADDED, &WIRE).await.verdict, Verdict::GoOn);
    chain.abort();
    assert_eq!(result_of(&registry).await, ["same"]);
    assert_eq!(ghost.told(), ALL);
}
